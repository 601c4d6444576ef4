"""Floors: a module imports only from its own floor or a lower one."""

import subprocess
import sys
from pathlib import Path

import pytest

from zfrepro import elements
from zfrepro.fingerprint import PROJECT, _imports, _source

FLOORS = [
    [
        "zfrepro.paper",
        "zfrepro.files",
        "zfrepro.keys",
        "zfrepro.outputs",
        "zfrepro.processes",
        "zfrepro.fingerprint",
        "zfrepro.provenance",
        "zfrepro.seeds",
        "zfrepro.stats",
        "zfrepro.lightning",
        "zfrepro.devices",
        "zfrepro.sharing",
        "zfrepro",
    ],
    ["zfrepro.outcome", "zfrepro.elements"],  # what elements say of themselves
    ["zfrepro.schema", "zfrepro.usage", "zfrepro.results"],
    ["zfrepro.config"],
    ["zfrepro.command"],
    ["zfrepro.data", "zfrepro.models", "zfrepro.render"],
    ["zfrepro.training", "zfrepro.interp"],
    ["zfrepro.inference", "zfrepro.transfer"],
    [
        *(f"zfrepro.elements.{name}" for name in elements.NAMES),
        *(f"zfrepro.elements.{name}" for name in ("context", "errors", "overlap", "transfer")),
    ],
    ["zfrepro.elements.tables"],
    ["zfrepro.claims", "zfrepro.report", "zfrepro.tracking", "zfrepro.serving"],
    [
        "zfrepro.runs",
        "zfrepro.adopt",
        "zfrepro.networks",
        "zfrepro.library",
        "zfrepro.evaluate",
        "zfrepro.predicted",
        "zfrepro.arguments",
        "zfrepro.deconv",
        "zfrepro.strongest",
        "zfrepro.probe",
        "zfrepro.invariance",
        "zfrepro.occlusion",
        "zfrepro.correspondence",
    ],
    ["pipelines"],
    [
        "zfrepro.images",
        "zfrepro.look",
        "zfrepro.train",
        "zfrepro.cost",
        "zfrepro.plan",
    ],  # which look at what the stages do
]
SCIENCE = ("data", "models", "training", "interp", "inference", "transfer")


def modules() -> list[str]:
    paths = [*(PROJECT / "zfrepro").rglob("*.py"), *(PROJECT / "pipelines").rglob("*.py")]
    names = [
        path.relative_to(PROJECT).with_suffix("").as_posix().replace("/", ".") for path in paths
    ]
    return sorted(name.removesuffix(".__init__") for name in names)


def floor(name: str) -> int:
    """The floor whose longest entry is a prefix of `name`."""
    matches = [
        (len(entry), number)
        for number, entries in enumerate(FLOORS)
        for entry in entries
        if name == entry or name.startswith(entry + ".")
    ]
    return max(matches)[1]


def imports(name: str) -> set[str]:
    path = _source(name)
    assert path is not None
    return set(_imports(path, name))


@pytest.mark.parametrize("name", modules())
def test_no_module_imports_upwards(name: str) -> None:
    inside = {other for other in imports(name) if _source(other) and not name.startswith(other)}
    upward = {other for other in inside if floor(other) > floor(name)}
    assert not upward, f"{name} imports from a floor above its own: {sorted(upward)}"


@pytest.mark.parametrize("name", modules())
def test_only_tracking_knows_mlflow_and_few_know_hydra(name: str) -> None:
    outside = {other.split(".")[0] for other in imports(name)}
    if not name.startswith(("zfrepro.tracking", "zfrepro.serving")):
        assert "mlflow" not in outside
    if not name.startswith(("zfrepro.config", "zfrepro.command", "zfrepro.schema")):
        assert not outside & {"hydra", "omegaconf"}


@pytest.mark.parametrize(
    "name", [n for n in modules() if n.startswith(tuple(f"zfrepro.{part}" for part in SCIENCE))]
)
def test_science_reads_no_configuration(name: str) -> None:
    assert "zfrepro.config" not in imports(name)


def test_composing_needs_no_torch() -> None:
    program = "import sys, zfrepro.train, pipelines.resolve; print('torch' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert found.stdout == "False\n"


def test_taking_up_a_finished_training_needs_no_torch(tmp_path: Path) -> None:
    (tmp_path / "f" / "run").mkdir(parents=True)
    (tmp_path / "f" / "run" / "weights.pt").touch()
    program = (
        "import sys; from pathlib import Path; from zfrepro import config, files, runs\n"
        f"config.CHECKPOINTS = Path({str(tmp_path)!r})\n"
        "run = runs.Run({'name': 'a'}, None, 'f'); files.write_sums(run.result, ['weights.pt'])\n"
        "runs.train(run); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_lightning_comes_without_what_no_training_needs() -> None:
    program = (
        "import sys, zfrepro.training.fit; print({'torchvision', 'scipy'} & set(sys.modules)); "
        "import torchvision, scipy.signal, matplotlib.pyplot"  # which are there nonetheless
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert found.stdout == "set()\n"


def test_floors_name_what_exists() -> None:
    missing = {name for names in FLOORS for name in names if _source(name) is None}
    assert not missing
