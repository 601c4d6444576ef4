"""Networks that other code has trained, accepted under the fingerprint of today's."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from tests.project import Project, copy_project
from zfrepro import adopt, config, files, results
from zfrepro.adopt import differences
from zfrepro.report.page.recipes import of_network
from zfrepro.results import Results
from zfrepro.runs import Run

NAME = "tab3_zfnet"
CHANGED = "zfrepro/models/clipping.py"
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A checkout in which a network was trained before the code of the training changed."""
    project = copy_project(tmp_path_factory.mktemp("adopt"))
    for name, old, new in (
        ("config", "tracking: mlflow", "tracking: disabled"),
        ("profile/smoke", "exclude_overlap: true", "exclude_overlap: false"),
    ):
        path = project.root / "conf" / f"{name}.yaml"
        path.write_text(path.read_text().replace(old, new))
    (project.root / ".gitignore").write_text("/results\n/data\n/.checkpoints\n__pycache__\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*GIT, *words], cwd=project.root, check=True)
    for module, *args in (
        ["pipelines.resolve"], ["pipelines.prepare", "source"],
        ["zfrepro.train", f"+experiment={NAME}"],
    ):  # fmt: skip
        done = project.run(module, *args)
        assert done.returncode == 0, done.stderr
    with (project.root / CHANGED).open("a") as source:
        source.write("\nANOTHER = 1\n")
    return project


@pytest.fixture
def pulled(changed: Project) -> Iterator[Project]:
    """The same, with nothing accepted."""
    yield changed
    for run in made(changed):
        if "adopted_from" in json.loads((run / "run.json").read_text()):
            shutil.rmtree(run.parent)


def made(project: Project) -> list[Path]:
    return sorted((project.root / ".checkpoints").glob("*/run"))


@pytest.mark.slow
def test_a_listed_run_is_accepted_and_taken_up_without_training(pulled: Project) -> None:
    (old,) = made(pulled)
    listed = pulled.run("zfrepro.adopt", NAME)
    assert listed.returncode == 0, listed.stderr
    assert f"code that changed: {CHANGED}\n" in listed.stdout
    assert "nothing is done" in listed.stdout
    assert made(pulled) == [old]
    done = pulled.run("zfrepro.adopt", "--yes")
    assert done.returncode == 0, done.stderr
    assert "tab3_no_fc7: no finished run" in done.stdout
    (new,) = set(made(pulled)) - {old}
    before, after = (json.loads((run / "run.json").read_text()) for run in (old, new))
    origin = {"fingerprint": old.parent.name, "changed": [CHANGED]}
    assert after == before | {"fingerprint": new.parent.name, "adopted_from": origin}
    files.check_sums(old)
    files.check_sums(new)
    assert (old / "weights.pt").samefile(new / "weights.pt")
    later = pulled.run("pipelines.train", NAME)
    assert later.returncode == 0, later.stderr
    assert "already trained" in later.stderr
    assert "epoch 1/" not in later.stderr
    result = pulled.root / "results" / "runs" / NAME / "run.json"
    assert json.loads(result.read_text()) == after
    assert "trained, as" in pulled.run("zfrepro.adopt", NAME).stdout


@pytest.mark.slow
def test_the_code_of_a_revision_gives_its_runs_their_fingerprint(pulled: Project) -> None:
    """Of a run that left images out, or started from weights, this alone says which."""
    (old,) = made(pulled)
    program = (
        "from pathlib import Path; from zfrepro import adopt, config, results, runs\n"
        f"run = runs.plan(config.compose_experiment({NAME!r}))\n"
        f"recipe = results.read_recipe(Path({str(old)!r}))\n"
        "print(run.fingerprint != recipe['fingerprint'], adopt._proven(run, recipe))\n"
        "run.parts['without_train'] = [3]\n"
        "print(adopt._proven(run, recipe))"
    )
    env = os.environ | {"PYTHONPATH": str(pulled.root)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=pulled.root, env=env, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "True", "False"]


@pytest.mark.slow
def test_another_seed_is_refused_and_named(pulled: Project) -> None:
    params = pulled.root / "params.yaml"
    text = params.read_text()
    params.write_text(text.replace("seed: 0", "seed: 7"))
    try:
        done = pulled.run("zfrepro.adopt", NAME, "--yes")
    finally:
        params.write_text(text)
    assert "is another training: seed is 0 there and 7 now" in done.stdout
    assert len(made(pulled)) == 1


@pytest.mark.slow
def test_a_damaged_run_is_not_accepted(pulled: Project) -> None:
    (old,) = made(pulled)
    weights = old / "weights.pt"
    whole = weights.read_bytes()
    try:
        weights.write_bytes(whole[:-1])
        done = pulled.run("zfrepro.adopt", NAME, "--yes")
    finally:
        weights.write_bytes(whole)
    assert done.returncode == 1
    assert "weights.pt is damaged" in done.stderr
    assert made(pulled) == [old]


class Images:
    left_out: ClassVar[dict[str, Any]] = {"train": np.array([3, 5])}


TRAINING = {"lr": 0.01, "precision": "auto", "start": None}


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A run's recipe and configuration."""
    recipe = {
        "fingerprint": "old", "precision": "32-true", "data": {"digest": "d"},
        "left_out": {"train": 2}, "git_revision": None,
    }  # fmt: skip
    made = {"seed": 0, "crop": 56, "model": {"width": 1}, "training": TRAINING}
    files.write_json(tmp_path / "run.json", recipe)
    (tmp_path / "config.yaml").write_text(config.to_yaml(made))
    return tmp_path


def wanted(**changes: Any) -> Run:
    made = {"seed": 0, "crop": 56, "model": {"width": 1}, "training": TRAINING} | changes
    training = {**made["training"], "precision": changes.get("precision", "32-true")}
    parts = {**made, "training": training, "data": changes.get("data", "d")}
    return Run(made, Images(), "new", None, parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"crop": 60}, "crop is 56 there and 60 now"),
        ({"data": "e"}, "data is d there and e now"),
        ({"precision": "bf16-mixed"}, "training.precision is 32-true there and bf16-mixed now"),
        ({"model": {"width": 1, "bias": 0}}, "model.bias is absent there and 0 now"),
        ({"training": {**TRAINING, "lr": 1}}, "training.lr is 0.01 there and 1 now"),
        ({"training": {**TRAINING, "start": "a"}}, "training.start is None there and a now"),
    ],
)
def test_what_differs_is_named(finished: Path, changes: dict[str, Any], expected: str) -> None:
    assert differences(wanted(**changes), finished) == [expected]


def test_which_images_were_left_out_has_to_be_known(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (reason,) = differences(wanted(), finished)
    assert "left_out.train" in reason
    for then, accepted in ((("old", {}), True), (("other", {}), False), (None, False)):
        monkeypatch.setattr(adopt, "_by_code_of", lambda *_, then=then: then)
        assert (differences(wanted(), finished) == []) == accepted
    monkeypatch.setattr(Images, "left_out", {"train": np.array([3])})
    assert differences(wanted(), finished) == ["left_out.train is 2 there and 1 now"]


@pytest.mark.parametrize(("changed", "said"), [([CHANGED], CHANGED), (None, "not known")])
def test_the_page_says_so(tmp_path: Path, changed: list[str] | None, said: str) -> None:
    recipe = {"adopted_from": {"fingerprint": "old", "changed": changed}}
    facts = dict(of_network(Results(tmp_path), results.Run("a", recipe, "", 1)).facts)
    assert facts["adopted"] == f"trained as run old, by other code; files changed since: {said}"
    own = of_network(Results(tmp_path), results.Run("a", {}, "", 1))
    assert "adopted" not in dict(own.facts)


def test_what_an_old_recipe_does_not_say_is_a_difference(finished: Path) -> None:
    recipe = json.loads((finished / "run.json").read_text())
    for name in ("precision", "data", "left_out"):
        del recipe[name]
    files.write_json(finished / "run.json", recipe)
    assert differences(wanted(), finished) == [
        "training.precision is absent there and 32-true now",
        "data is absent there and d now",
        "left_out is absent there and {'train': 2} now",
    ]
