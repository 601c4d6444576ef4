"""Caltech-101, Caltech-256 and VOC 2012: from archives in the true layouts, and what goes wrong."""

import logging
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
from imagenet_archives import tar_of
from transfer_archives import (
    CALTECH101,
    VOC_CLASSES,
    annotation,
    caltech101_files,
    caltech256_files,
    tar_with,
    voc_files,
    write_caltech101,
    write_caltech256,
    write_voc,
)

from zfrepro.data.decode import decode
from zfrepro.data.listing import SourceError
from zfrepro.data.sources import open_source
from zfrepro.data.sources.archives import unpack
from zfrepro.data.sources.caltech import read_caltech101, read_caltech256
from zfrepro.data.sources.voc import objects_of, read_voc2012

XML = b'<?xml version="1.0" encoding="%s"?>'
READERS = {
    "caltech101": (read_caltech101, write_caltech101),
    "caltech256": (read_caltech256, write_caltech256),
    "voc2012": (read_voc2012, write_voc),
}


@pytest.fixture
def voc(tmp_path):
    """The unpacked tree."""
    read_voc2012(write_voc(tmp_path), download=False)
    return tmp_path / "VOCdevkit" / "VOC2012"


def extract(files, root):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_caltech101_from_its_zip(tmp_path):
    source = read_caltech101(write_caltech101(tmp_path), download=False)
    assert source.classes == (
        ("BACKGROUND_Google", "BACKGROUND Google"),
        ("accordion", "accordion"),
        ("water_lilly", "water lilly"),
    )
    (everything,) = source.splits.values()
    assert source.first_split == "all"
    assert everything.labels.tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert everything.paths[2:4] == ["accordion/image_0001.jpg", "accordion/image_0002.jpg"]
    assert everything.read(3) == caltech101_files()["101_ObjectCategories/accordion/image_0002.jpg"]
    assert decode(everything.read(3)).mode == "L"
    assert not list(tmp_path.glob("caltech101/.*"))


@pytest.mark.parametrize(
    "prefix",
    [
        "101_ObjectCategories",
        "caltech101/101_ObjectCategories",
        "101_ObjectCategories/101_ObjectCategories",
    ],
)
def test_caltech101_where_torchvision_and_others_unpack_it(tmp_path, prefix):
    extract(caltech101_files(prefix), tmp_path)
    source = read_caltech101(tmp_path, download=False)
    assert len(source.splits["all"]) == sum(CALTECH101.values())
    at_the_tree = read_caltech101(tmp_path / prefix, download=False)
    assert at_the_tree.identity() == source.identity()


def test_caltech101_from_the_tar_alone(tmp_path):
    (tmp_path / "101_ObjectCategories.tar.gz").write_bytes(tar_of(caltech101_files(), "w:gz"))
    assert len(read_caltech101(tmp_path, download=False).splits["all"]) == 7


def test_caltech256_leaves_out_what_the_published_counts_leave_out(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        root = write_caltech256(tmp_path)
        source = open_source({"name": "caltech256", "root": root, "download": False})
    assert [id_ for id_, _ in source.classes] == [
        "001.ak47",
        "056.dog",
        "198.spider",
        "257.clutter",
    ]
    assert [name for _, name in source.classes] == ["ak47", "dog", "spider", "clutter"]
    paths = source.splits["all"].paths
    assert len(paths) == 7
    assert not [path for path in paths if "greg" in path or "RENAME2" in path]
    assert "1 of 056.dog" in caplog.text
    assert source.left_out == {"without suffix": 1}
    assert "7 images of 4 classes here, and 30,607 images of 257 classes as pub" in caplog.text


def test_voc_lists_flags_and_labels(tmp_path):
    source = read_voc2012(write_voc(tmp_path), download=False)
    assert tuple(id_ for id_, _ in source.classes) == VOC_CLASSES
    train, val = source.splits["train"], source.splits["val"]
    assert list(source.splits) == ["train", "val"]
    assert train.paths[0] == "JPEGImages/2008_000002.jpg"  # the order of the list
    assert source.objects["train"].tolist() == [[0, 1, -1], [-1, -1, 1], [-1, 0, -1]]
    assert source.objects["val"].tolist() == [[1, 1, -1]]
    assert train.labels.tolist() == [1, 2, -1]  # the first that is present; none is
    assert val.labels.tolist() == [0]
    assert val.read(0) == voc_files()["VOCdevkit/VOC2012/JPEGImages/2009_000001.jpg"]


def test_voc_without_lists_of_classes_takes_the_annotations(voc):
    from_lists = read_voc2012(voc, download=False)
    for name in VOC_CLASSES:
        for path in (voc / "ImageSets" / "Main").glob(f"{name}_*"):
            path.unlink()
    from_annotations = read_voc2012(voc, download=False)
    assert from_annotations.identity() == from_lists.identity()


def test_voc_lists_prevail_over_annotations(voc, caplog):
    path = voc / "ImageSets" / "Main" / "person_train.txt"
    path.write_text(path.read_text().replace("2008_000008 -1", "2008_000008  1"))
    with caplog.at_level(logging.WARNING):
        source = read_voc2012(voc, download=False)
    assert source.objects["train"][2].tolist() == [-1, 0, 1]
    assert "the lists differ from the annotations of 1 images" in caplog.text
    shutil.rmtree(voc / "Annotations")
    assert read_voc2012(voc, download=False).identity() == source.identity()


def test_an_object_without_flags_is_not_difficult(tmp_path):
    path = tmp_path / "a.xml"
    path.write_bytes(annotation("a", [("cat", None), ("dog", True), ("dog", None)]))
    assert objects_of(path) == {"cat": 1, "dog": 1}
    path.write_bytes(b"<annotation><object><bndbox/></object></annotation>")
    with pytest.raises(SourceError, match=r"a\.xml has an object without a name"):
        objects_of(path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("Annotations/2008_000002.xml", lambda b: b[:-20], "2008_000002.xml is cut off"),
        ("Annotations/2008_000002.xml", None, "2008_000002.xml is not there"),
        ("JPEGImages/2007_000027.jpg", None, "2007_000027.jpg is in the lists and not there"),
        ("ImageSets/Main/val.txt", None, r"val.txt is not there: set sets\.voc2012\.root"),
        ("ImageSets/Main/cat_val.txt", lambda _: b"", "cat_val.txt says nothing of image '2009"),
        ("ImageSets/Main/cat_train.txt", lambda b: b[:-6], "cat_train.txt, line 3: nothing is no"),
        (
            "ImageSets/Main/cat_train.txt",
            lambda b: b.replace(b" 1", b" 2"),
            "line 1: 2 is not a flag",
        ),
        ("ImageSets/Main/val.txt", lambda _: b"\xe9\n", r"val\.txt is no text"),
        ("Annotations/2008_000002.xml", lambda b: XML % b"x-no" + b, "0002.xml is cut off or no"),
        (
            "Annotations/2008_000002.xml",
            lambda b: XML % b"big5" + b,
            "0002.xml is cut off or no",
        ),
        (
            "Annotations/2008_000002.xml",
            lambda b: b.replace(b"difficult>1", b"difficult>2"),
            "0002.xml has an object with difficult '2'",
        ),
        (
            "Annotations/2008_000002.xml",
            lambda b: b.replace(b">cat<", b">x/../../y<"),
            r"0002.xml has an object named 'x/\.\./\.\./y'",
        ),
    ],
)
def test_a_damaged_voc_tree_names_the_file(voc, name, change, message):
    content = (voc / name).read_bytes()
    (voc / name).unlink()
    if change:
        (voc / name).write_bytes(change(content))
    with pytest.raises(SourceError, match=message):
        read_voc2012(voc, download=False)


def test_voc_lists_and_images_as_others_have_repacked_them(voc):
    expected = read_voc2012(voc, download=False)
    apple = b"\0\5\x16\7\0\2\0\0Mac OS X        \xb0\x81"
    for path in [path for path in voc.rglob("*.*") if path.is_file()]:
        path.with_name(f"._{path.name}").write_bytes(apple)
        if path.suffix == ".txt":
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    lists = voc / "ImageSets" / "Main"
    (lists / "cat_val.txt").write_text((lists / "cat_val.txt").read_text("utf-8-sig"), "utf-16")
    source = read_voc2012(voc, download=False)
    assert source.identity() == expected.identity()
    (voc / "JPEGImages" / "2008_000002.jpg").rename(voc / "JPEGImages" / "2008_000002.JPG")
    assert read_voc2012(voc, download=False).splits["train"].paths[0].endswith("2.JPG")


def test_a_word_for_no_flag_is_none(tmp_path):
    path = tmp_path / "a.xml"
    content = annotation("a", [("cat", False), ("dog", True)])
    path.write_bytes(content.replace(b"difficult>0", b"difficult>Unspecified"))
    assert objects_of(path) == {"cat": 1, "dog": 0}


@pytest.mark.parametrize("name", READERS)
def test_a_missing_root_says_what_to_set_and_where_to_get_it(tmp_path, name):
    roots = {"is not set": None, "no such folder": tmp_path / "no", "holds none of": tmp_path}
    for trouble, root in roots.items():
        with pytest.raises(SourceError, match=trouble) as error:
            open_source({"name": name, "root": root, "download": False})
        message = str(error.value)
        assert f"sets.{name}.root" in message
        assert f"ZFREPRO_{name.upper()}" in message
        assert "https://data.caltech.edu" in message or "http://host.robots.ox.ac.uk" in message


@pytest.mark.parametrize("name", READERS)
def test_a_download_that_fails_says_what_to_do(tmp_path, monkeypatch, name):
    from urllib.error import URLError

    from torchvision.datasets import utils

    def refuse(url, root, filename, md5):
        assert len(md5) == 32
        assert url.endswith(filename)
        raise URLError("no route to host")

    monkeypatch.setattr(utils, "download_url", refuse)
    with pytest.raises(SourceError, match=rf"cannot fetch http.*no route.*sets\.{name}\.root"):
        READERS[name][0](tmp_path / "new", download=True)


@pytest.mark.parametrize("name", READERS)
def test_what_was_fetched_is_unpacked(tmp_path, monkeypatch, name):
    from torchvision.datasets import utils

    read, write = READERS[name]
    monkeypatch.setattr(utils, "download_url", lambda _url, root, *_: write(root))
    fetched = read(tmp_path / "new", download=True)
    assert fetched.identity() == read(write(tmp_path / "there"), download=False).identity()


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kept", [0.1, 0.6])  # of a small tar, the end is padding
def test_a_cut_off_archive_leaves_no_half_tree(tmp_path, name, kept):
    read, write = READERS[name]
    (archive,) = write(tmp_path).iterdir()
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(SourceError, match=f"{archive.name} is damaged or not whole"):
        read(tmp_path, download=False)
    archive.write_bytes(whole)
    assert sum(len(split) for split in read(tmp_path, download=False).splits.values()) > 3


def test_an_unpacking_that_was_killed_is_begun_anew(tmp_path):
    write_caltech256(tmp_path)
    left = (
        tmp_path / ".256_ObjectCategories.unpacking" / "tree" / "256_ObjectCategories" / "001.ak47"
    )
    left.mkdir(parents=True)
    (left / "001_0001.jpg").write_bytes(b"half")
    source = read_caltech256(tmp_path, download=False)
    assert len(source.splits["all"]) == 7
    assert source.splits["all"].read(0) == caltech256_files()[
        "256_ObjectCategories/001.ak47/001_0001.jpg"
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "256_ObjectCategories", "256_ObjectCategories.tar",
    ]  # fmt: skip


FOLDER = "256_ObjectCategories"
TAR = {
    "up": {"name": "../outside.jpg"},
    "deep and up": {"name": f"{FOLDER}/../../outside.jpg"},
    "absolute": {"name": "/outside.jpg"},
    "symbolic link": {"name": f"{FOLDER}/a", "type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
    "link within": {"name": f"{FOLDER}/a", "type": tarfile.SYMTYPE, "linkname": "b"},
    "hard link to nothing": {"name": f"{FOLDER}/a", "type": tarfile.LNKTYPE, "linkname": "none"},
    "pipe": {"name": f"{FOLDER}/a", "type": tarfile.FIFOTYPE},
    "device": {"name": f"{FOLDER}/a", "type": tarfile.CHRTYPE},
}
ZIP = {
    "up": {"filename": "../outside.jpg"},
    "absolute": {"filename": "/outside.jpg"},
    "symbolic link": {"filename": f"{FOLDER}/a", "external_attr": 0o120777 << 16},
    "encrypted": {"filename": f"{FOLDER}/a", "flag_bits": 1},
}


def hostile_tar(path, member):
    path.write_bytes(tar_with(**member))


def hostile_zip(path, member):
    """Also under a name that says tar: the content tells."""
    info = zipfile.ZipInfo(member["filename"])
    info.external_attr = member.get("external_attr", 0)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(info, b"x")
    if "flag_bits" in member:
        content = bytearray(path.read_bytes())
        content[6] = content[content.index(b"PK\1\2") + 8] = 1
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("write", "member"),
    [*((hostile_tar, each) for each in TAR.values()), *((hostile_zip, e) for e in ZIP.values())],
    ids=[*(f"tar: {name}" for name in TAR), *(f"zip: {name}" for name in ZIP)],
)
def test_a_hostile_archive_is_refused(tmp_path, write, member):
    inside = tmp_path / "inside"
    inside.mkdir()
    write(inside / f"{FOLDER}.tar", member)
    with pytest.raises(SourceError, match=rf"{FOLDER}\.tar is refused: "):
        unpack(inside / f"{FOLDER}.tar", inside / FOLDER)
    assert not (tmp_path / "outside.jpg").exists()
    assert not (inside / FOLDER).exists()


def test_a_zip_is_read_whatever_its_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "101_ObjectCategories.tar.gz", "w") as packed:
        for name, content in caltech101_files().items():
            packed.writestr(name, content)
        packed.writestr("__MACOSX/101_ObjectCategories/accordion/._image_0001.jpg", b"\0\5")
    assert len(read_caltech101(tmp_path, download=False).splits["all"]) == 7


def test_an_archive_of_something_else_is_named(tmp_path):
    (tmp_path / "256_ObjectCategories.tar").write_bytes(tar_of({"other/a.jpg": b"x"}))
    with pytest.raises(SourceError, match="holds no folder 256_ObjectCategories"):
        read_caltech256(tmp_path, download=False)


def test_another_flag_is_another_set(voc):
    before = read_voc2012(voc, download=False)
    path = voc / "ImageSets" / "Main" / "aeroplane_train.txt"
    path.write_text(path.read_text().replace("2008_000002  0", "2008_000002 -1"))
    after = read_voc2012(voc, download=False)
    assert np.array_equal(before.splits["train"].labels, after.splits["train"].labels)
    assert before.identity() != after.identity()
