"""Raw images and archives of which bytes have changed, and archives made to do harm."""

import io
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from zfrepro.data.decode import BadImageError, decode, fit
from zfrepro.data.listing import SourceError
from zfrepro.data.sources import tars
from zfrepro.data.sources.archives import unpack
from zfrepro.data.sources.meta import read_meta
from zfrepro.data.sources.voc import objects_of

if TYPE_CHECKING:
    from conftest import Faults

TRIES = 60  # of each kind of file
FOLDER = "256_ObjectCategories"
KINDS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM")


def picture(kind: str) -> bytes:
    smooth = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(smooth).resize((45, 36), Image.Resampling.BICUBIC).save(buffer, kind)
    return buffer.getvalue()


def files() -> dict[str, bytes]:
    return {f"{FOLDER}/{c}/{i}.jpg": picture("JPEG") for c in ("a", "b") for i in range(2)}


def tar(mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=tarfile.PAX_FORMAT) as packed:
        for name, content in files().items():
            member = tarfile.TarInfo(name)
            member.size, member.pax_headers = len(content), {"comment": "ä" * 30}
            packed.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files().items():
            packed.writestr(name, content)
    return buffer.getvalue()


def mutations(content: bytes, tries: int = TRIES) -> Iterator[bytes]:
    """Cut off, bytes replaced, a piece left out or put in twice: headers as often as the rest."""
    rng = random.Random(len(content))
    for number in range(tries):
        changed = bytearray(content)
        place = rng.randrange(min(len(content), 600) if number % 2 else len(content))
        match number % 4:
            case 0:
                del changed[place:]
            case 1:
                changed[place] ^= 1 << rng.randrange(8)
            case 2:
                del changed[place : place + rng.randrange(1, 40)]
            case 3:
                changed[place : place + 4] = rng.randbytes(4)
        yield bytes(changed)


def outcome(faults: "Faults", row: str, act: Callable[[], object], clear: type[Exception]) -> None:
    try:
        act()
        faults.count(row, "survived")
    except clear as error:
        faults.count(row, "clear error" if str(error) else "other", error)
    except Exception as error:  # a traceback for the user
        faults.count(row, "other", f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("kind", KINDS)
def test_images(faults: "Faults", kind: str) -> None:
    for content in mutations(picture(kind)):
        outcome(
            faults, "a raw image, changed bytes (survived: it still is one)",
            lambda content=content: fit(decode(content).image, 32, "bilinear"), BadImageError,
        )  # fmt: skip


@pytest.mark.parametrize("make", [lambda: tar("w"), lambda: tar("w:gz"), zipped])
def test_archives(faults: "Faults", tmp_path: Path, make: Callable[[], bytes]) -> None:
    """One that is unpacked, and one whose members are read where they lie."""
    archive = tmp_path / "in" / f"{FOLDER}.tar"
    archive.parent.mkdir()
    for content in mutations(make()):
        archive.write_bytes(content)
        row = "an archive of images, changed bytes (survived: it still is one)"
        outcome(faults, row, lambda: unpack(archive, archive.parent / FOLDER), SourceError)
        outcome(faults, row, lambda: tars.images(archive), SourceError)
        assert [path.name for path in tmp_path.iterdir()] == ["in"]
        shutil.rmtree(archive.parent / FOLDER, ignore_errors=True)


XML = (
    b'<?xml version="1.0" encoding="utf-8"?><annotation><object><name>cat</name>'
    b"<difficult>0</difficult></object></annotation>"
)
KAGGLE = b"ImageId,PredictionString\nILSVRC2012_val_00000001,n01440764 1 2 3 4\n"


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        ("a.xml", XML, objects_of),
        ("LOC_val_solution.csv", KAGGLE, lambda path: read_meta(path.parent)),
        ("LOC_synset_mapping.txt", b"n01440764 tench\n", lambda path: read_meta(path.parent)),
        ("ILSVRC2012_devkit_t12.tar.gz", tar("w:gz"), lambda path: read_meta(path.parent)),
        ("meta.bin", zipped(), lambda path: read_meta(path.parent)),
    ],
)
def test_annotations(
    faults: "Faults", tmp_path: Path, name: str, content: bytes, read: Callable[[Path], object]
) -> None:
    for changed in mutations(content):
        (tmp_path / name).write_bytes(changed)
        row = "a list or annotation, changed bytes (survived: it still is one)"
        outcome(faults, row, lambda: read(tmp_path / name), SourceError)


def link(name: str, kind: bytes, target: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        packed.addfile(member)
        through = tarfile.TarInfo(f"{name}/outside.jpg")
        through.size = 1
        packed.addfile(through, io.BytesIO(b"x"))
    return buffer.getvalue()


def named(name: str, archive: str) -> bytes:
    buffer = io.BytesIO()
    if archive == "zip":
        with zipfile.ZipFile(buffer, "w") as packed:
            packed.writestr(name, b"x")
    else:
        with tarfile.open(fileobj=buffer, mode="w") as packed_tar:
            member = tarfile.TarInfo(name)
            member.size = 1
            packed_tar.addfile(member, io.BytesIO(b"x"))
    return buffer.getvalue()


HARMFUL = {
    **{
        f"{archive} {name}": named(name, archive)
        for archive in ("tar", "zip")
        for name in ("../outside.jpg", f"{FOLDER}/../../outside.jpg", "/outside.jpg", "a/../../b")
    },
    **{
        f"{kind!r} to {target}": link(f"{FOLDER}/a", kind, target)
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE)
        for target in ("/etc", "..", "../..", "b", "/".join(["d" * 200] * 30) + "/../..")
    },
    **{f"{kind!r}": link(f"{FOLDER}/a", kind, "") for kind in (tarfile.FIFOTYPE, tarfile.CHRTYPE)},
}


@pytest.mark.parametrize("name", HARMFUL)
def test_harmful_archives(faults: "Faults", tmp_path: Path, name: str) -> None:
    archive = tmp_path / "in" / f"{FOLDER}.tar"
    archive.parent.mkdir()
    archive.write_bytes(HARMFUL[name])
    row = "an archive that writes outside its folder, or links"
    with pytest.raises(SourceError, match="is refused"):
        unpack(archive, archive.parent / FOLDER)
    wrote = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix == ".jpg"]
    faults.count(row, "other" if wrote else "clear error", f"{name} wrote {wrote}")
