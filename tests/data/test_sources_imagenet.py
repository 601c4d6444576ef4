"""ImageNet 2012 in the layouts in which it is kept, against torchvision's reader."""

import shutil
import tarfile
from pathlib import Path

import pytest
from imagenet_archives import WNIDS, devkit_files, tar_of, train_files, val_files, write_archives
from pictures import jpeg, write_tree
from torchvision.datasets import ImageNet
from torchvision.datasets import imagenet as torchvision_imagenet
from transfer_archives import tar_with

from zfrepro.data.annotations import of_images
from zfrepro.data.prepare import prepare
from zfrepro.data.sources import SourceError, boxes, open_source, tars
from zfrepro.data.sources.imagenet import read_imagenet
from zfrepro.data.store import PreparedSet


@pytest.fixture
def archives(tmp_path):
    return write_archives(tmp_path / "imagenet")


@pytest.fixture
def unpacked(archives, tmp_path, monkeypatch):
    """The folders and meta.bin that torchvision makes of the archives."""
    monkeypatch.setattr(torchvision_imagenet, "_verify_archive", lambda *_: None)  # md5 sums
    root = shutil.copytree(archives, tmp_path / "unpacked")
    return {split: ImageNet(root, split) for split in ("train", "val")}


def contents(source, split):
    listing = source.splits[split]
    return {
        Path(listing.paths[i]).name: (listing.read(i), int(listing.labels[i]))
        for i in range(len(listing))
    }


def test_tars_read_as_torchvision_unpacks_them(archives, unpacked):
    source = read_imagenet(archives)
    assert [id_ for id_, _ in source.classes] == unpacked["train"].wnids == sorted(WNIDS)
    assert [tuple(name.split(", ")) for _, name in source.classes] == unpacked["train"].classes
    for split, theirs in unpacked.items():
        expected = {Path(p).name: (Path(p).read_bytes(), label) for p, label in theirs.samples}
        assert contents(source, split) == expected
        listing = source.splits[split]
        assert [Path(theirs.root, path) for path in listing.paths] == (
            [Path(path) for path, _ in theirs.samples]
        )


def test_the_kits_numbers_are_not_the_labels(archives):
    labels = {name: label for name, (_, label) in contents(read_imagenet(archives), "val").items()}
    # ILSVRC2012_ID 3, 1, 2, 2, 1 are n03888257, n02119789, n01440764, ...
    assert [labels[f"ILSVRC2012_val_{n:08d}.JPEG"] for n in range(1, 6)] == [2, 1, 0, 0, 1]


def test_all_layouts_are_the_same_set(archives, unpacked, tmp_path):
    expected = read_imagenet(archives)
    root = Path(unpacked["train"].root)
    assert read_imagenet(root).identity() == expected.identity()  # names from meta.bin
    (root / "meta.bin").unlink()
    assert read_imagenet(root).identity() == expected.identity()  # from the kit's archive
    with tarfile.open(root / "ILSVRC2012_devkit_t12.tar.gz") as kit:
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # not in 3.11.0
        kit.extractall(root, **safely)  # noqa: S202  the test made it
    (root / "ILSVRC2012_devkit_t12.tar.gz").unlink()
    assert read_imagenet(root).identity() == expected.identity()  # from the kit's folder


def test_a_flat_validation_folder_takes_its_labels_from_the_kit(archives):
    expected = contents(read_imagenet(archives), "val")
    write_tree(archives / "val", val_files())
    (archives / "ILSVRC2012_img_val.tar").unlink()
    assert contents(read_imagenet(archives), "val") == expected


def test_kaggles_layout(archives, tmp_path):
    images = "ILSVRC/Data/CLS-LOC"
    files = {
        f"{images}/train/{wnid}/{name}": content
        for wnid, members in train_files().items()
        for name, content in members.items()
    }
    files |= {f"{images}/val/{name}": content for name, content in val_files().items()}
    names = "n01440764 tench, Tinca tinca\nn02119789 kit fox, Vulpes macrotis\n"
    files["LOC_synset_mapping.txt"] = f"{names}n03888257 parachute, chute\n".encode()
    truth = ["n03888257", "n02119789", "n01440764", "n01440764", "n02119789"]
    rows = [f"ILSVRC2012_val_{n:08d},{id_} 1 2 3 4 \n" for n, id_ in enumerate(truth, start=1)]
    files["LOC_val_solution.csv"] = ("ImageId,PredictionString\n" + "".join(rows)).encode()
    source, expected = (
        read_imagenet(write_tree(tmp_path / "kaggle", files)),
        read_imagenet(archives),
    )
    assert source.classes == expected.classes
    for split in ("train", "val"):
        assert contents(source, split) == contents(expected, split)


def test_without_names_the_ids_serve(unpacked, caplog):
    root = Path(unpacked["train"].root)
    for file in ("meta.bin", "ILSVRC2012_devkit_t12.tar.gz"):
        (root / file).unlink()
    assert read_imagenet(root).classes[0] == ("n01440764", "n01440764")
    assert "no names of 3 classes" in caplog.text


def test_validation_images_without_labels_name_the_kit(archives):
    (archives / "ILSVRC2012_devkit_t12.tar.gz").unlink()
    with pytest.raises(SourceError, match=r"no label of ILSVRC2012_val_.*ILSVRC2012_devkit_t12"):
        read_imagenet(archives)


@pytest.mark.parametrize("missing", ["ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"])
def test_a_missing_archive_is_named(archives, missing):
    (archives / missing).unlink()
    with pytest.raises(SourceError, match=rf"neither .* nor {missing}.*https://image-net.org"):
        read_imagenet(archives)


@pytest.mark.parametrize("left", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", ["ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"])
def test_a_cut_off_archive_is_an_error(archives, name, left):
    content = (archives / name).read_bytes()
    used = content.rstrip(b"\0")
    (archives / name).write_bytes(content[: int(len(used) * left)])
    with pytest.raises(SourceError, match=f"{name} is not a whole, uncompressed tar"):
        read_imagenet(archives)


def test_a_cut_off_kit_is_an_error(archives):
    kit = archives / "ILSVRC2012_devkit_t12.tar.gz"
    kit.write_bytes(kit.read_bytes()[:300])
    with pytest.raises(SourceError, match="development kit"):
        read_imagenet(archives)


def test_a_compressed_archive_is_refused(archives):
    content = tar_of({"n01440764.tar": tar_of(train_files()["n01440764"])}, "w:gz")
    (archives / "ILSVRC2012_img_train.tar").write_bytes(content)
    with pytest.raises(SourceError, match="uncompressed"):
        read_imagenet(archives)


def test_names_in_any_alphabet_are_read_in_place(tmp_path):
    names = ("снимок" * 30 + ".JPEG", "._a.JPEG", "__MACOSX/b.JPEG", "n0/c.JPEG")
    (tmp_path / "a.tar").write_bytes(tar_of(dict.fromkeys(names, b"pixel")))
    members = tars.images(tmp_path / "a.tar")
    assert [(m.group, m.name) for m in members] == [("", names[0]), ("n0", "c.JPEG")]
    content = (tmp_path / "a.tar").read_bytes()
    assert {content[m.offset : m.offset + m.size] for m in members} == {b"pixel"}


@pytest.mark.parametrize(
    "member",
    [
        {"name": "../../evil.JPEG"},
        {"name": "/etc/evil.JPEG"},
        {"name": "a.JPEG", "type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"name": "a.JPEG", "type": tarfile.LNKTYPE, "linkname": "b.JPEG"},  # an image less
    ],
)
def test_an_archive_that_leads_elsewhere_is_refused(tmp_path, member):
    (tmp_path / "a.tar").write_bytes(tar_with(**member))
    with pytest.raises(SourceError, match=r"a\.tar is refused"):
        tars.images(tmp_path / "a.tar")


@pytest.mark.parametrize("split", ["train", "val", "both"])
def test_tars_packed_anew_from_folders(archives, split):
    expected = {each: contents(read_imagenet(archives), each) for each in ("train", "val")}
    val = {
        f"val/{WNIDS[label]}/{name}": content for name, (content, label) in expected["val"].items()
    }
    train = {
        f"train/{wnid}/{name}": content
        for wnid, members in train_files().items()
        for name, content in members.items()
    }
    for name, packed in (("train", train), ("val", val)):
        if split in (name, "both"):
            (archives / f"ILSVRC2012_img_{name}.tar").write_bytes(tar_of(packed))
    if split == "both":  # the folders tell the labels
        (archives / "ILSVRC2012_devkit_t12.tar.gz").unlink()
    source = read_imagenet(archives)
    assert {each: contents(source, each) for each in ("train", "val")} == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("meta.bin", b"", r"meta\.bin is damaged.*remove it"),
        ("meta.bin", b"404: not found", r"meta\.bin is damaged.*remove it"),
        ("ILSVRC2012_devkit_t12/readme.txt", b"", "devkit_t12 is not the whole development kit"),
        ("LOC_val_solution.csv", b"ImageId,Label\na,n01440764\n", "lacks the columns ImageId and"),
        ("LOC_val_solution.csv", b"ImageId,PredictionString\na,\n", r"csv, line 2: no class"),
        ("LOC_val_solution.csv", b"", r"csv lacks the columns"),
        ("LOC_val_solution.csv", b"\xff\xfea", r"csv is no text"),
        ("LOC_synset_mapping.txt", b"n01440764", r"mapping\.txt, line 1: 'n01440764' has one"),
    ],
)
def test_a_damaged_table_is_named(archives, name, content, message):
    (archives / "ILSVRC2012_devkit_t12.tar.gz").unlink()
    write_tree(archives, {name: content})
    with pytest.raises(SourceError, match=message):
        read_imagenet(archives)


def test_labels_with_a_byte_order_mark(archives):
    expected = read_imagenet(archives)
    (archives / "ILSVRC2012_devkit_t12.tar.gz").unlink()
    names, ids = dict(expected.classes), [id_ for id_, _ in expected.classes]
    labels = {name: ids[label] for name, (_, label) in contents(expected, "val").items()}
    rows = "".join(f"{Path(name).stem},{id_} 1 2 3 4\r\n" for name, id_ in labels.items())
    (archives / "LOC_val_solution.csv").write_text(
        f"ImageId,PredictionString\r\n{rows}", "utf-8-sig"
    )
    mapping = "".join(f"{id_} {name}\r\n" for id_, name in names.items())
    (archives / "LOC_synset_mapping.txt").write_text(mapping, "utf-16")
    assert read_imagenet(archives).identity() == expected.identity()


def test_a_folder_around_the_set_is_no_set(unpacked):
    root = Path(unpacked["train"].root)
    shutil.move(root, root.with_name("moved"))
    shutil.move(root.with_name("moved"), root / "imagenet")
    assert len(read_imagenet(root).classes) == 3


def test_a_kit_without_its_table_is_an_error(archives):
    files = {name: c for name, c in devkit_files().items() if not name.endswith("meta.mat")}
    (archives / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(tar_of(files, "w:gz"))
    with pytest.raises(SourceError, match=r"meta\.mat"):
        read_imagenet(archives)


def test_a_part_of_imagenet_is_said_to_be_one(archives, caplog):
    open_source({"name": "imagenet", "root": archives})
    assert "9 and 5 images of 3 classes here, and 1,281,167 and 50,000 images of" in caplog.text


def test_annotations_are_found(unpacked):
    root = Path(unpacked["train"].root)
    write_tree(root, {"annotations/n01440764/a.xml": b"<annotation/>"})
    assert read_imagenet(root).annotations is None  # half a million of them, as published
    write_tree(root, {"annotations/train.parquet": jpeg(0)})
    assert read_imagenet(root).annotations == root / "annotations"


def box_file(*boxes: tuple[int, int, int, int]) -> bytes:
    """As ImageNet has them: 500x375, corners counted from 1."""
    objects = "".join(
        f"<object><name>n01440764</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
        for left, top, right, bottom in boxes
    )
    size = "<size><width>500</width><height>375</height><depth>3</depth></size>"
    return f"<annotation>{size}{objects}</annotation>".encode()


BOXES = {
    "val/ILSVRC2012_val_00000001.xml": box_file((1, 1, 500, 375)),
    "val/ILSVRC2012_val_00000002.xml": box_file((11, 21, 30, 40), (101, 5, 600, 50)),
    "val/ILSVRC2012_val_00000003.xml": box_file(),
}


@pytest.mark.parametrize("layout", ["published", "kaggle"])
def test_the_published_boxes_of_the_validation_images_are_read(archives, tmp_path, layout):
    if layout == "published":
        (archives / boxes.ARCHIVE).write_bytes(tar_of(BOXES, "w:gz"))
    else:
        write_tree(archives / boxes.KAGGLE, {Path(name).name: b for name, b in BOXES.items()})
    source = read_imagenet(archives)
    out = tmp_path / "prepared"
    prepare(
        source, out, image_size=32, filter="bilinear", storage="uint8", jpeg_quality=90, workers=1
    )
    paths = PreparedSet.open(out).split("val").paths
    found = dict(zip([Path(p).stem[-1] for p in paths], of_images(out, "val", paths), strict=True))
    assert (found["1"].width, found["1"].height) == (500, 375)
    assert found["1"].box == (0, 0, 500, 375)
    assert found["2"].box == (10, 4, 500, 50)  # the least that holds both, within the image
    assert found["3"].box is found["4"].box is None
    assert not any(each.landmarks for each in found.values())
    assert of_images(out, "train", ["any"]) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [(tar_of(BOXES, "w:gz")[:200], "damaged"), (tar_of({"1.xml": b"<a>"}, "w:gz"), "1.xml is no")],
)
def test_damaged_boxes_are_named(archives, content, message):
    (archives / boxes.ARCHIVE).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        read_imagenet(archives)
