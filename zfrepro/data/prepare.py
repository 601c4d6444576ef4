"""Preparation: raw images of any kind to one array a split, an index, and the mean image.

Section 3 of the paper: the shorter side is resized to 256 (here `image_size`), the centre square
is kept, and the mean image over the training set (the first split) is taken per pixel.

The work is cut into shards that several processes decode (`shards.py`). Memory does not grow with
the number of images but for a few bytes of listing each; a killed preparation goes on from its
last whole shard and ends with the same manifest, byte for byte.
"""

import hashlib
import io
import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import islice, starmap
from operator import ne
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm import tqdm

from zfrepro.data import shards
from zfrepro.data.decode import FILTERS
from zfrepro.data.index import Merged, bad_files, good_rows, merge
from zfrepro.data.listing import Listing, Source
from zfrepro.data.shards import Recipe, Shard
from zfrepro.data.store import PreparedSet, StoreError, seal
from zfrepro.files import (
    LOCK_NAME,
    atomic_path,
    atomic_write,
    digests,
    sync,
    to_json,
    write_json,
)  # fmt: skip
from zfrepro.workers import worker_processes

MANIFEST = "manifest.json"
OBJECTS = "objects.parquet"
ANNOTATIONS = "annotations"
STAMP = "stamp"  # of the source's files, as they were prepared
STORAGES = ("uint8", "jpeg")
LISTED = 20  # bad images named in the error

log = logging.getLogger(__name__)

Manifest = dict[str, Any]


class PreparationError(ValueError):
    """Images that cannot be prepared as asked; the message lists what is wrong."""


def prepare(
    source: Source,
    work: Path,
    *,
    image_size: int,
    filter: str,
    storage: str,
    jpeg_quality: int,
    workers: int,
    max_bad_share: float = 0.001,
    fingerprint: str = "",
    config: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> Manifest:
    """Prepares `source` in the folder `work`, or returns at once where that has been done.

    What was made of files that have been changed since is made anew.

    Args:
        fingerprint: names the preparation; what `work` holds of another one is refused.
        config: what the manifest records as the configuration that asked for it.
        workers: decoding processes; 0 or 1 decodes in this one.
        max_bad_share: files without pixels that are skipped, as a share of all.

    Returns:
        The manifest, which also stands in `work`. `names_of` tells which files are the result.

    Raises:
        PreparationError: an unknown filter or storage, too many bad files, no room on the disk, or
            a `work` that holds another preparation.
    """
    _check_choices(filter=(filter, FILTERS), storage=(storage, STORAGES))
    recipe = Recipe(image_size, filter, storage, jpeg_quality)
    _sweep(work)
    _forget_changed(work, source)
    if (work / MANIFEST).is_file():
        return _finished(work, fingerprint, max_bad_share, config or {})
    _begin(work, source, recipe, fingerprint)
    _make_shards(work, source, recipe, workers, progress)
    splits = {
        split: merge(work, split, len(files), len(source.classes))
        for split, files in source.splits.items()
    }
    _check_bad(work, {split: merged.summary() for split, merged in splits.items()}, max_bad_share)
    _warn_of_empty_classes(source, splits[source.first_split])
    if storage == "jpeg":
        for split, files in source.splits.items():
            _pack(work, split, len(files))
    mean = _mean_image(work, source, image_size, splits[source.first_split].images)
    _copy_annotations(source, work)
    _write_objects(source, work)
    manifest = {
        "fingerprint": fingerprint,
        **_manifest(source, recipe, splits, mean),
        "config": dict(config or {}),
    }
    from zfrepro.data import preview  # noqa: PLC0415  workers, who import this too, draw nothing

    preview.write(work, manifest)
    tables = [path.relative_to(work).as_posix() for path in work.rglob("*.parquet")]
    manifest = _write(work, {**manifest, "files": digests(work, ["mean.npy", *tables])})
    sync(work)
    shutil.rmtree(work / shards.FOLDER)
    return manifest


def names_of(manifest: Manifest, work: Path) -> list[str]:
    """Files and folders of `work` that make up the prepared set."""
    suffix = "npy" if manifest["storage"] == "uint8" else "jpegs"
    of_splits = [f"{split}.{kind}" for split in manifest["splits"] for kind in (suffix, "parquet")]
    names = [MANIFEST, *of_splits, "mean.npy", "preview.png"]
    return names + [name for name in (OBJECTS, ANNOTATIONS) if (work / name).exists()]


def _check_choices(**choices: tuple[str, Any]) -> None:
    for key, (value, known) in choices.items():
        if value not in known:
            raise PreparationError(f"data.{key} is {value!r}; it can be {', '.join(known)}")


def _sweep(work: Path) -> None:
    """Removes what writes left that a kill cut off."""
    for folder in (work, work / shards.FOLDER):
        for partial in folder.glob(".*.part"):
            partial.unlink()


def _forget_changed(work: Path, source: Source) -> None:
    """Removes what was made of other files of the same names and sizes."""
    noted, stamp = work / STAMP, source.stamp()
    if noted.is_file() and noted.read_text(encoding="utf-8") == stamp:
        return
    if noted.is_file() and not _made_of(work, source):
        log.warning("images have changed since they were prepared: they are prepared anew")
        for path in work.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in (LOCK_NAME, STAMP):
                path.unlink()
    atomic_write(noted, stamp)


def _made_of(work: Path, source: Source) -> bool:
    """Whether `work` is finished, and of files with these contents: a copy, or with other rights.

    Reads all files but decodes none; ends at the first that differs.
    """
    try:
        PreparedSet.open(work)
    except StoreError:
        return False
    log.info("images were touched or copied since they were prepared: their contents are compared")
    for split, files in source.splits.items():
        known = pq.read_table(work / f"{split}.parquet", columns=["content"])["content"]
        found = (_content_of(files, i) for i in range(len(files)))
        if len(known) != len(files) or any(map(ne, (each.as_py() for each in known), found)):
            return False
    return True


def _content_of(files: Listing, i: int) -> str | None:
    """As the index has it: None of a file that cannot be read."""
    try:
        return shards.content_digest(files.read(i))
    except OSError:
        return None


def _finished(
    work: Path, fingerprint: str, max_bad_share: float, config: Mapping[str, Any]
) -> Manifest:
    """The manifest of finished work, for whoever asks now: from another root, with other limits."""
    manifest: Manifest = json.loads((work / MANIFEST).read_text(encoding="utf-8"))
    if manifest["fingerprint"] != fingerprint:
        raise PreparationError(
            f"{work} holds preparation {manifest['fingerprint']!r}, not {fingerprint!r}: remove it"
        )
    PreparedSet.open(work).check()
    shutil.rmtree(work / shards.FOLDER, ignore_errors=True)  # a kill may have come before that
    _check_bad(work, manifest["splits"], max_bad_share)
    if manifest["config"] == config:
        return manifest
    return _write(work, {**manifest, "config": dict(config)})


def _write(work: Path, manifest: Manifest) -> Manifest:
    """Writes the manifest, sealed so that a change in it is noticed."""
    sealed = {**manifest, "seal": seal(manifest)}
    write_json(work / MANIFEST, sealed)
    return sealed


def _begin(work: Path, source: Source, recipe: Recipe, fingerprint: str) -> None:
    """Makes the shard folder and the arrays that the shards are written into."""
    plan = work / shards.FOLDER / "plan.json"
    mine = {"fingerprint": fingerprint, "recipe": vars(recipe), "source": source.identity()}
    if plan.is_file() and plan.read_bytes() != to_json(mine).encode():
        raise PreparationError(f"{work} holds another, unfinished preparation: remove it")
    if not plan.is_file():
        _check_room(work, source, recipe)
    if recipe.storage == "uint8":
        for split, files in source.splits.items():
            _allocate(shards.array_path(work, split), len(files), recipe.image_size)
    write_json(plan, mine)


def _check_room(work: Path, source: Source, recipe: Recipe) -> None:
    images = sum(len(files) for files in source.splits.values())
    needed = images * recipe.image_size**2 * 3
    work.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(work).free
    if recipe.storage == "uint8" and needed > free:
        raise PreparationError(
            f"{images} images need {tqdm.format_sizeof(needed, 'B')} as uint8, and the disk of "
            f"{work} has {tqdm.format_sizeof(free, 'B')} free: free some, or data.storage=jpeg "
            "needs about a sixth of it"
        )


def _allocate(path: Path, images: int, size: int) -> None:
    if not path.is_file():
        with atomic_path(path) as temporary:
            np.lib.format.open_memmap(temporary, "w+", np.uint8, (images, size, size, 3))


def _make_shards(work: Path, source: Source, recipe: Recipe, workers: int, progress: bool) -> None:
    """Makes the shards that have no record yet."""
    cut = [s for split, files in source.splits.items() for s in shards.cut(split, len(files))]
    missing = [shard for shard in cut if not shards.is_made(work, shard)]
    total, ahead = sum(map(len, cut)), sum(map(len, missing))
    tasks = (
        (work, recipe, shard, source.splits[shard.split].part(shard.start, shard.stop))
        for shard in missing
    )
    with tqdm(
        desc=f"preparing {source.name}", unit="image", total=total, initial=total - ahead,
        disable=None if progress else True,  # None: on a terminal alone
    ) as bar:  # fmt: skip
        for images in _results(tasks, min(workers, len(missing))):
            bar.update(images)


def _results(tasks: Iterator[tuple[Path, Recipe, Shard, Listing]], workers: int) -> Iterator[int]:
    """`make_shard` of each task, in any order; few tasks are in memory at a time."""
    if workers <= 1:
        yield from starmap(shards.make_shard, tasks)
        return
    with worker_processes(workers) as pool:
        waiting: set[Future[int]] = set()
        while True:
            free = 2 * workers - len(waiting)
            waiting |= {pool.submit(shards.make_shard, *task) for task in islice(tasks, free)}
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)


def _check_bad(work: Path, splits: Mapping[str, Mapping[str, Any]], max_bad_share: float) -> None:
    bad = sum(split["skipped"] for split in splits.values())
    images = bad + sum(split["images"] for split in splits.values())
    first, of_first = next(iter(splits.items()))
    if bad <= max_bad_share * images and of_first["images"]:
        return
    indices = [work / f"{split}.parquet" for split in splits]
    listed = [line for index in indices for line in bad_files(index)][:LISTED]
    more = f"\n  and {bad - len(listed)} more" if bad > len(listed) else ""
    allowed = f"more than data.max_bad_share={max_bad_share:g} allows"
    limit = allowed if of_first["images"] else f"among them all images of {first}"
    where = f"{', '.join(map(str, indices))} list them all, with the reason"
    raise PreparationError(
        f"{bad} of {images} files give no pixels, {limit} ({where}):\n  "
        + "\n  ".join(listed)
        + more
    )


def _warn_of_empty_classes(source: Source, first: Merged) -> None:
    for (id_, _), images in zip(source.classes, first.per_class, strict=True):
        if not images:
            log.warning("class %s has no good image in %s", id_, source.first_split)


def _pack(work: Path, split: str, images: int) -> None:
    """The shards' files of JPEGs as one."""
    with atomic_path(work / f"{split}.jpegs") as temporary, temporary.open("wb") as packed:
        for shard in shards.cut(split, images):
            with shards.packed_path(work, shard).open("rb") as part:
                shutil.copyfileobj(part, packed, 1 << 20)


def _mean_image(work: Path, source: Source, size: int, good: int) -> NDArray[np.float32]:
    """float32 (S, S, 3), from exact sums: the order of the shards leaves no trace."""
    first = source.first_split
    total = np.zeros((size, size, 3), dtype=np.int64)
    for shard in shards.cut(first, len(source.splits[first])):
        total += shards.read_sums(work, shard, size)
    mean: NDArray[np.float32] = (total / good).astype(np.float32)
    content = io.BytesIO()
    np.save(content, mean)
    atomic_write(work / "mean.npy", content.getvalue())
    return mean


def _copy_annotations(source: Source, work: Path) -> None:
    """The tables of ground truth; published sets have a million other files beside them."""
    if source.annotations is None:
        return
    partial = work / f"{ANNOTATIONS}.part"
    for folder in (partial, work / ANNOTATIONS):
        shutil.rmtree(folder, ignore_errors=True)
    partial.mkdir()
    if isinstance(source.annotations, Path):
        for file in source.annotations.glob("*.parquet"):
            shutil.copy(file, partial)
    else:
        for split, table in source.annotations.items():
            pq.write_table(table, partial / f"{split}.parquet")
    partial.rename(work / ANNOTATIONS)


def _write_objects(source: Source, work: Path) -> None:
    """`source.objects` by split and number of the good image, a column a class."""
    if source.objects is None:
        return
    tables = []
    for split, shown in source.objects.items():
        good = good_rows(work / f"{split}.parquet")
        columns = {
            "split": pa.array([split] * len(good), pa.string()),
            "image": pa.array(np.arange(len(good))),
            "path": good["path"],
        }
        present = shown[good["row"].to_numpy()]
        columns |= {id_: pa.array(present[:, k]) for k, (id_, _) in enumerate(source.classes)}
        tables.append(pa.table(columns))
    with atomic_path(work / OBJECTS) as temporary:
        pq.write_table(pa.concat_tables(tables), temporary)


def _manifest(
    source: Source, recipe: Recipe, splits: Mapping[str, Merged], mean: NDArray[np.float32]
) -> Manifest:
    """What was made. `digest` covers what training reads, and nothing of where it came from."""
    decides = {
        "image_size": recipe.image_size,
        "storage": recipe.storage,
        "filter": recipe.filter,
        "classes": [{"id": id_, "name": name} for id_, name in source.classes],
        "splits": {split: merged.summary() for split, merged in splits.items()},
        "mean_sha256": hashlib.sha256(mean.tobytes()).hexdigest(),
    }
    if source.objects is not None:
        shown = b"".join(present.tobytes() for present in source.objects.values())
        decides["objects_sha256"] = hashlib.sha256(shown).hexdigest()
    text = json.dumps(decides, sort_keys=True, ensure_ascii=False)
    return {**decides, "digest": hashlib.sha256(text.encode()).hexdigest(), "source": source.name}
