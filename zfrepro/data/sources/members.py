"""What is taken from an archive: plain files, below the folder that they are unpacked into.

Of Python's own guards, those of zips pass over what would lead elsewhere, and those of tars can
be escaped before 3.11.13: here an archive that holds such a member is refused as a whole.
"""

import stat
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from zfrepro.data.listing import SourceError
from zfrepro.data.sources.tree import is_litter


def tar_path(member: tarfile.TarInfo, archive: Path) -> PurePosixPath | None:
    """Where a file lies in the archive's tree; None of a folder and of what is passed over.

    Raises:
        SourceError: a link, a device, or a name that leads out of the tree.
    """
    path = _inside(member.name, archive)
    if member.isdir() or path is None:
        return None
    if not member.isreg() or member.issparse():
        linked = member.islnk() or member.issym()
        kind = f"a link to {member.linkname}" if linked else "no plain file"
        raise refusal(archive, f"{member.name} in it is {kind}")
    return path


def zip_path(member: zipfile.ZipInfo, archive: Path) -> PurePosixPath | None:
    """As `tar_path`.

    Raises:
        SourceError: as of `tar_path`, or it is encrypted.
    """
    path = _inside(member.filename, archive)
    if member.is_dir() or path is None:
        return None
    kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the archive comes from Windows
    if kind not in (0, stat.S_IFREG):
        raise refusal(archive, f"{member.filename} in it is a link or a device")
    if member.flag_bits & 1:
        raise refusal(archive, "it is encrypted: unpack it yourself, with its password")
    return path


def refusal(archive: Path, reason: str) -> SourceError:
    return SourceError(f"{archive} is refused: {reason}")


def _inside(name: str, archive: Path) -> PurePosixPath | None:
    """`name` as a path; None where a part of it is hidden, or litter."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise refusal(archive, f"{name!r} leads out of the folder that it is unpacked into")
    return None if any(map(is_litter, path.parts)) else path
