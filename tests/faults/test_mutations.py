"""Every file that the project writes, damaged: never are other numbers taken for the right ones."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from mutations import damaged, outcome

from tests import run_folders
from tests.interp import test_top_activations as few
from zfrepro import config, files, predicted, runs
from zfrepro.cost.images import stand_in
from zfrepro.data import excluded, overlap, prepare
from zfrepro.data.store import PreparedSet
from zfrepro.elements.transfer import folds
from zfrepro.interp import top_activations
from zfrepro.interp.chain import Chain
from zfrepro.models.convnet import build
from zfrepro.training import archive, checkpoints
from zfrepro.training.trained import Trained, centred, load
from zfrepro.transfer import features

if TYPE_CHECKING:
    from conftest import Faults

DATA = {"image_size": 32, "filter": "bicubic", "jpeg_quality": 90}


def digest(*parts: Any) -> str:
    """Of arrays, tensors and plain values."""
    found = hashlib.sha256()
    for part in parts:
        plain = part.detach().numpy() if isinstance(part, torch.Tensor) else part
        found.update(plain.tobytes() if isinstance(plain, np.ndarray) else repr(plain).encode())
    return found.hexdigest()


def throw(
    faults: "Faults", row: str, path: Path, read: Callable[[], object],
    right: Sequence[object] | None = None, every: int = 1,
) -> None:  # fmt: skip
    """Damages `path` in all ways, of which `read` may give nothing but what is `right`.

    Args:
        every: 3 for a third of them, where `read` takes long.
    """
    expected = [read()] if right is None else right
    whole = path.read_bytes()
    for content in list(damaged(whole))[::every]:
        path.write_bytes(content)
        faults.count(row, *outcome(path, read, expected))
    path.write_bytes(whole)


def test_weights(faults: "Faults", tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    run_folders.save_weights(path)

    def read() -> str:
        found = load(path)
        return digest(*found.net.state_dict().values(), found.mean, found.classes, found.crop)

    throw(faults, "weights.pt, damaged", path, read)


def test_the_newest_checkpoint(faults: "Faults", tmp_path: Path) -> None:
    """The epoch before is as good: training ends with the same weights."""
    for epoch in (1, 2):
        state = dict.fromkeys(checkpoints.NEEDED, epoch) | {"state_dict": torch.rand(3000)}
        archive.save(state, tmp_path / f"epoch-{epoch:05}.ckpt")

    def read() -> str:
        path = checkpoints.newest(tmp_path)
        assert path is not None
        state = torch.load(path, weights_only=True)
        return digest(*(state[key] for key in sorted(state)))

    last = tmp_path / "epoch-00002.ckpt"
    right = [read()]
    whole = last.read_bytes()
    last.unlink()
    right.append(read())
    last.write_bytes(whole)
    throw(faults, "the newest checkpoint, damaged", last, read, right)


def test_a_snapshot(faults: "Faults", tmp_path: Path) -> None:
    net = run_folders.save_weights(tmp_path / "weights.pt")
    checkpoints.snapshot(net, tmp_path, 1)
    path = tmp_path / "snapshots" / "epoch-00001.pt"
    throw(faults, "a snapshot, damaged", path, lambda: digest(*archive.read(path).values()))


@pytest.mark.parametrize("name", ["run.json", "metrics.json", "epochs.csv", "SHA256SUMS"])
def test_a_finished_run(faults: "Faults", tmp_path: Path, name: str) -> None:
    folder = run_folders.write_run(tmp_path / "run", run_folders.run_config({}))
    files.write_sums(folder, [path.name for path in folder.iterdir()])
    path = folder / name

    def read() -> bytes:
        runs.check_whole(folder)
        return path.read_bytes()

    throw(faults, f"a finished run's {name}, damaged", path, read)
    (folder / "weights.pt").unlink()
    faults.count("a finished run without its weights", *outcome(folder / "weights.pt", read, []))


def whole_set(folder: Path) -> str:
    prepared = PreparedSet.open(folder)
    parts: list[Any] = [prepared.mean, prepared.classes, prepared.manifest["config"]]
    for name in ("train", "val"):
        split = prepared.split(name)
        parts += [split.read(np.arange(len(split))), split.labels, split.paths]
    return digest(*parts)


@pytest.mark.parametrize(
    ("storage", "name"),
    [
        ("uint8", "manifest.json"), ("uint8", "train.npy"), ("uint8", "mean.npy"),
        ("uint8", "train.parquet"), ("jpeg", "train.jpegs"),
    ],
)  # fmt: skip
def test_prepared_images(faults: "Faults", tmp_path: Path, storage: str, name: str) -> None:
    stand_in({**DATA, "storage": storage}, tmp_path, train=12, val=4)
    row = f"prepared images' {name}, damaged"
    throw(faults, row, tmp_path / name, lambda: whole_set(tmp_path))


def test_an_unfinished_preparation(
    faults: "Faults", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed once all shards are made; a damaged one is made again."""
    stand_in({**DATA, "storage": "uint8"}, tmp_path / "whole", train=12, val=4)
    right = whole_set(tmp_path / "whole")
    killed = tmp_path / "killed"
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "merge", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            stand_in({**DATA, "storage": "uint8"}, killed, train=12, val=4)
    kept = {path: path.read_bytes() for path in killed.rglob("*") if path.is_file()}

    def read() -> str:
        stand_in({**DATA, "storage": "uint8"}, killed, train=12, val=4)
        return whole_set(killed)

    for name in ("train-000000.parquet.gz", "train-000000.sums.gz", "plan.json"):
        for content in list(damaged(kept[killed / "shards" / name]))[::6]:
            (killed / "manifest.json").unlink(missing_ok=True)
            for path, whole in kept.items():
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(whole)
            path = killed / "shards" / name
            path.write_bytes(content)
            named = killed if name == "plan.json" else path
            faults.count("an unfinished preparation, damaged", *outcome(named, read, [right]))


def test_what_figures_keep(faults: "Faults", tmp_path: Path) -> None:
    chain, path = Chain(few.net()), tmp_path / "000000000.parquet.gz"

    def read() -> str:
        found = top_activations.collect(
            chain, few.LAYERS, 20, few.pixels, tmp_path, batch=10, part=10
        )
        return digest(found.to_csv())

    read()
    throw(faults, "strongest activations, damaged", path, read, every=3)


def test_a_fold(faults: "Faults", tmp_path: Path) -> None:
    fold: Any = SimpleNamespace(images_per_class=15, number=3)

    def read() -> object:
        return folds.kept(tmp_path, "fc7-softmax", fold, lambda _: {"accuracy": 0.71875})

    read()
    throw(faults, "a fold's accuracy, damaged", tmp_path / "fc7-softmax-15-3.json.gz", read)


def test_thumbnails(faults: "Faults", tmp_path: Path) -> None:
    prepared = stand_in({**DATA, "storage": "uint8"}, tmp_path / "set", train=12, val=4)

    def read() -> str:
        paths = overlap.collect(prepared, "train", tmp_path, progress=False)
        return digest(*map(overlap.read, paths))

    read()
    throw(faults, "thumbnails, damaged", tmp_path / "train-00000.gz", read)


def network(prepared: PreparedSet) -> Trained:
    net = build(**run_folders.MODEL, classes=len(prepared.classes), crop=28, seed=0)
    classes = list(prepared.classes)
    return Trained(net.eval(), torch.from_numpy(prepared.mean), 32, 28, classes, "bicubic")


def test_features(faults: "Faults", tmp_path: Path) -> None:
    prepared = stand_in({**DATA, "storage": "uint8"}, tmp_path / "set", train=12, val=4)
    trained, split = network(prepared), prepared.split("train")

    def read() -> str:
        made = features.extract(
            Chain(trained.net), ["conv1"], len(split),
            lambda numbers: centred(trained, split.read(numbers, crop=28)), tmp_path,
        )  # fmt: skip
        return digest(np.load(made["conv1"]))

    read()
    throw(faults, "features, damaged", tmp_path / "conv1.npy", read, every=3)


def test_predictions(faults: "Faults", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "CHECKPOINTS", tmp_path)
    prepared = stand_in({**DATA, "storage": "uint8"}, tmp_path / "set", train=12, val=4)
    path = predicted.folder_of("run", prepared.manifest["digest"]) / "val_ten.parquet"

    def read() -> bytes:
        predicted.evaluated(network(prepared), "run", prepared, "net")
        return path.read_bytes()

    read()
    throw(faults, "predictions, damaged", path, read, every=3)


def test_the_list_of_excluded_images(faults: "Faults", tmp_path: Path) -> None:
    path, row = tmp_path / "excluded.parquet", "the list of excluded images, damaged"
    numbers = np.array([3, 14, 159, 2653])
    excluded.write(path, numbers, [f"n01/{n}.jpg" for n in numbers], "d" * 64)
    throw(faults, row, path, lambda: digest(excluded.read(path, "d" * 64)))
