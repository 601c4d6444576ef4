"""The store: the same crops from both storages, in any process, and errors that help."""

import json
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from pictures import small_tree
from test_prepare import make

from zfrepro.data import store
from zfrepro.data.store import PreparedSet, StoreError

STORAGES = ("uint8", "jpeg")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A prepared set by storage; the training image in row 2 is bad."""
    root = tmp_path_factory.mktemp("store")
    tree = small_tree(root / "tree", train=20, val=3)
    (tree / "train/cat/0002.jpg").write_bytes(b"")
    for storage in STORAGES:
        make(tree, root / storage, storage=storage, max_bad_share=0.1)
    return {storage: root / storage for storage in STORAGES}


@pytest.fixture
def broken(folders, tmp_path):
    """A copy to break, of a given storage."""

    def copy(storage):
        for file in folders[storage].iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        return tmp_path

    return copy


def test_the_set(folders):
    prepared = PreparedSet.open(folders["uint8"])
    assert prepared.image_size == 32
    assert prepared.classes == (("cat", "cat"), ("dog", "dog"))
    assert prepared.mean.shape == (32, 32, 3)
    assert prepared.mean.dtype == np.float32
    train = prepared.split("train")
    assert len(train) == len(train.labels) == len(train.paths) == 39
    assert train.labels.dtype == np.int64
    assert train.labels.tolist() == [0] * 19 + [1] * 20
    assert train.paths[:3] == ["train/cat/0000.jpg", "train/cat/0001.jpg", "train/cat/0003.jpg"]


def test_bad_rows_are_passed_over(folders):
    rows = np.load(folders["uint8"] / "train.npy")
    train = PreparedSet.open(folders["uint8"]).split("train")
    np.testing.assert_array_equal(train[1], rows[1])
    np.testing.assert_array_equal(train[2], rows[3])
    np.testing.assert_array_equal(train[38], rows[39])


@pytest.mark.parametrize("storage", STORAGES)
def test_crops_are_those_of_the_whole_images(folders, storage):
    train = PreparedSet.open(folders[storage]).split("train")
    rng = np.random.default_rng(0)
    indices = rng.integers(0, len(train), 50)
    tops, lefts = rng.integers(0, 32 - 28 + 1, (2, 50))
    batch = train.read(indices, tops, lefts, 28)
    assert batch.shape == (50, 28, 28, 3)
    assert batch.dtype == np.uint8
    for crop, i, top, left in zip(batch, indices, tops, lefts, strict=True):
        np.testing.assert_array_equal(crop, train[i][top : top + 28, left : left + 28])


@pytest.mark.parametrize("storage", STORAGES)
def test_without_places_the_crop_is_central(folders, storage):
    val = PreparedSet.open(folders[storage]).split("val")
    np.testing.assert_array_equal(val.read([0, 4], crop=28)[1], val[4][2:30, 2:30])
    np.testing.assert_array_equal(val.read([5])[0], val[5])
    assert val.read([]).shape == (0, 32, 32, 3)


def test_both_storages_hold_the_same_images(folders):
    exact, packed = (PreparedSet.open(folders[s]).split("train") for s in STORAGES)
    assert exact.paths == packed.paths
    for i in (0, 2, 38):
        assert np.abs(exact[i].astype(int) - packed[i]).mean() < 5


@pytest.mark.parametrize(("tops", "crop"), [([5], 28), ([-1], 28), ([0], 33), (None, 33)])
def test_a_crop_beyond_the_image_is_refused(folders, tops, crop):
    val = PreparedSet.open(folders["uint8"]).split("val")
    with pytest.raises(ValueError, match="does not lie within 32 pixels"):
        val.read([0], tops, tops, crop)


def test_an_image_can_be_changed_and_the_store_not(folders):
    val = PreparedSet.open(folders["uint8"]).split("val")
    before = val[0].copy()
    val[0][:] = 0
    val.read([0])[:] = 0
    np.testing.assert_array_equal(val[0], before)


@pytest.mark.parametrize("storage", STORAGES)
def test_it_travels_to_other_processes(folders, storage):
    train = PreparedSet.open(folders[storage]).split("train")
    expected = train.read([3, 1], [0, 4], [2, 2], 28)  # opened here, and opened anew there
    assert len(pickle.dumps(train)) < 10_000
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        there = pool.submit(train.read, [3, 1], [0, 4], [2, 2], 28).result()
    np.testing.assert_array_equal(there, expected)


def test_a_missing_set_says_how_to_make_it(tmp_path):
    with pytest.raises(StoreError, match=r"manifest\.json is not there: `dvc repro prepare`"):
        PreparedSet.open(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"image_size": 3}'])
def test_a_broken_manifest_is_named(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(StoreError, match=r"manifest\.json is not a manifest"):
        PreparedSet.open(tmp_path)


@pytest.mark.parametrize(
    ("storage", "name"),
    [("uint8", "val.npy"), ("uint8", "train.parquet"), ("jpeg", "train.jpegs")],
)
def test_a_missing_file_is_named(broken, storage, name):
    folder = broken(storage)
    (folder / name).unlink()
    with pytest.raises(StoreError, match=rf"{name} is not there.*dvc repro -f prepare"):
        PreparedSet.open(folder)


@pytest.mark.parametrize(("storage", "name"), [("uint8", "train.npy"), ("jpeg", "train.jpegs")])
def test_a_cut_off_file_is_named(broken, storage, name):
    folder = broken(storage)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-100])
    with pytest.raises(StoreError, match=rf"{name} .*does not fit the manifest"):
        PreparedSet.open(folder)


def test_another_sets_file_is_named(broken):
    folder = broken("uint8")
    np.save(folder / "train.npy", np.zeros((40, 16, 16, 3), np.uint8))
    with pytest.raises(StoreError, match=r"train\.npy has shape \(40, 16, 16, 3\), not \(40, 32"):
        PreparedSet.open(folder)


def test_a_small_file_that_has_changed_is_named(broken):
    folder = broken("uint8")
    for name, other in (("val.parquet", "train.parquet"), ("mean.npy", "val.parquet")):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes((folder / other).read_bytes())
        with pytest.raises(StoreError, match=rf"{name} is damaged.*dvc repro -f prepare"):
            PreparedSet.open(folder)
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(("storage", "name"), [("uint8", "train.npy"), ("jpeg", "train.jpegs")])
def test_an_image_that_has_changed_is_named_before_it_is_used(broken, storage, name):
    folder = broken(storage)
    stored = bytearray((folder / name).read_bytes())
    stored[-100] ^= 4  # in the last image
    (folder / name).write_bytes(stored)
    prepared = PreparedSet.open(folder)
    train = prepared.split("train")
    train.read([0, 1, 37])
    for read in (lambda: train.read([38]), lambda: train[38], prepared.check):
        with pytest.raises(StoreError, match=rf"{name} is damaged in row 39.*dvc repro -f prepare"):
            read()


def test_each_image_is_checked_once(folders, monkeypatch):
    summed = []
    monkeypatch.setattr(store.zlib, "crc32", lambda stored: summed.append(stored) or 0)
    train = PreparedSet.open(folders["uint8"]).split("train")
    train._pixels._sums[:] = 0
    train.read([3, 4])
    train.read([4, 5, 4], crop=28)
    assert len(summed) == 3


def test_what_a_batch_reads_is_fetched_at_once(folders, monkeypatch):
    """The pages of whole images at first, for their checksums; then those of crops, if need be."""
    asked = []

    class File:
        offset = 128
        _mmap = SimpleNamespace(madvise=lambda _, first, length: asked.append((first, length)))

    array = PreparedSet.open(folders["uint8"]).split("train")._pixels
    assert len(array._mapped) == 40
    monkeypatch.setitem(vars(array), "_file", File())
    monkeypatch.setattr(store.mmap, "PAGESIZE", 64)
    array.announce([3, 5], [2, 0], 28)  # rows of 96 bytes, images of 3,072
    assert asked == [(128 + 3 * 3072, 3072), (128 + 5 * 3072, 3072)]
    array.image(3)
    asked.clear()
    array.announce([3], [2], 28)  # it is in memory
    assert asked == []
    monkeypatch.setitem(vars(array), "_outgrows_memory", True)
    array.announce([3], [2], 28)
    assert asked == [(128 + 3 * 3072 + 2 * 96, 28 * 96)]
    array.announce([3], [1], 28)  # from the start of the page in which the crop begins
    assert asked[1:] == [(128 + 3 * 3072 + 64, 28 * 96 + 32)]


def test_a_changed_manifest_is_named(broken):
    folder = broken("uint8")
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"id": "cat"', '"id": "cut"'))
    with pytest.raises(StoreError, match=r"manifest\.json is damaged, or of another version"):
        PreparedSet.open(folder)


def test_an_unknown_split_names_the_known(folders):
    with pytest.raises(StoreError, match="it has train, val"):
        PreparedSet.open(folders["uint8"]).split("test")


def test_the_manifest_is_plain_json(folders):
    prepared = PreparedSet.open(folders["jpeg"])
    assert json.loads(json.dumps(prepared.manifest)) == prepared.manifest
