"""Scores a trained or published network on prepared images: `python -m zfrepro.evaluate NETWORK`.

What has been scored once is kept in `.checkpoints/<fingerprint>/`, so stage `evaluate` of
`dvc repro` computes only what is new.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing import parent_process
from pathlib import Path
from typing import TYPE_CHECKING

from zfrepro import config, files, outputs, processes
from zfrepro.fingerprint import fingerprint
from zfrepro.networks import PREPARED, images_of, weights_of

if TYPE_CHECKING:  # torch takes seconds to import, and `--help` needs none of it
    from zfrepro.data.store import PreparedSet
    from zfrepro.training.trained import Trained


def evaluated(trained: "Trained", run: str, prepared: "PreparedSet", name: str) -> Path:
    """The folder with a run's predictions, `<split>_<view>.parquet`, made unless it is there.

    Args:
        run: its fingerprint.
        name: what the bar says.
    """
    from zfrepro.inference import evaluation

    folder = folder_of(run, prepared.manifest["digest"])
    if not _is_whole(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".predictions-"))
        try:
            evaluation.check_fit(trained, prepared)
            for split, indices in evaluation.splits(prepared):
                wanted = {
                    v: staging / "done" / f"{split.name}_{v}.parquet" for v in evaluation.VIEWS
                }
                # a worker shares the terminal with others
                progress = None if parent_process() else f"{name}, {split.name}"
                evaluation.evaluate(trained, split, indices, wanted, progress=progress)
            for old in folder.parent.glob("predictions-*"):  # of code or images that have changed
                shutil.rmtree(old)
            files.write_sums(staging / "done", [path.name for path in (staging / "done").iterdir()])
            (staging / "done").rename(folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return folder


def _is_whole(folder: Path) -> bool:
    """Whether the predictions in it, if any, are as they were written."""
    try:
        if folder.is_dir():
            files.check_sums(folder)
    except files.DamagedError as error:
        files.log.warning("%s: it is made anew", error)
        return False
    return folder.is_dir()


def folder_of(run: str, data: str) -> Path:
    """Where the predictions of a run belong, whole once the folder is there.

    Args:
        run: its fingerprint.
        data: the digest of the prepared images.
    """
    key = fingerprint({"run": run, "data": data}, ["zfrepro.inference.evaluation"])
    return config.CHECKPOINTS / run / f"predictions-{key}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="zfrepro.evaluate",
        description="Scores a network on prepared images, with 95 % bootstrap intervals.",
        epilog=f"Published networks: {', '.join(config.published_models())}. They know the 1000 "
        "classes of ImageNet. Their package downloads the weights; those of a file are taken "
        "where model.published.weights=FILE follows model=NAME.",
    )
    parser.add_argument(
        "network", nargs="+",
        help="a weights.pt, a run's folder, an experiment that has been trained, or model=NAME "
        "for a published network; of several, their mean error and their ensemble's",
    )  # fmt: skip
    parser.add_argument(
        "--prepared", type=Path, metavar="DIR",
        help="prepared images (those that the network was trained on, if not given)",
    )  # fmt: skip
    parser.add_argument("--split", default="val", help="train, val (default) or another it has")
    parser.add_argument(
        "--sample", action="store_true",
        help="of the split a fixed random sample, as large as val: table 3's train error is of it",
    )  # fmt: skip
    parser.add_argument(
        "--crops", choices=("ten", "centre"), default="ten", help="ten averaged, or one"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="keeps each image's prediction, as Parquet; the ensemble's, of several networks",
    )
    args = parser.parse_intermixed_args()  # model=NAME --crops centre model.published...
    processes.exit_on_signals()
    try:
        print(score(args.network, args.prepared, args.split, args.crops, args.out, args.sample))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {files.reason(error)}")


def score(
    network: Sequence[str],
    prepared: Path | None,
    split: str,
    crops: str,
    out: Path | None,
    sample: bool = False,
) -> str:
    """Top-1 and top-5 error of `network` on a split; of several, their mean and their ensemble's.

    Args:
        network: see `weights_of`; or several trained ones.
        prepared: images; None: those that the (first) network was trained on.
        sample: of the split only as many images as the validation set has, always the same.

    Raises:
        ValueError: the file holds no network of this project, or it does not fit the images; the
            weights of a published one are not to be had; or `out` is a file of the user's own.
        OSError: no such file, or no prepared images there.
    """
    from zfrepro.data.store import PreparedSet
    from zfrepro.inference import predictions
    from zfrepro.models.memory import keep_freed_memory

    keep_freed_memory()
    named = _apart(network)
    if out is not None:
        outputs.check(out, "probabilities", [Path(name) for name in network])
    published = network[0].startswith("model=")  # a long download, perhaps: after the images
    weights = [] if published else [weights_of(words) for words in named]
    images = PreparedSet.open(prepared or (PREPARED if published else images_of(weights[0])))
    weights = weights or [weights_of(network)]
    part = images.split(split)
    size = min(len(part), len(images.split("val"))) if sample else len(part)
    names = " ".join(words[0] for words in named)
    kind = f"{split}, {crops} crop{'s' * (crops == 'ten')}"
    with tempfile.TemporaryDirectory() as scratch:
        paths = [Path(scratch) / f"{number}.parquet" for number in range(len(named))]
        for file, path in zip(weights, paths, strict=True):
            _predict(file, images, split, size, crops, path)
        lines = [f"{names} on {size} images ({kind})", *_errors(paths)]
        if len(paths) > 1:
            predictions.average(paths, together := Path(scratch) / "ensemble.parquet")
            lines += ["their ensemble, probabilities averaged", *_errors([together])]
            paths = [together]
        if out is not None:
            with files.atomic_path(out) as kept:
                shutil.copyfile(paths[0], kept)
    return "\n".join(lines)


def _apart(network: Sequence[str]) -> list[Sequence[str]]:
    """Each network of the command line; a published one and its overrides are one."""
    return [network] if network[0].startswith("model=") else [[name] for name in network]


def _predict(
    weights: Path, images: "PreparedSet", split: str, size: int, crops: str, path: Path
) -> None:
    """Writes a network's predictions on `size` images of a split."""
    from zfrepro.devices import device_of
    from zfrepro.inference import evaluation
    from zfrepro.training.trained import load

    trained, part = load(weights).to(device_of("auto")), images.split(split)
    evaluation.check_fit(trained, images)
    evaluation.evaluate(
        trained, part, evaluation.subset(len(part), size), {crops: path},
        progress=f"{weights.parent.name}, {split}, {crops}",
    )  # fmt: skip


def _errors(paths: Sequence[Path]) -> list[str]:
    """The mean top-1 error of predictions on the same images, and of six classes or more top-5."""
    import numpy as np

    from zfrepro import stats
    from zfrepro.inference import predictions

    lines = []
    for at in (1, 5):
        if not predictions.says_something(paths[0], at):
            continue
        shares = np.mean([predictions.wrong(path, at) for path in paths], axis=0)
        found = stats.bootstrap_shares(shares)
        lines.append(
            f"  top-{at} error {found.mean:6.2f} %   95 % interval "
            f"{found.low:.2f} to {found.high:.2f}"
        )
    if all(map(predictions.knows_nothing, paths)):
        lines.append("  no better than chance: to name the most frequent class is as good")
    return lines


if __name__ == "__main__":
    main()
