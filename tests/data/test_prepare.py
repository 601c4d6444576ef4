"""From a source to a prepared set: pixels, index, mean, manifest, and what goes wrong."""

import hashlib
import json
import logging
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from pictures import encoded, jpeg, photograph, small_tree, write_tree
from PIL import Image

from zfrepro.data import shards
from zfrepro.data.decode import decode, fit
from zfrepro.data.listing import LARGEST, ArrayListing, Source
from zfrepro.data.prepare import STAMP, PreparationError, names_of, prepare
from zfrepro.data.sources.folder import read_folder
from zfrepro.data.store import PreparedSet, seal

SETTINGS = {"image_size": 32, "filter": "bilinear", "storage": "uint8", "jpeg_quality": 90}


def make(root, work, **changes):
    source = read_folder(root, val_share=0.2, split_seed=0)
    settings = {**SETTINGS, "workers": 1, "fingerprint": "f", "progress": False, **changes}
    return prepare(source, work, **settings)


def expected_pixels(path):
    return np.asarray(fit(decode(path.read_bytes()).image, 32, "bilinear"))


def snapshot(folder):
    """Digest of every file, by its path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_pixels_index_and_mean(tmp_path):
    tree = small_tree(tmp_path / "tree", train=3, val=2)
    manifest = make(tree, tmp_path / "work")
    train = np.load(tmp_path / "work" / "train.npy")
    index = pd.read_parquet(tmp_path / "work" / "train.parquet")
    assert list(index.path) == [f"train/{c}/{i:04d}.jpg" for c in ("cat", "dog") for i in range(3)]
    assert list(index.label) == [0, 0, 0, 1, 1, 1]
    assert list(zip(index.width, index.height, strict=True))[:3] == [(60, 50), (61, 51), (62, 52)]
    assert set(index["mode"]) == {"RGB"}
    assert set(index.format) == {"JPEG"}
    assert index.reason.isna().all()
    assert list(index.bytes) == [(tree / path).stat().st_size for path in index.path]
    expected = np.stack([expected_pixels(tree / path) for path in index.path])
    np.testing.assert_array_equal(train, expected)
    mean = np.load(tmp_path / "work" / "mean.npy")
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean, expected.astype(np.float64).mean(axis=0), atol=1e-5)
    assert manifest["splits"]["val"]["images"] == 4
    assert manifest["mean_sha256"] == hashlib.sha256(mean.tobytes()).hexdigest()
    assert manifest["classes"][1] == {"id": "dog", "name": "dog"}
    assert json.loads((tmp_path / "work" / "manifest.json").read_text()) == manifest
    names = set(names_of(manifest, tmp_path / "work"))
    assert {path.name for path in (tmp_path / "work").iterdir()} == {*names, STAMP}


def test_any_number_of_workers_makes_the_same_files(tmp_path):
    tree = small_tree(tmp_path / "tree", train=40, val=20)  # three shards and two
    one = make(tree, tmp_path / "one", workers=1)
    two = make(tree, tmp_path / "two", workers=2)
    assert one == two
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")
    split = PreparedSet.open(tmp_path / "two").split("train")
    np.testing.assert_array_equal(split[79], expected_pixels(tree / split.paths[79]))


def test_packed_jpegs(tmp_path):
    tree = small_tree(tmp_path / "tree", train=40, val=2)
    (tree / "train/cat/0001.jpg").write_bytes(b"")
    manifest = make(tree, tmp_path / "work", storage="jpeg", max_bad_share=0.1)
    index = pd.read_parquet(tmp_path / "work" / "train.parquet")
    packed = (tmp_path / "work" / "train.jpegs").read_bytes()
    assert manifest["storage"] == "jpeg"
    assert len(packed) == index.length.sum()
    assert list(index.offset[1:]) == list(index.length.cumsum()[:-1])  # across shards
    assert index.length[1] == 0
    last = index.iloc[-1]
    image = Image.open(tmp_path / "work" / "train.jpegs")
    assert image.size == (32, 32)
    stored = np.asarray(decode(packed[last.offset : last.offset + last.length]).image)
    assert np.abs(stored - expected_pixels(tree / last.path).astype(int)).mean() < 4
    exact = make(tree, tmp_path / "exact", max_bad_share=0.1)
    assert manifest["mean_sha256"] == exact["mean_sha256"]  # of the pixels before compression


def test_bad_files_keep_their_row_and_are_skipped(tmp_path):
    tree = small_tree(tmp_path / "tree", train=20, val=2)
    bad = {
        "train/cat/0000.jpg": (b"", "zero bytes"),
        "train/cat/0005.jpg": (b"GIF? no", "not an image"),
        "train/dog/0019.jpg": (jpeg(1, 300, 300)[:5000], "truncated: "),
    }
    write_tree(tree, {path: content for path, (content, _) in bad.items()})
    manifest = make(tree, tmp_path / "work", max_bad_share=0.1)
    index = pd.read_parquet(tmp_path / "work" / "train.parquet").set_index("path")
    assert list(index[index.reason.notna()].index) == list(bad)
    for path, (_, reason) in bad.items():
        assert index.reason[path].startswith(reason)
    train = np.load(tmp_path / "work" / "train.npy")
    good = index.reason.isna().to_numpy()
    assert not train[~good].any()
    assert train[good].any(axis=(1, 2, 3)).all()
    assert manifest["splits"]["train"] == {
        **manifest["splits"]["train"],
        "images": 37,
        "skipped": 3,
    }
    expected = train[good].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(np.load(tmp_path / "work" / "mean.npy"), expected, atol=1e-5)


def test_too_many_bad_files_fail_and_are_listed(tmp_path):
    tree = small_tree(tmp_path / "tree", train=20, val=2)
    for i in range(3):
        (tree / f"train/dog/{i:04d}.jpg").write_bytes(b"")
    with pytest.raises(PreparationError) as error:
        make(tree, tmp_path / "work", max_bad_share=0.05)
    message = str(error.value)
    assert "3 of 44 files" in message
    assert "data.max_bad_share=0.05" in message
    assert "train/dog/0002.jpg: zero bytes" in message
    assert str(tmp_path / "work" / "train.parquet") in message
    assert not (tmp_path / "work" / "manifest.json").exists()
    # a larger share goes on from there
    assert list((tmp_path / "work" / "shards").glob("train-*.parquet.gz"))
    make(tree, tmp_path / "work", max_bad_share=0.1)
    assert (tmp_path / "work" / "manifest.json").exists()


def test_many_bad_files_are_counted_not_printed(tmp_path):
    tree = small_tree(tmp_path / "tree", train=40, val=2)
    for i in range(40):
        (tree / f"train/dog/{i:04d}.jpg").write_bytes(b"")
    with pytest.raises(PreparationError, match=r"and 20 more$") as error:
        make(tree, tmp_path / "work")
    assert str(error.value).count("zero bytes") == 20


def test_duplicates_are_marked(tmp_path):
    tree = small_tree(tmp_path / "tree", train=40, val=2)
    shutil.copy(tree / "train/cat/0003.jpg", tree / "train/dog/0030.jpg")  # in another shard
    shutil.copy(tree / "train/cat/0003.jpg", tree / "train/cat/0004.jpg")
    for name in ("0010", "0011"):  # empty files are equal, and are no duplicates
        (tree / f"train/cat/{name}.jpg").write_bytes(b"")
    manifest = make(tree, tmp_path / "work", max_bad_share=0.1)
    index = pd.read_parquet(tmp_path / "work" / "train.parquet")
    marked = index[index.duplicate_of.notna()]
    assert dict(zip(marked.path, marked.duplicate_of, strict=True)) == {
        "train/cat/0004.jpg": 3,
        "train/dog/0030.jpg": 3,
    }
    assert manifest["splits"]["train"]["duplicates"] == 2
    assert manifest["splits"]["train"]["images"] == 78  # they stay in


def test_a_class_without_a_good_image_is_named(tmp_path, caplog):
    tree = small_tree(tmp_path / "tree", train=2, val=2)
    for i in range(2):
        (tree / f"train/dog/{i:04d}.jpg").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        make(tree, tmp_path / "work", max_bad_share=0.5)
    assert "class dog has no good image in train" in caplog.text


def test_an_unreadable_file_is_a_bad_file(tmp_path):
    tree = small_tree(tmp_path / "tree", train=20, val=2)
    source = read_folder(tree, val_share=0.2, split_seed=0)
    (tree / "train/cat/0007.jpg").unlink()
    settings = {**SETTINGS, "workers": 1, "max_bad_share": 0.1, "progress": False}
    prepare(source, tmp_path / "work", **settings)
    index = pd.read_parquet(tmp_path / "work" / "train.parquet")
    assert index.reason[7] == "unreadable: No such file or directory"


def test_names_in_any_alphabet_reach_index_and_preview(tmp_path):
    names = ["猫", "кошка", "γάτα", "قط"]
    files = {
        f"{split}/{c}/фото 1.jpg": jpeg(i)
        for split in ("train", "val")
        for i, c in enumerate(names)
    }
    tree = write_tree(tmp_path / "tree", files)
    with open(os.fsencode(tree / "train" / "猫") + b"/\xff.jpg", "wb") as file:  # noqa: PTH123
        file.write(jpeg(9))
    make(tree, tmp_path / "work")
    index = pd.read_parquet(tmp_path / "work" / "train.parquet")
    assert "train/кошка/фото 1.jpg" in set(index.path)
    assert "train/猫/\\xff.jpg" in set(index.path)
    assert Image.open(tmp_path / "work" / "preview.png").size[1] > 100


def test_arrays_are_prepared_like_files(tmp_path):
    grey = np.stack([np.asarray(photograph(i, 28, 28).convert("L")) for i in range(4)])
    listings = {
        split: ArrayListing([f"{split}/{i}" for i in range(4)], np.array([0, 1, 0, 1]), grey)
        for split in ("train", "val")
    }
    source = Source("arrays", (("0", "a"), ("1", "b")), listings)
    prepare(source, tmp_path / "work", **SETTINGS, workers=2, progress=False)
    train = np.load(tmp_path / "work" / "train.npy")
    expected = Image.fromarray(grey[2]).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(train[2], np.asarray(expected))
    assert list(pd.read_parquet(tmp_path / "work" / "train.parquet")["mode"]) == ["L"] * 4


def test_annotations_come_along(tmp_path):
    tree = small_tree(tmp_path / "tree")
    write_tree(tmp_path / "truth", {"train.parquet": b"boxes", "n01440764/a.xml": b"one of many"})
    found = read_folder(tree, val_share=0.2, split_seed=0)
    source = Source("world", found.classes, found.splits, annotations=tmp_path / "truth")
    manifest = prepare(source, tmp_path / "work", **SETTINGS, workers=1, progress=False)
    copied = [path.name for path in (tmp_path / "work/annotations").iterdir()]
    assert copied == ["train.parquet"]
    assert "annotations" in names_of(manifest, tmp_path / "work")


def test_the_digest_is_that_of_the_data(tmp_path):
    tree = small_tree(tmp_path / "tree")
    first = make(tree, tmp_path / "a", config={"root": "here"})
    moved = make(
        shutil.copytree(tree, tmp_path / "moved"), tmp_path / "b", config={"root": "there"}
    )
    assert moved["digest"] == first["digest"]
    assert moved["config"] == {"root": "there"}
    photograph(77).save(tree / "train/cat/0000.jpg")
    assert make(tree, tmp_path / "c")["digest"] != first["digest"]
    assert make(tree, tmp_path / "d", image_size=24)["digest"] != first["digest"]


def test_a_finished_preparation_returns_at_once(tmp_path, monkeypatch):
    tree = small_tree(tmp_path / "tree")
    manifest = make(tree, tmp_path / "work")
    before = snapshot(tmp_path / "work")
    monkeypatch.setattr(shards, "make_shard", None)
    assert make(tree, tmp_path / "work") == manifest
    assert snapshot(tmp_path / "work") == before


@pytest.mark.parametrize("finished", [True, False])
def test_changed_images_of_the_same_names_and_sizes_are_seen(tmp_path, finished, caplog):
    bitmaps = {
        f"{split}/{c}/{i}.bmp": encoded(photograph(i), "BMP")
        for split in ("train", "val")
        for c in "ab"
        for i in range(2)
    }
    tree = write_tree(tmp_path / "tree", bitmaps)
    first = make(tree, tmp_path / "work")
    if not finished:  # killed before its end
        (tmp_path / "work" / "manifest.json").unlink()
    path = tree / "train/b/1.bmp"
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(encoded(photograph(7), "BMP"))
    os.utime(path, ns=times)  # as `cp -p` and unzipping set them
    assert make(tree, tmp_path / "work")["digest"] != first["digest"]
    assert "images have changed since" in caplog.text
    pixels = PreparedSet.open(tmp_path / "work").split("train")[3]
    np.testing.assert_array_equal(pixels, expected_pixels(path))


def test_a_touched_image_changes_nothing(tmp_path):
    tree = small_tree(tmp_path / "tree")
    make(tree, tmp_path / "work")
    before = snapshot(tmp_path / "work")
    (tree / "train/cat/0000.jpg").touch()
    make(tree, tmp_path / "work")
    after = snapshot(tmp_path / "work")
    assert {name for name in after if after[name] != before[name]} == {STAMP}


def test_images_of_the_same_contents_keep_what_was_made(tmp_path, monkeypatch, caplog):
    tree = small_tree(tmp_path / "tree")
    (tree / "train/cat/0000.jpg").write_bytes(b"")
    (tree / "train/dog/0000.jpg").unlink()
    (tree / "train/dog/0000.jpg").symlink_to("/nowhere")
    manifest = make(tree, tmp_path / "work", max_bad_share=0.5)
    before = (tmp_path / "work" / STAMP).read_text()
    monkeypatch.setattr(shards, "make_shard", None)
    monkeypatch.setattr(shards, "decode", None)
    for path in tree.rglob("*.jpg"):
        if path.is_file():
            path.chmod(0o600)  # another time of the inode
    assert make(tree, tmp_path / "work", max_bad_share=0.5) == manifest
    after = (tmp_path / "work" / STAMP).read_text()
    assert after != before
    copy = shutil.copytree(tree, tmp_path / "copy", symlinks=True)
    assert make(copy, tmp_path / "work", max_bad_share=0.5) == manifest
    assert (tmp_path / "work" / STAMP).read_text() not in (before, after)
    assert "have changed" not in caplog.text


def test_what_is_no_file_is_a_bad_file(tmp_path):
    tree = small_tree(tmp_path / "tree", train=20, val=2)
    for name in ("0001", "0002"):
        (tree / f"train/cat/{name}.jpg").unlink()
    os.mkfifo(tree / "train/cat/0001.jpg")  # whose reader would wait for a writer
    (tree / "train/cat/0002.jpg").symlink_to("/nowhere")
    os.truncate(tree / "train/cat/0003.jpg", LARGEST + 1)
    make(tree, tmp_path / "work", max_bad_share=0.1)
    index = pd.read_parquet(tmp_path / "work" / "train.parquet")
    assert index.reason[1] == "unreadable: no regular file"
    assert index.reason[3] == "unreadable: 536,870,913 bytes, of 536,870,912 at most"
    assert index.reason[2] == "unreadable: No such file or directory"


def test_finished_work_serves_another_root_and_limit(tmp_path):
    tree = small_tree(tmp_path / "tree")
    (tree / "train/cat/0000.jpg").write_bytes(b"")
    first = make(tree, tmp_path / "work", max_bad_share=0.5, config={"root": "here"})
    again = make(tree, tmp_path / "work", max_bad_share=0.4, config={"root": "there"})
    moved = {**first, "config": {"root": "there"}}
    assert again == moved | {"seal": seal(moved)}
    assert json.loads((tmp_path / "work" / "manifest.json").read_text()) == again
    with pytest.raises(PreparationError, match=r"1 of 10 files.*\n  train/cat/0000\.jpg: zero"):
        make(tree, tmp_path / "work", max_bad_share=0.01)


def test_a_set_without_a_good_training_image_fails(tmp_path):
    files = {"train/a/1.jpg": b"", "train/b/1.jpg": b"", "val/a/1.jpg": jpeg(0)}
    tree = write_tree(tmp_path / "tree", files)
    with pytest.raises(PreparationError, match=r"2 of 3 files .* all images of train"):
        make(tree, tmp_path / "work", max_bad_share=1.0)


def test_another_preparations_folder_is_refused(tmp_path):
    tree = small_tree(tmp_path / "tree")
    make(tree, tmp_path / "work", fingerprint="one")
    with pytest.raises(PreparationError, match=r"holds preparation 'one', not 'two'"):
        make(tree, tmp_path / "work", fingerprint="two")
    with pytest.raises(PreparationError):
        make(tree, tmp_path / "half", fingerprint="one", max_bad_share=-1)
    with pytest.raises(PreparationError, match="another, unfinished preparation"):
        make(tree, tmp_path / "half", fingerprint="one", image_size=24)


@pytest.mark.parametrize(("key", "value"), [("filter", "nearest"), ("storage", "png")])
def test_an_unknown_choice_names_the_known(tmp_path, key, value):
    with pytest.raises(
        PreparationError, match=f"data.{key} is '{value}'; it can be .*(uint8|bilinear)"
    ):
        make(small_tree(tmp_path / "tree"), tmp_path / "work", **{key: value})


def test_a_full_disk_is_seen_beforehand(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(PreparationError, match=r"data\.storage=jpeg"):
        make(small_tree(tmp_path / "tree"), tmp_path / "work")


@pytest.mark.parametrize("images", [1, 31, 32, 33, 2048, 5000, 70_000, 1_281_167])
def test_shards_cover_each_image_once(images):
    cut = shards.cut("train", images)
    assert [shard.start for shard in cut[1:]] == [shard.stop for shard in cut[:-1]]
    assert (cut[0].start, cut[-1].stop) == (0, images)
    assert max(map(len, cut)) <= 1024
