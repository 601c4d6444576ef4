"""Trainings that start from a trained network (section 5.2)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.test_fit import Stopped, same, stop_after
from zfrepro.data.store import PreparedSet
from zfrepro.training.fit import build_net, fit
from zfrepro.training.start import StartError
from zfrepro.training.trained import Trained

Config = dict[str, Any]


@pytest.fixture
def start(tiny: PreparedSet, tiny_config: Config) -> Trained:
    """Random weights of another seed, another mean image, and seven classes."""
    return Trained(
        net=build_net({**tiny_config, "seed": 9}, 7),
        mean=torch.full((tiny.image_size, tiny.image_size, 3), 100.0),
        image_size=tiny.image_size,
        crop=tiny_config["crop"],
        classes=[(f"m{i}", "other") for i in range(7)],
        resize_filter="bicubic",
    )


def test_frozen_layers_stay_and_the_others_learn(
    tiny: PreparedSet, tiny_config: Config, folder: Path, start: Trained
) -> None:
    tiny_config["training"] |= {"frozen_up_to": "conv5", "max_filter_rms": 0.005, "epochs": 2}
    fitted = fit(tiny_config, tiny, folder / "whole", lambda _: None, start)
    theirs, ours = start.net.state_dict(), fitted.net.state_dict()
    for name, weights in ours.items():
        if name.startswith("conv"):
            assert torch.equal(weights, theirs[name]), name  # not even clipped
        else:
            assert weights.shape != theirs[name].shape or not torch.equal(weights, theirs[name])
    assert ours["fc8.bias"].shape == (4,)
    assert torch.equal(fitted.mean, start.mean)
    with pytest.raises(Stopped):
        fit(tiny_config, tiny, folder / "part", stop_after(1), start)
    assert same(fit(tiny_config, tiny, folder / "part", lambda _: None, start), fitted)


def test_the_same_classes_keep_their_last_layer(
    tiny: PreparedSet, tiny_config: Config, folder: Path, start: Trained
) -> None:
    same_classes = replace(start, net=build_net(tiny_config, 4), classes=list(tiny.classes))
    tiny_config["training"] |= {"lr": 1e-12, "annealing": {**tiny_config["training"]["annealing"]}}
    tiny_config["training"] |= {"epochs": 1, "weight_decay": 0.0}
    fitted = fit({**tiny_config, "seed": 5}, tiny, folder, lambda _: None, same_classes)
    torch.testing.assert_close(
        fitted.net.fc8.weight, same_classes.net.fc8.weight, rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    ("changes", "layer", "message"),
    [
        ({"image_size": 96}, None, r"trained with data\.image_size=96, and here it is 64: set"),
        ({"crop": 40}, None, r"trained with crop=40, and here it is 56: set crop=40"),
        ({}, "fc8", "frozen_up_to is fc8; it can be conv1, .*, fc7"),
        ({}, "conv9", "frozen_up_to is conv9; it can be conv1, .*, fc7"),
    ],
)
def test_what_does_not_fit_names_the_key(
    tiny: PreparedSet, tiny_config: Config, folder: Path, start: Trained, changes: Config,
    layer: str | None, message: str,
) -> None:  # fmt: skip
    tiny_config["training"]["frozen_up_to"] = layer
    with pytest.raises(StartError, match=message):
        fit(tiny_config, tiny, folder, lambda _: None, replace(start, **changes))


def test_another_table_and_random_frozen_weights_are_refused(
    tiny: PreparedSet, tiny_config: Config, folder: Path, start: Trained
) -> None:
    wider = {**tiny_config["model"], "layers": {**tiny_config["model"]["layers"]}}
    wider["layers"]["conv3"] = {**wider["layers"]["conv3"], "maps": 16}
    with pytest.raises(StartError, match=r"conv3\.weight is \(48.*\) in the .* and \(16, .*model"):
        fit({**tiny_config, "model": wider}, tiny, folder, lambda _: None, start)
    tiny_config["training"]["frozen_up_to"] = "conv5"
    with pytest.raises(StartError, match=r"freeze random weights: name .* training\.start=NAME"):
        fit(tiny_config, tiny, folder, lambda _: None)
