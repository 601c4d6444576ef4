"""ImageNet 2012 in the layouts in which it is kept, against torchvision's reader."""

import io
import shutil
import tarfile
from pathlib import Path

import pytest
from imagenet_archives import WNIDS, devkit_files, tar_of, train_files, val_files, write_archives
from pictures import jpeg, write_tree
from torchvision.datasets import ImageNet
from torchvision.datasets import imagenet as torchvision_imagenet

from zfrepro.data.sources import SourceError, tars
from zfrepro.data.sources.imagenet import read_imagenet


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
    with pytest.raises(SourceError, match=f"{name} is no whole, uncompressed tar"):
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


def test_names_in_an_archive_lead_nowhere(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("../../evil.JPEG", "/etc/evil2.JPEG", "снимок" * 30 + ".JPEG", "._a.JPEG"):
            member = tarfile.TarInfo(name)
            member.size = 5
            tar.addfile(member, io.BytesIO(b"pixel"))
        link = tarfile.TarInfo("link.JPEG")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    archive = tmp_path / "a.tar"
    archive.write_bytes(buffer.getvalue())
    members = tars.images(archive)
    assert [m.name for m in members] == ["evil.JPEG", "evil2.JPEG", "снимок" * 30 + ".JPEG"]
    content = archive.read_bytes()
    assert {content[m.offset : m.offset + m.size] for m in members} == {b"pixel"}


def test_a_kit_without_its_table_is_an_error(archives):
    files = {name: c for name, c in devkit_files().items() if not name.endswith("meta.mat")}
    (archives / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(tar_of(files, "w:gz"))
    with pytest.raises(SourceError, match=r"meta\.mat"):
        read_imagenet(archives)


def test_annotations_are_found(unpacked):
    root = Path(unpacked["train"].root)
    assert read_imagenet(root).annotations is None
    write_tree(root, {"annotations/train.parquet": jpeg(0)})
    assert read_imagenet(root).annotations == root / "annotations"
