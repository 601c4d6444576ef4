"""Files of `torch.save`: equal content in equal bytes, and damage noticed before it is a number."""

import os
import pickle
import re
import signal
import sys
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from zfrepro.files import named

LFS = b"version https://git-lfs"
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
LONGEST = 600  # characters of another library's message


class WeightsError(ValueError):
    """A file that holds no trained network of this project; says what is wrong with it."""


def save(content: Mapping[str, Any], path: Path) -> None:
    """Writes a dict of tensors and plain values, and waits until the disk has it.

    Into an open file: the folder inside the archive would else bear the name of `path`.

    Raises:
        OSError: a full disk, or another that does not take it; names the file.
    """
    with named(path), path.open("wb") as file:
        try:
            with undisturbed():
                torch.save(_plain(content), file)
        except RuntimeError as error:  # what torch makes of an error of the file
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until the end.

    torch writes from C++, where what Python's handler raises becomes another error, or ends the
    process at once.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone runs handlers
        yield
        return
    came: list[int] = []
    before = {
        number: handler
        for number in (signal.SIGINT, signal.SIGTERM)
        if (handler := signal.getsignal(number)) is not None
    }
    for number in before:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])


def read(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """The dict that `torch.save` wrote to `path`; numbers and names only, nothing is executed.

    Raises:
        FileNotFoundError: no such file.
        WeightsError: it is cut off, damaged, of another program, or holds code or no dict.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there")
    _check_sums(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except pickle.UnpicklingError as error:
        message = str(error)
        is_pickle = "Unsupported operand" not in message  # of text, such as a saved error page
        if not is_pickle or ("weights_only" not in message and "WeightsUnpickler" not in message):
            with path.open("rb") as file:
                if file.read(len(LFS)) == LFS:
                    raise WeightsError(
                        f"{path} is a pointer of Git LFS and not the file: `git lfs pull`"
                    ) from error
            raise WeightsError(f"{path} is cut off or no file of torch.save") from error
        raise WeightsError(
            f"{path} is refused: it holds more than numbers and names, and reading that would run "
            f"code of whoever made it ({_foreign(error)}); save the state_dict() instead"
        ) from error
    except Exception as error:  # damage can make an unpickler raise almost anything
        raise WeightsError(
            f"{path} is cut off or no file of torch.save ({in_one_line(error)})"
        ) from error
    if not isinstance(content, dict):
        raise WeightsError(
            f"{path} holds no network of this project: a {type(content).__name__}, not a dict"
        )
    return content


def _plain(value: Any) -> Any:
    """A copy without tensors' copies in which equal words are one object, and no two lists are.

    A pickle refers back to an object that it has written, and so tells one object from two equal
    ones, which say where a configuration came from.
    """
    if isinstance(value, Mapping):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return sys.intern(value) if type(value) is str else value


def _check_sums(path: Path) -> None:
    """Compares the checksums in the archive, which `torch.load` does not."""
    with path.open("rb") as file:
        if file.read(2) != b"PK":  # the format before it was an archive has none
            return
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except Exception as error:  # as above
        raise WeightsError(
            f"{path} is cut off or no file of torch.save ({in_one_line(error)})"
        ) from error
    if damaged:
        raise WeightsError(
            f"{path} is damaged: {damaged} in it has another checksum; copy it anew, or remove it "
            "and make it again"
        )


def in_one_line(error: Exception) -> str:
    """What an error says, as it can stand in another one's message: no lines, no colours."""
    words = " ".join(ESCAPE.sub("", str(error)).split()) or repr(error)
    return words if len(words) <= LONGEST else f"{words[:LONGEST]} ..."


def _foreign(error: Exception) -> str:
    """What a file holds beside numbers and names: torch's advice on it is to run it."""
    found = re.search(r"GLOBAL (\S+)", str(error))
    return found[1] if found else in_one_line(error)
