"""What a reader of README.md types first, in a fresh clone, gives a result or says what to do."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from markdown_it import MarkdownIt

from pipelines import __main__ as pipelines
from tests.project import EPOCHS, Project, copy_project
from zfrepro import config

pytestmark = pytest.mark.slow

README = (config.ROOT / "README.md").read_text(encoding="utf-8")
MADE = ("results", "data", ".checkpoints", "mlartifacts", "mlflow.db")
# a process for each command, of one that has imported what takes seconds
RUNNER = """
import json, os, runpy, sys
import hydra, pandas, pyarrow.parquet, matplotlib.pyplot, torch
for number, words in enumerate(json.load(sys.stdin)):
    if os.fork():
        os.wait()
        continue
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{number}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    sys.argv = words
    try:
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(0)
"""


class Said(NamedTuple):
    out: str
    err: str


def blocks(language: str) -> list[str]:
    fences = [token for token in MarkdownIt().parse(README) if token.type == "fence"]
    return [token.content for token in fences if token.info == language]


def commands() -> Iterator[list[str]]:
    """The words of each command in README's blocks, without comments and variables before it."""
    for block in blocks(""):
        for line in block.replace("\\\n", " ").splitlines():
            for part in line.partition("#")[0].split(";"):
                words = shlex.split(part)
                while words and re.match(r"[A-Z_]+=", words[0]):
                    del words[0]
                if words:
                    yield words


PYTHON = [words[words.index("-m") + 1 :] for words in commands() if words[0] == "python"]
SLOW = ("--help", "--multirun", "zfrepro.plan")  # and tested elsewhere
PYTHON = [words for words in PYTHON if not set(words) & set(SLOW)]
TRAININGS = [w for w in PYTHON if w[0] == "zfrepro.train" and not any("trainer" in x for x in w)]


def run(project: Project, all_words: list[list[str]]) -> list[Said]:
    subprocess.run(
        [sys.executable, "-c", RUNNER], cwd=project.root, input=json.dumps(all_words), text=True,
        check=True, timeout=300, env=environment(project),
    )  # fmt: skip
    texts = [
        [project.root / f"{n}.{kind}" for kind in ("out", "err")] for n in range(len(all_words))
    ]
    return [Said(*(path.read_text() for path in pair)) for pair in texts]


def environment(project: Project) -> dict[str, str]:
    dropped = {name for name in os.environ if name.startswith(("ZFREPRO_", "MLFLOW_"))}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"PYTHONPATH": str(project.root), "CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = copy_project(tmp_path_factory.mktemp("clone"))
    smoke = project.root / "conf" / "profile" / "smoke.yaml"
    smoke.write_text(smoke.read_text().replace(f"epochs: {EPOCHS}", "epochs: 1"))
    (project.root / "docs").mkdir()
    shutil.copy(config.ROOT / "docs" / "cat.jpg", project.root / "docs")
    return project


def test_a_fresh_clone_answers_every_command(clone: Project) -> None:
    first = [words for words in PYTHON if words not in TRAININGS]
    assert len(first) > 10
    for words, said in zip(first, run(clone, first), strict=True):
        assert "Traceback" not in said.err, (words, said)
        assert said.out or said.err.splitlines()[-1].startswith("error: "), (words, said)
    assert not [name for name in MADE if (clone.root / name).exists() and name != ".checkpoints"]


def test_trained_by_name_a_network_is_known_to_every_command(clone: Project) -> None:
    """The stages' commands have not been run, and README's are typed as they stand there."""
    (clone.root / "snippet.py").write_text(blocks("python")[0])
    looks = [w for w in PYTHON if w[0] in ("zfrepro.deconv", "zfrepro.occlusion")]
    moved = "docs/cat.jpg --network tab3_no_fc6 --layers conv1 fc7 --rotation 0 180 90"
    looks += [["zfrepro.evaluate", "tab3_no_fc6"], ["zfrepro.invariance", *moved.split()]]
    looks += [["snippet"]]
    trained, *others = run(clone, [["zfrepro.train", "+experiment=tab3_no_fc6"], *looks])
    assert "preparing the images of profile smoke, once (rendered: about a minute)" in trained.err
    last = trained.err.splitlines()[-2:]
    assert last[0].endswith("python -m zfrepro.deconv docs/cat.jpg tab3_no_fc6")
    shown = r"experiment .*table.*3.*, run tab3_no_fc6: .*make ui.*/#/experiments/1/runs/"
    assert re.search(shown, last[1])
    for words, said in zip(looks, others, strict=True):
        assert "Traceback" not in said.err, (words, said)
        assert "error:" not in said.err, (words, said)
    assert all("predicted " in said.out for said in others[:2])
    assert not (clone.root / "results").exists()  # which are the stages' to make


def known(words: list[str]) -> bool:  # noqa: PLR0911  a line for each kind
    """Whether a command that no test types names what exists."""
    match words:
        case ["make", target]:
            makefile = (config.ROOT / "Makefile").read_text(encoding="utf-8")
            return re.search(rf"^{target}:", makefile, re.MULTILINE) is not None
        case ["dvc", "repro", *targets]:
            stages: dict[str, Any] = pipelines.read()["stages"]
            return all(target.partition("@")[0] in stages for target in targets)
        case ["dvc", "exp", "run", "-S", change]:
            key, _, value = change.partition("=")
            return key == "seed" or (key == "profile" and value in config.options("profile"))
        case (
            ["dvc", "metrics" | "plots", "show"]
            | ["cp", "-r", "results/report", _]
            | ["source", ".venv/bin/activate"]
        ):
            return True
        case ["export", variable]:
            return variable.startswith("ZFREPRO_")
        case ["pip", "install", extra]:
            project = tomllib.loads((config.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
            name = extra.partition("[")[2].rstrip("]")
            return name in project["project"]["optional-dependencies"]
        case ["srun", *rest] | ["python", "-m", "zfrepro.train", *rest] if not set(rest) & set(
            SLOW
        ):
            own = [word for word in rest if "=" in word and not word.startswith("--")]
            return bool(config.compose([*own, "profile=smoke"]))
        case ["python", "-m", module, *_]:
            return (config.ROOT / (module.replace(".", "/") + ".py")).is_file() or (
                config.ROOT / module.replace(".", "/")
            ).is_dir()
    return False


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_a_command_names_what_exists(words: list[str]) -> None:
    assert known(words), f"README shows {shlex.join(words)}: add it to what is tested here"
