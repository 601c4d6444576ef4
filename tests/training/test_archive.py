"""Files of torch.save: equal bytes, damage that is noticed, and a disk that is full."""

import errno
import json
import os
import signal
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from zfrepro.files import reason
from zfrepro.training import archive, checkpoints
from zfrepro.training.archive import WeightsError


@pytest.fixture
def content() -> dict[str, Any]:
    word, pair = "conv1", [1, 2]
    return {"weights": torch.arange(1000.0), "epoch": 3, "names": {word: [word, word, pair, pair]}}


def test_equal_content_gives_equal_bytes_whatever_the_file_is_called(
    content: dict[str, Any], tmp_path: Path
) -> None:
    archive.save(content, tmp_path / "one.pt")
    # as it comes from another process: equal words and lists that are not the same objects
    content["names"] = json.loads(json.dumps(content["names"]))
    archive.save(content, tmp_path / ".two.pt.x7.part")
    one, two = (tmp_path / name for name in ("one.pt", ".two.pt.x7.part"))
    assert one.read_bytes() == two.read_bytes()
    assert torch.equal(archive.read(one)["weights"], content["weights"])


def test_a_flipped_bit_is_noticed(content: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    archive.save(content, path)
    whole = path.read_bytes()
    at = whole.index(content["weights"].numpy().tobytes()) + 100
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 8]) + whole[at + 1 :])
    assert not torch.equal(torch.load(path, weights_only=True)["weights"], content["weights"])
    with pytest.raises(WeightsError, match=r"a\.pt is damaged: archive/data/0.*copy it anew"):
        archive.read(path)


def test_a_damaged_pickle_with_a_right_checksum_is_no_checkpoint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = dict.fromkeys(checkpoints.NEEDED, 1)
    archive.save(state, tmp_path / "epoch-00001.ckpt")
    archive.save({"epoch": 3}, tmp_path / "epoch-00003.ckpt")
    with zipfile.ZipFile(tmp_path / "epoch-00001.ckpt") as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    parts["archive/data.pkl"] = b"\x80\x02" + bytes(range(200))
    with zipfile.ZipFile(tmp_path / "epoch-00002.ckpt", "w") as damaged:
        for name, part in parts.items():
            damaged.writestr(name, part)
    assert checkpoints.newest(tmp_path) == tmp_path / "epoch-00001.ckpt"
    assert "epoch-00002.ckpt cannot be read" in caplog.text
    assert "epoch-00003.ckpt lacks annealing, history" in caplog.text


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """/dev/full takes nothing; torch makes a RuntimeError of what it says."""
    full = tmp_path / "weights.pt"
    full.symlink_to("/dev/full")
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with pytest.raises(OSError, match="No space left") as found:
        archive.save({"weights": torch.zeros(1_000_000)}, full)
    assert reason(found.value).startswith(f"the disk that {full} is on is full: free some")
    assert (
        reason(OSError(errno.ENOENT, os.strerror(errno.ENOENT), "x"))
        == "x: No such file or directory"
    )


def test_signals_wait_until_a_file_is_written(tmp_path: Path) -> None:
    """torch makes another error of what a handler raises, or ends the process."""
    before = signal.getsignal(signal.SIGINT)
    path = tmp_path / "weights.pt"

    def write() -> None:
        with archive.undisturbed():
            os.kill(os.getpid(), signal.SIGINT)
            archive.save({"weights": torch.ones(3)}, path)

    with pytest.raises(KeyboardInterrupt):
        write()
    assert archive.read(path)["weights"].tolist() == [1, 1, 1]
    assert signal.getsignal(signal.SIGINT) is before
