import copy
import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from zfrepro.data.store import PreparedSet, StoreError
from zfrepro.files import reason
from zfrepro.lightning import pl
from zfrepro.training import checkpoints, precision, result
from zfrepro.training.callbacks import progress
from zfrepro.training.errors import wrong_at
from zfrepro.training.fit import Fitted, fit
from zfrepro.training.module import DivergedError, Row
from zfrepro.training.precision import choose_precision
from zfrepro.training.trained import load

Config = dict[str, Any]


class Stopped(BaseException):
    """Ends a training as abruptly as a test can without ending the process."""


def stop_after(epoch: int) -> Callable[[Row], None]:
    def report(row: Row) -> None:
        if row["epoch"] == epoch:
            raise Stopped

    return report


def weights(fitted: Fitted) -> dict[str, torch.Tensor]:
    return fitted.net.state_dict()


def same(a: Fitted, b: Fitted) -> bool:
    return all(torch.equal(weights(a)[name], weights(b)[name]) for name in weights(a))


def curves(fitted: Fitted) -> list[Row]:
    timing = ("seconds", "images_per_second")
    return [{k: v for k, v in row.items() if k not in timing} for row in fitted.history]


@pytest.fixture(scope="module")
def undisturbed(tiny: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    from zfrepro import config

    cfg = config.compose_experiment(
        "tab3_zfnet",
        ["profile=smoke", "model.width=0.125", "training.epochs=4", "training.batch=30",
         "training.precision=32-true", "trainer.progress=none"],
    )  # fmt: skip
    return fit(cfg, tiny, tmp_path_factory.mktemp("undisturbed"), lambda _: None)


def test_a_net_learns(tiny: PreparedSet, tiny_config: Config, folder: Path) -> None:
    """The bounds leave room for another machine's rounding, which so small a net amplifies."""
    epochs = 30
    tiny_config["training"] |= {"epochs": epochs, "batch": 10, "lr": 0.002}
    tiny_config["training"]["annealing"]["patience"] = epochs
    history = fit(tiny_config, tiny, folder, lambda _: None).history
    assert [row["epoch"] for row in history] == list(range(1, epochs + 1))
    assert min(row["train/loss"] for row in history) < 0.8 * math.log(4)
    assert history[0]["val/top1"] > 60
    assert min(row["val/top1"] for row in history) < 40


def test_the_same_seed_gives_the_same_weights(
    tiny: PreparedSet, tiny_config: Config, folder: Path, undisturbed: Fitted
) -> None:
    torch.manual_seed(99)  # whatever was drawn before plays no part
    again = fit(tiny_config, tiny, folder, lambda _: None)
    assert same(again, undisturbed)
    assert curves(again) == curves(undisturbed)
    other = fit({**tiny_config, "seed": 1}, tiny, folder.parent / "other", lambda _: None)
    assert not same(other, undisturbed)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_stopped_run_ends_with_the_weights_of_one_that_was_not(
    tiny: PreparedSet, tiny_config: Config, folder: Path, undisturbed: Fitted, epoch: int
) -> None:
    with pytest.raises(Stopped):
        fit(tiny_config, tiny, folder, stop_after(epoch))
    resumed = fit(tiny_config, tiny, folder, lambda _: None)
    assert same(resumed, undisturbed)
    assert curves(resumed) == curves(undisturbed)


def test_the_last_two_states_are_kept(
    tiny: PreparedSet, tiny_config: Config, folder: Path, undisturbed: Fitted
) -> None:
    with pytest.raises(Stopped):
        fit(tiny_config, tiny, folder, stop_after(3))
    kept = sorted(p.name for p in folder.glob("*.ckpt"))
    assert kept == ["epoch-00002.ckpt", "epoch-00003.ckpt"]
    assert checkpoints.newest(folder) == folder / "epoch-00003.ckpt"


@pytest.mark.parametrize("size", [0, 20_000, -1000])
def test_a_checkpoint_that_was_cut_off_costs_one_epoch(
    tiny: PreparedSet, tiny_config: Config, folder: Path, undisturbed: Fitted, size: int,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    with pytest.raises(Stopped):
        fit(tiny_config, tiny, folder, stop_after(3))
    last = folder / "epoch-00003.ckpt"
    last.write_bytes(last.read_bytes()[:size])
    again: list[float] = []
    resumed = fit(tiny_config, tiny, folder, lambda row: again.append(row["epoch"]))
    assert again == [3, 4]
    assert same(resumed, undisturbed)
    assert "epoch-00003.ckpt cannot be read" in caplog.text


def test_annealing_survives_a_stop(tiny: PreparedSet, tiny_config: Config, folder: Path) -> None:
    """The rate falls after two epochs without a better validation error, stop or no stop."""
    tiny_config["training"] |= {"lr": 1e-6, "epochs": 6}
    tiny_config["training"]["annealing"] = {
        "factor": 0.5,
        "patience": 1,
        "min_lr": 0.0,
        "milestones": None,
    }
    whole = fit(tiny_config, tiny, folder / "whole", lambda _: None)
    rates = [row["lr"] for row in whole.history]
    assert rates == pytest.approx([1e-6, 1e-6, 1e-6, 5e-7, 5e-7, 2.5e-7])
    for epoch in (2, 3, 4):
        part = folder / str(epoch)
        with pytest.raises(Stopped):
            fit(tiny_config, tiny, part, stop_after(epoch))
        resumed = fit(tiny_config, tiny, part, lambda _: None)
        assert [row["lr"] for row in resumed.history] == rates


def test_milestones_stand_for_annealing_by_hand(
    tiny: PreparedSet, tiny_config: Config, folder: Path
) -> None:
    rule = {"factor": 0.1, "patience": 1, "min_lr": 0.0005, "milestones": [1, 3]}
    tiny_config["training"]["annealing"] = rule
    with pytest.raises(Stopped):
        fit(tiny_config, tiny, folder, stop_after(1))
    history = fit(tiny_config, tiny, folder, lambda _: None).history
    assert [row["lr"] for row in history] == pytest.approx([0.01, 0.001, 0.001, 0.0005])


def test_checkpoints_and_weights_load_without_pickle(
    tiny: PreparedSet, tiny_config: Config, folder: Path
) -> None:
    tiny_config["training"]["epochs"] = 1
    fitted = fit(tiny_config, tiny, folder, lambda _: None)
    torch.load(folder / "epoch-00001.ckpt", weights_only=True)
    result.write(folder, fitted, tiny, tiny_config["crop"])
    loaded = load(folder / "weights.pt")
    assert loaded.classes == list(tiny.classes)
    assert loaded.net.spec == fitted.net.spec
    for name, value in weights(fitted).items():
        torch.testing.assert_close(loaded.net.state_dict()[name], value)
    table = pd.read_csv(folder / "epochs.csv")
    assert list(table) == result.COLUMNS
    assert table["val/top1"][0] == pytest.approx(fitted.history[0]["val/top1"], rel=1e-4)


def test_filters_stay_within_the_limit(
    tiny: PreparedSet, tiny_config: Config, folder: Path
) -> None:
    tiny_config["training"] |= {"epochs": 2, "max_filter_rms": 0.005}
    net = fit(tiny_config, tiny, folder, lambda _: None).net
    for conv in (module for module in net if isinstance(module, torch.nn.Conv2d)):
        rms = conv.weight.detach().square().mean((1, 2, 3)).sqrt()
        assert rms.max() <= 0.005 * (1 + 1e-5)


def test_a_diverging_run_stops_and_says_where(
    tiny: PreparedSet, tiny_config: Config, folder: Path
) -> None:
    tiny_config["training"] |= {"lr": 1e6, "max_filter_rms": None}
    with pytest.raises(DivergedError, match=r"step \d+ \(epoch 1\), learning rate 1e\+06.*none"):
        fit(tiny_config, tiny, folder, lambda _: None)


def test_divergence_names_the_last_good_checkpoint(
    tiny: PreparedSet, tiny_config: Config, folder: Path
) -> None:
    with pytest.raises(Stopped):
        fit(tiny_config, tiny, folder, stop_after(1))
    state = torch.load(folder / "epoch-00001.ckpt", weights_only=True)
    state["optimizer_states"][0]["param_groups"][0]["lr"] = 1e9
    torch.save(state, folder / "epoch-00001.ckpt")
    tiny_config["training"]["max_filter_rms"] = None
    with pytest.raises(DivergedError, match=r"epoch 2.*epoch-00001\.ckpt"):
        fit(tiny_config, tiny, folder, lambda _: None)


def test_a_net_that_learns_nothing_is_pointed_out(
    tiny: PreparedSet, tiny_config: Config, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tiny_config["training"] |= {"lr": 1e-9, "epochs": 5}
    fit(tiny_config, tiny, folder, lambda _: None)
    assert "after epoch 5" in caplog.text
    assert "1.386 is chance" in caplog.text
    assert "after epoch 4" not in caplog.text  # the first epochs say little


def test_wrong_at_counts_better_classes() -> None:
    logits = torch.tensor(
        [
            [9.0, 1, 2, 3, 4, 5, 6],
            [1, 2, 3, 4, 5, 6, 9],
            [0, 0, 0, 0, 0, 0, 0],
            [1, 9, 3, 4, 5, 0, 6],
        ]
    )
    wrong1, wrong5 = wrong_at(logits, torch.tensor([0, 0, 0, 2]))
    assert (wrong1.item(), wrong5.item()) == (2, 1)  # ranks 0, 6, 0 (first of a tie), 4
    wrong1, wrong5 = wrong_at(torch.zeros(7, 7), torch.arange(7))
    assert (wrong1.item(), wrong5.item()) == (6, 2)  # as argmax and top-5 of equal scores


def test_precision_is_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_precision("bf16-mixed", "cpu") == "bf16-mixed"
    assert choose_precision("auto", "cpu") == "32-true"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_precision("auto", "gpu") == "32-true"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for has_it, chosen in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda has=has_it, **_: has)
        assert choose_precision("auto", "gpu") == chosen


def test_nothing_private_of_torch_is_asked_for_the_precision() -> None:
    """The wheel for Apple silicon lacks torch.ops.mkldnn's question."""
    source = Path(precision.__file__).read_text()
    assert "torch._" not in source
    assert "torch.ops" not in source


class Killing:
    """A split whose images are loaded by a process that is killed meanwhile."""

    def __init__(self, split: Any, error: OSError | None) -> None:
        self._split, self._error = split, error

    def __len__(self) -> int:
        return len(self._split)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._split, name)

    def read(self, *_: Any) -> Any:
        if self._error:
            raise self._error
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        (None, ChildProcessError, "^a process that loads images was killed, most likely since"),
        (StoreError("train.npy is damaged"), StoreError, r"^train\.npy is damaged$"),
    ],
)
def test_what_loading_processes_die_of_is_one_line(
    tiny: PreparedSet, tiny_config: Config, folder: Path, raised: OSError | None,
    expected: type[Exception], message: str,
) -> None:  # fmt: skip
    broken = copy.copy(tiny)
    broken.split = lambda name: Killing(tiny.split(name), raised)  # type: ignore[method-assign,assignment,return-value]
    tiny_config["trainer"]["workers"] = 1
    with pytest.raises(expected, match=message):
        fit(tiny_config, broken, folder, lambda _: None)


def test_a_full_disk_names_the_checkpoint(
    tiny: PreparedSet, tiny_config: Config, folder: Path
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    (folder / checkpoints.UNFINISHED).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as found:
        fit(tiny_config, tiny, folder, lambda _: None)
    assert reason(found.value).startswith(f"the disk that {folder / checkpoints.UNFINISHED} is on")


def test_a_full_gpu_says_what_needs_less(
    tiny: PreparedSet, tiny_config: Config, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")

    monkeypatch.setattr(pl.Trainer, "fit", fail)
    with pytest.raises(MemoryError, match=r"the GPU has no room .*Tried to.*precision=bf16-mixed"):
        fit(tiny_config, tiny, folder, lambda _: None)


def test_unknown_progress_names_the_key() -> None:
    with pytest.raises(ValueError, match=r"trainer\.progress is 'loud'.*bar"):
        progress("loud")
