import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.project import Project, copy_project
from zfrepro import processes
from zfrepro.config import ROOT

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

# a shell's background job has Ctrl-C ignored, and so would every command that a test starts
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: none is begun when all other work is done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def own_code() -> None:
    """MLflow puts the code of a model that it loads first, where a later test's workers find it.

    A command that a test has run in this process leaves a variable for its child processes.
    """
    os.environ.pop(processes.PARENT, None)
    sys.path[:] = [
        folder
        for folder in sys.path
        if not Path(folder, "zfrepro").is_dir() or Path(folder).resolve() == ROOT
    ]


@pytest.fixture(scope="session")
def prepared_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """With resolved configurations and prepared images, tracking off."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    config = project.root / "conf" / "config.yaml"
    config.write_text(config.read_text().replace("tracking: mlflow", "tracking: disabled"))
    smoke = project.root / "conf" / "profile" / "smoke.yaml"  # without the transfer sets' images
    smoke.write_text(smoke.read_text().replace("exclude_overlap: true", "exclude_overlap: false"))
    for module, *args in (["pipelines.resolve"], ["pipelines.prepare", "source"]):
        done = project.run(module, *args)
        assert done.returncode == 0, done.stderr
    return project


@pytest.fixture
def project(prepared_project: Project) -> Project:
    """The prepared project, without any run."""
    prepared_project.forget()
    return prepared_project


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """The Chromium that CHROMIUM names, that is on the path, or that Playwright has installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    pytest.importorskip("axe_playwright_python", reason="axe is not installed")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with playwright.sync_playwright() as driver:
        path = found or driver.chromium.executable_path
        if not Path(path).is_file():
            pytest.skip("there is no Chromium: `playwright install chromium`, or CHROMIUM=PATH")
        opened = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()
