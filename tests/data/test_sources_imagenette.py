"""Imagenette as torchvision fetches it."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from imagenet_archives import tar_of
from pictures import jpeg, write_tree
from torchvision.datasets import Imagenette

from zfrepro.data.sources import SourceError, imagenette
from zfrepro.data.sources.imagenette import read_imagenette

FILES = {
    f"imagenette2-160/{split}/{wnid}/{wnid}_{i}.JPEG": jpeg(i + k)
    for split, count in (("train", 3), ("val", 2))
    for k, wnid in enumerate(("n03888257", "n01440764"))
    for i in range(count)
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(imagenette, "IMAGES", {"train": 6, "val": 4})


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_local_folders_equal_torchvisions_reading(tmp_path):
    write_tree(tmp_path, FILES)
    source = read_imagenette(tmp_path, size="160px", download=False)
    assert source.classes == (
        ("n01440764", "tench, Tinca tinca"),
        ("n03888257", "parachute, chute"),
    )
    for split in ("train", "val"):
        theirs = Imagenette(tmp_path, split, size="160px")
        ours = source.splits[split]
        paths = [str(tmp_path / "imagenette2-160" / path) for path in ours.paths]
        assert list(zip(paths, ours.labels.tolist(), strict=True)) == theirs._samples


@pytest.mark.network
def test_torchvision_downloads_what_is_missing(tmp_path, monkeypatch):
    archive = tar_of(FILES, "w:gz")
    write_tree(tmp_path, {"served/imagenette2-160.tgz": archive})
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "served"))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/imagenette2-160.tgz"
    digest = hashlib.md5(archive, usedforsecurity=False).hexdigest()
    monkeypatch.setattr(Imagenette, "_ARCHIVES", {"160px": (url, digest)})
    try:
        source = read_imagenette(tmp_path / "new", size="160px", download=True)
    finally:
        server.shutdown()
        server.server_close()
    assert {split: len(files) for split, files in source.splits.items()} == {"train": 6, "val": 4}


def test_a_part_is_not_taken_for_the_whole(tmp_path):
    write_tree(tmp_path, dict(list(FILES.items())[:-1]))
    with pytest.raises(
        SourceError, match=r"has 3 images and Imagenette 4: remove .*imagenette2-160"
    ):
        read_imagenette(tmp_path, size="160px", download=False)


def test_a_failed_download_names_the_address(tmp_path, monkeypatch):
    monkeypatch.setattr(
        Imagenette, "_ARCHIVES", {"full": ("http://127.0.0.1:9/imagenette2.tgz", "")}
    )
    with pytest.raises(SourceError, match=r"ZFREPRO_IMAGENETTE.*https://.*/imagenette2\.tgz"):
        read_imagenette(tmp_path / "new", size="full", download=True)


def test_an_unknown_size_names_the_known(tmp_path):
    with pytest.raises(SourceError, match="full, 320px, 160px"):
        read_imagenette(tmp_path, size="64px", download=False)
