"""Weights as people hand them over."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.run_folders import save_weights
from zfrepro.training.states import bare, unpacked
from zfrepro.training.trained import WeightsError, load

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "weights.pt"
    save_weights(path)
    return path


def changed(good: Path, folder: Path, change: Callable[[State], State], **others: Any) -> Path:
    content = torch.load(good, weights_only=True)
    path = folder / "mine.pt"
    torch.save({**content, "state_dict": change(content["state_dict"]), **others}, path)
    return path


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model.", "net.module."]
)
def test_what_wrappers_put_before_names_is_taken_off_with_a_word(
    good: Path, tmp_path: Path, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = changed(good, tmp_path, lambda s: {prefix + k: v for k, v in s.items()})
    weight = load(path).net.conv1.weight
    torch.testing.assert_close(weight, load(good).net.conv1.weight)
    assert f"mine.pt: its tensor {prefix}conv1.weight is taken for conv1.weight" in caplog.text


def test_names_as_they_should_be_are_left_without_a_word(
    good: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        half = load(changed(good, tmp_path, lambda s: {k: v.half() for k, v in s.items()})).net
    assert half.conv1.weight.dtype == torch.float32
    assert not caplog.text


def test_what_is_wrong_with_the_tensors_is_said_whole(good: Path, tmp_path: Path) -> None:
    missing = changed(good, tmp_path, lambda s: {"net2." + k: v for k, v in s.items()})
    with pytest.raises(WeightsError, match=r'Missing key.*"conv1.weight".*Unexpected.*net2\.conv1'):
        load(missing)
    reshaped = changed(good, tmp_path, lambda s: s | {"conv1.bias": torch.zeros(99)})
    with pytest.raises(WeightsError, match=r"size mismatch for conv1\.bias.*\[99\]"):
        load(reshaped)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (nn.Linear(2, 2), r"more than numbers and names.*\(torch\.nn.*Linear\); save the state_d"),
        ({"conv1.weight": torch.zeros(2)}, r"has no model \(it has conv1\.weight\).*model=NAME"),
    ],
)
def test_another_file_says_what_is_wanted(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "theirs.pt")
    with pytest.raises(WeightsError, match=message) as caught:
        load(tmp_path / "theirs.pt")
    assert "\x1b" not in str(caught.value)


def test_a_pointer_of_git_lfs_is_known(tmp_path: Path) -> None:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    (tmp_path / "weights.pt").write_text(text)
    with pytest.raises(WeightsError, match="pointer of Git LFS and not the file: `git lfs pull`"):
        load(tmp_path / "weights.pt")


def test_a_checkpoint_is_unpacked_and_an_inner_wrapper_taken_off() -> None:
    """As pytorch/examples saves AlexNet: only the part that ran in parallel has the prefix."""
    weight = torch.zeros(3)
    state = {"features.module.0.weight": weight, "classifier.1.weight": weight}
    content = {"epoch": 90, "state_dict": state, "best_acc1": torch.tensor(56.5)}
    assert list(bare(unpacked(content), Path("theirs"))) == [
        "features.0.weight", "classifier.1.weight",
    ]  # fmt: skip
    assert unpacked(state) is state
    clash = {"module.weight": weight, "weight": weight}
    assert bare(clash, Path("theirs")) is clash
