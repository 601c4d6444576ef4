"""Fashion-MNIST from torchvision's and Debian's files."""

import gzip
import hashlib
import struct
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from torchvision.datasets import FashionMNIST

from zfrepro.data.sources import SourceError, fashion_mnist
from zfrepro.data.sources.fashion_mnist import read_fashion_mnist, read_idx

COUNTS = {"train": 12, "t10k": 5}


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def files(tmp_path):
    """The four gzipped IDX files of a small set, in a folder of their own."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "files"
    folder.mkdir()
    for prefix, count in COUNTS.items():
        images = rng.integers(0, 256, (count, 28, 28))
        labels = np.arange(count) % 10
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    return folder


@pytest.fixture(autouse=True)
def no_debian(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")


def test_the_test_images_serve_for_validation(files):
    source = read_fashion_mnist(files, download=False)
    assert {split: len(listing) for split, listing in source.splits.items()} == {
        "train": 12,
        "val": 5,
    }
    assert source.classes[9] == ("9", "Ankle boot")
    assert [name for _, name in source.classes] == FashionMNIST.classes
    expected = read_idx(files / "t10k-images-idx3-ubyte.gz")
    np.testing.assert_array_equal(source.splits["val"].read(3), expected[3])


def test_a_part_is_small(files):
    part = read_fashion_mnist(files, download=False).splits["train"].part(4, 6)
    assert (len(part), part.paths, part.labels.tolist()) == (
        2,
        ["train/00004", "train/00005"],
        [4, 5],
    )


@pytest.mark.parametrize("place", ["raw", "FashionMNIST/raw"])
@pytest.mark.parametrize("unpacked", [False, True])
def test_torchvisions_folders_are_found(files, tmp_path, place, unpacked):
    expected = read_fashion_mnist(files, download=False).identity()
    folder = tmp_path / "root" / place
    folder.mkdir(parents=True)
    for file in files.iterdir():
        content = file.read_bytes()
        name, content = (file.stem, gzip.decompress(content)) if unpacked else (file.name, content)
        (folder / name).write_bytes(content)
    assert read_fashion_mnist(tmp_path / "root", download=False).identity() == expected


def test_debians_files_are_the_fallback(files, tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "DEBIAN", files)
    assert len(read_fashion_mnist(tmp_path / "nowhere", download=True).splits["val"]) == 5


@pytest.mark.skipif(
    not fashion_mnist.DEBIAN.is_dir(), reason="needs Debian's package dataset-fashion-mnist"
)
def test_debians_package(monkeypatch):
    monkeypatch.undo()
    source = read_fashion_mnist(None, download=False)
    train, val = source.splits["train"], source.splits["val"]
    assert np.bincount(train.labels).tolist() == [6000] * 10
    assert np.bincount(val.labels).tolist() == [1000] * 10
    pixels = np.stack([train.read(i) for i in range(len(train))])
    assert abs(pixels.mean() / 255 - 0.2860) < 1e-4  # the mean that everyone normalises with


@pytest.mark.network
def test_torchvision_downloads_what_is_missing(files, tmp_path, monkeypatch):
    served = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            served.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(files)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sums = {
        f.name: hashlib.md5(f.read_bytes(), usedforsecurity=False).hexdigest()
        for f in files.iterdir()
    }
    monkeypatch.setattr(FashionMNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    monkeypatch.setattr(FashionMNIST, "resources", list(sums.items()))
    try:
        source = read_fashion_mnist(tmp_path / "new", download=True)
        requests = len(served)
        read_fashion_mnist(tmp_path / "new", download=True)
    finally:
        server.shutdown()
        server.server_close()
    assert source.identity() == read_fashion_mnist(files, download=False).identity()
    assert requests >= 4
    assert len(served) == requests  # the second time nothing is fetched


def test_a_failed_download_names_the_other_ways(tmp_path, monkeypatch):
    monkeypatch.setattr(FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(SourceError, match=r"(?s)cannot download.*dataset-fashion-mnist"):
        read_fashion_mnist(tmp_path, download=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(idx(np.zeros((12, 28, 28))))[:-20], "damaged"),
        (b"no gzip at all", "damaged"),
        (gzip.compress(b"\0\0\x0b\x01"), "no IDX file"),
        (gzip.compress(b"\0\0"), "no IDX file"),
        (gzip.compress(idx(np.zeros((12, 28, 28)))[:-1]), "9407 values and states 9408"),
        (gzip.compress(idx(np.zeros((11, 28, 28)))), "do not fit together"),
    ],
    ids=["cut off", "not zipped", "floats", "no header", "one value less", "one image less"],
)
def test_damaged_files_are_named(files, content, message):
    (files / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(SourceError, match=message):
        read_fashion_mnist(files, download=False)


def test_a_label_that_no_class_has_is_an_error(files):
    (files / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.full(5, 10))))
    with pytest.raises(SourceError, match="t10k"):
        read_fashion_mnist(files, download=False)
