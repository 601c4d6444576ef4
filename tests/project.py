"""A copy of the project at the smallest size, for tests that run its commands as a user does."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests import warm
from zfrepro.config import ROOT

CODE = ("conf", "pipelines", "zfrepro", "params.yaml", "dvc.yaml")
EPOCHS = 3
SMALL = {
    "train_images: 240": "train_images: 120",
    "val_images: 60": "val_images: 40",
    "width: 0.25": "width: 0.125",
    "epochs: 2": f"epochs: {EPOCHS}",
}


Process = warm.Started | subprocess.Popen[str]


@dataclass(frozen=True)
class Project:
    """A copy of the project in `root`."""

    root: Path

    def start(
        self, module: str, *args: str, **options: str
    ) -> warm.Started | subprocess.Popen[str]:
        """Starts `python -m module args`; `options` become environment variables."""
        if not warm.can_start(options):
            return self.process(module, *args, **options)
        env = os.environ | {"PYTHONPATH": str(self.root)} | options
        return warm.Started([module, *args], self.root, env)

    def process(self, module: str, *args: str, **options: str) -> subprocess.Popen[str]:
        """As `start`, but a child of this process, from Python's start on."""
        return subprocess.Popen(
            [sys.executable, "-m", module, *args],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": str(self.root)} | options,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, module: str, *args: str, **options: str) -> subprocess.CompletedProcess[str]:
        process = self.start(module, *args, **options)
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def forget(self) -> None:
        """Removes all runs; the prepared images stay."""
        for folder in (".checkpoints", "results/runs"):
            shutil.rmtree(self.root / folder, ignore_errors=True)


def copy_project(root: Path) -> Project:
    for name in CODE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / name)
    profile = root / "conf" / "profile" / "smoke.yaml"
    text = profile.read_text()
    for old, new in SMALL.items():
        assert old in text
        text = text.replace(old, new)
    profile.write_text(text)
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("profile: miniature", "profile: smoke"))
    return Project(root)
