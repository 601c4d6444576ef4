"""Class-folder trees as people keep them."""

import logging
import os
import unicodedata

import numpy as np
import pytest
from pictures import jpeg, small_tree, write_tree
from torchvision.datasets import ImageFolder

from zfrepro.data.sources import SourceError, open_source
from zfrepro.data.sources.folder import read_folder, stratified_split
from zfrepro.data.sources.imagenet import read_imagenet
from zfrepro.data.sources.tree import Found


def read(root):
    return read_folder(root, val_share=0.2, split_seed=0)


def test_equals_torchvisions_image_folder(tmp_path):
    small_tree(tmp_path, train=3)
    source = read(tmp_path)
    assert source.classes == (("cat", "cat"), ("dog", "dog"))
    for split in ("train", "val"):
        theirs = ImageFolder(tmp_path / split)
        listing = source.splits[split]
        assert [
            (str(tmp_path / p), y) for p, y in zip(listing.paths, listing.labels, strict=True)
        ] == (theirs.samples)
        assert listing.read(1) == (tmp_path / listing.paths[1]).read_bytes()


@pytest.mark.parametrize("name", ["val", "valid", "Validation", "test"])
def test_the_validation_folder_has_many_names(tmp_path, name):
    write_tree(tmp_path, {"train/a/1.jpg": b"1", "train/b/1.jpg": b"1", f"{name}/a/2.jpg": b"22"})
    assert read(tmp_path).splits["val"].paths == [f"{name}/a/2.jpg"]


def test_val_comes_before_test(tmp_path):
    files = ("train/a/1.jpg", "train/b/1.jpg", "test/a/2.jpg", "val/a/3.jpg")
    source = read(write_tree(tmp_path, dict.fromkeys(files, b"1")))
    assert source.splits["val"].paths == ["val/a/3.jpg"]
    assert source.left_out == {"folder test/": 1}


def test_odd_names_hidden_files_and_suffixes(tmp_path):
    files = {
        "train/猫/снимок 1.JPG": jpeg(0),
        "train/猫/deeper/im\nage.Png": jpeg(1),
        "train/猫/._снимок 1.JPG": b"resource fork",
        "train/猫/.DS_Store": b"",
        "train/猫/notes.txt": b"",
        "train/猫/Thumbs.db": b"",
        "train/.ipynb_checkpoints/a.jpg": jpeg(2),
        "train/é/1.jpg": jpeg(3),
        "train/README.md": b"",
        "val/猫/a.jpeg": jpeg(4),
        "val/é/a.jpeg": jpeg(5),
    }
    source = read(write_tree(tmp_path, files))
    assert [id_ for id_, _ in source.classes] == ["é", "猫"]
    assert sorted(source.splits["train"].paths) == [
        "train/é/1.jpg",
        "train/猫/deeper/im\nage.Png",
        "train/猫/снимок 1.JPG",
    ]
    assert source.left_out == {"hidden": 3, ".txt": 1, "Thumbs.db": 1}


def test_a_class_may_be_spelled_in_either_unicode_form(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    assert composed != decomposed
    files = (f"train/{composed}/1.jpg", "train/tea/1.jpg", f"val/{decomposed}/2.jpg")
    source = read(write_tree(tmp_path, dict.fromkeys(files, b"1")))
    assert [id_ for id_, _ in source.classes] == [composed, "tea"]
    assert source.splits["val"].labels.tolist() == [0]


def test_two_spellings_of_one_class_are_one_class(tmp_path, caplog):
    names = [unicodedata.normalize(form, "café") for form in ("NFC", "NFD")]
    files = [f"{split}/{name}/1.jpg" for split in ("train", "val") for name in (*names, "tea")]
    source = read(write_tree(tmp_path, dict.fromkeys(files, b"1")))
    assert [id_ for id_, _ in source.classes] == [names[0], "tea"]
    assert source.splits["train"].labels.tolist() == [0, 0, 1]
    assert "its other spelling are read as one class" in caplog.text


def test_names_that_are_no_unicode_are_read(tmp_path):
    files = ("train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg")
    write_tree(tmp_path, dict.fromkeys(files, b"1"))
    raw = bytes(tmp_path / "train" / "a") + b"/\xff\xfe.jpg"
    with open(raw, "wb") as file:  # noqa: PTH123  the point is a name of bytes
        file.write(b"odd")
    train = read(tmp_path).splits["train"]
    assert b"odd" in [train.read(i) for i in range(len(train))]
    assert len(train.identity()) == 64


def test_one_tree_is_split_by_class(tmp_path):
    write_tree(tmp_path, {f"{c}/{i}.jpg": b"x" for c in ("a", "test") for i in range(10)})
    write_tree(tmp_path, {"alone/0.jpg": b"x"})
    source = read(tmp_path)
    train, val = source.splits["train"], source.splits["val"]
    assert np.bincount(train.labels).tolist() == [8, 1, 8]
    assert np.bincount(val.labels, minlength=3).tolist() == [2, 0, 2]
    assert not set(train.paths) & set(val.paths)
    assert read(tmp_path).identity() == source.identity()
    assert read_folder(tmp_path, val_share=0.2, split_seed=1).identity() != source.identity()


def test_another_class_leaves_the_split_of_the_others():
    ours = [Found("a", f"a/{i}.jpg", 1) for i in range(10)]
    more = [Found("b", f"b/{i}.jpg", 1) for i in range(10)]
    _, alone = stratified_split(ours, 0.3, seed=0)
    _, both = stratified_split(more + ours, 0.3, seed=0)
    assert [image for image in both if image.id == "a"] == alone


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_is_a_share(tmp_path, share):
    write_tree(tmp_path, {"a/1.jpg": b"x"})
    with pytest.raises(SourceError, match=r"data\.val_share"):
        read_folder(tmp_path, val_share=share, split_seed=0)


def test_an_empty_class_is_left_out_and_named(tmp_path, caplog):
    small_tree(tmp_path)
    for folder in ("train/unicorn", "val/unicorn"):
        (tmp_path / folder).mkdir()
    with caplog.at_level(logging.WARNING):
        source = read(tmp_path)
    assert len(source.classes) == 2
    assert "unicorn" in caplog.text


def test_validation_images_of_an_unknown_class_are_an_error(tmp_path):
    small_tree(tmp_path)
    write_tree(tmp_path, {"val/zebra/1.jpg": b"x"})
    with pytest.raises(SourceError, match="no training images: zebra"):
        read(tmp_path)


def test_a_tree_without_images_is_an_error(tmp_path):
    (tmp_path / "train" / "cat").mkdir(parents=True)
    with pytest.raises(SourceError, match="holds no images"):
        read(tmp_path)


def test_links_to_folders_are_followed(tmp_path):
    small_tree(tmp_path / "disk")
    (tmp_path / "tree").mkdir()
    for split in ("train", "val"):
        (tmp_path / "tree" / split).symlink_to(tmp_path / "disk" / split)
    assert read(tmp_path / "tree").identity() == read(tmp_path / "disk").identity()


def test_the_root_may_be_here(tmp_path, monkeypatch):
    small_tree(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert read(".").splits["train"].paths == read(tmp_path).splits["train"].paths


def test_the_identity_is_that_of_names_and_sizes(tmp_path):
    small_tree(tmp_path)
    before = read(tmp_path).identity()
    assert read(tmp_path).identity() == before
    (tmp_path / "train/cat/0000.jpg").write_bytes(b"another size")
    assert read(tmp_path).identity() != before


@pytest.mark.parametrize("name", ["folder", "imagenet", "imagenette", "fashion_mnist"])
@pytest.mark.parametrize("root", [None, "/no/such/folder"])
def test_a_missing_root_says_what_to_set_and_fetch(name, root, monkeypatch, tmp_path):
    monkeypatch.setattr("zfrepro.data.sources.fashion_mnist.DEBIAN", tmp_path)
    data = {"name": name, "root": root, "download": False, "size": "full"}
    with pytest.raises(SourceError) as error:
        open_source({**data, "val_share": 0.1, "split_seed": 0})
    assert "data.root" in str(error.value)
    assert f"ZFREPRO_{name.upper()}" in str(error.value)


def write(root, *paths):
    return write_tree(root, {path: path.encode() for path in paths})


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("train/train", "val/val"),
        ("part_train/part_train", "part_test/part_test"),
        ("training_set", "test_set"),
        ("archive/train", "archive/val"),
        ("train2017", "val2017"),
        ("sets/shapes/Train", "sets/shapes/Test"),
    ],
)
def test_folders_doubled_by_unzipping_are_no_classes(tmp_path, train, val):
    found = write(tmp_path, *(f"{part}/{c}/1.jpg" for part in (train, val) for c in "ab"))
    write(tmp_path, f"{train}/../notes.txt")
    source = read(found)
    assert [id_ for id_, _ in source.classes] == ["a", "b"]
    assert source.splits["train"].paths == [f"{train}/{c}/1.jpg" for c in "ab"]
    assert source.splits["val"].paths == [f"{val}/{c}/1.jpg" for c in "ab"]


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["images/Persian_1.jpg", "annotations/list.txt"], "one class alone, images .*Persian_1"),
        (["train/train/tabby.0.jpg", "test/test/0.jpg"], "one class alone, train"),
        (["train/tabby.0.jpg", "val/tabby.1.jpg"], "train holds 1 images .*and no class folders"),
        (
            ["a.jpg", "b.jpg", "labels.csv"],
            r"holds 2 images \(such as a.jpg\) and no class folders",
        ),
        (["train/a.tar", "train/b.tar", "val/a/1.jpg"], "not unpacked: a.tar, b.tar"),
        (["archive.zip"], "no images in class folders, but archives, not unpacked: archive.zip"),
        (["valid/a/1.jpg", "test/a/1.jpg"], "holds test, valid and no train/"),
        (["train_1/a/1.jpg", "train_2/a/1.jpg", "val_1/a/1.jpg"], "train_1, train_2: rename"),
        (["a/1.jpg", "b/1.jpg", "set/a/1.jpg", "set/b/1.jpg"], "set holds folders named as"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, paths, message):
    with pytest.raises(SourceError, match=message):
        read(write(tmp_path, *paths))


def test_a_class_may_be_called_train(tmp_path):
    source = read(write(tmp_path, *(f"{c}/{i}.jpg" for c in ("bus", "train") for i in range(3))))
    assert [id_ for id_, _ in source.classes] == ["bus", "train"]


def test_a_network_storages_thumbnails_are_no_images(tmp_path):
    small_tree(tmp_path)
    expected = read(tmp_path).identity()
    litter = (
        "@eaDir/cat/S.jpg",
        "cat/@eaDir/0000.jpg/S.jpg",
        "cat/.thumbnails/0.jpg",
        "cat/x/Thumbs.db",
    )
    write(tmp_path / "train", *litter, "__MACOSX/cat/._0000.jpg", "cat/.AppleDouble/0000.jpg")
    (tmp_path / "train" / "lost+found").mkdir()
    source = read(tmp_path)
    assert source.identity() == expected
    assert source.left_out["@eaDir"] == 2


def test_links_that_lead_nowhere_or_back_are_named(tmp_path):
    small_tree(tmp_path)
    link = tmp_path / "train" / "dog" / "more"
    for target, message in (
        ("..", "train/dog/more/cat leads to .*train/cat, which is read|dog/more leads to .*train,"),
        ("../cat", "more leads to .*train/cat|train/cat leads to .*more"),
        ("../../val/cat", "leads to .*, which is read already: remove the link"),
        ("/nowhere", "dog/more is a link that leads nowhere"),
    ):
        link.symlink_to(target)
        with pytest.raises(SourceError, match=message):
            read(tmp_path)
        link.unlink()
    (tmp_path / "train" / "fox").symlink_to("/nowhere")
    with pytest.raises(SourceError, match="fox is a link that leads nowhere"):
        read(tmp_path)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    small_tree(tmp_path)
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("train/dog"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match=r"train/dog cannot be read \(Permission denied\)"):
        read(tmp_path)


def test_tiny_imagenet_is_read(tmp_path):
    ids = ("n01443537", "n01629819")
    files = {f"train/{id_}/images/{id_}_{i}.JPEG": jpeg(i) for id_ in ids for i in range(2)}
    files |= {f"train/{id_}/{id_}_boxes.txt": b"" for id_ in ids}
    files |= {f"val/images/val_{i}.JPEG": jpeg(9 + i) for i in range(3)}
    rows = [f"val_{i}.JPEG\t{ids[(i + 1) % 2]}\t0\t32\t44\t62\n" for i in range(3)]
    files["val/val_annotations.txt"] = "".join(rows).encode()
    files["words.txt"] = (
        b"n01443537\tgoldfish, Carassius auratus\nn01629819\tEuropean fire salamander\n"
    )
    write_tree(tmp_path, files)
    for source in (read(tmp_path), read_imagenet(tmp_path)):
        assert source.classes[0] == ("n01443537", "goldfish, Carassius auratus")
        assert source.splits["train"].labels.tolist() == [0, 0, 1, 1]
        found = dict(zip(source.splits["val"].paths, source.splits["val"].labels, strict=True))
        assert found == {
            "val/images/val_0.JPEG": 1,
            "val/images/val_1.JPEG": 0,
            "val/images/val_2.JPEG": 1,
        }
    (tmp_path / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn01443537\n")
    with pytest.raises(SourceError, match=r"val: no label of val_"):
        read(tmp_path)


def test_an_unknown_source_names_the_known(tmp_path):
    with pytest.raises(SourceError, match="folder, imagenet"):
        open_source({"name": "imagnet", "root": tmp_path})
