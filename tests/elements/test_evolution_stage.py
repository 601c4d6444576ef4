import pandas as pd
import pytest

from zfrepro.elements.evolution import stage
from zfrepro.outcome import Measure

CURVES = {  # correlation and share changed at steps 10, 20 and 40
    ("one", "conv1"): ([0.5, 0.9, 1.0], [None, 0.4, 0.2]),
    ("one", "conv2"): ([0.1, 0.2, 1.0], [None, 0.8, 0.6]),
    ("two", "conv1"): ([0.8, 0.7, 1.0], [None, 0.0, 0.2]),
    ("two", "conv2"): ([0.3, 0.8, 1.0], [None, 1.0, 0.0]),
}


def test_a_layer_has_settled_from_the_first_step_that_is_like_the_last() -> None:
    rows = [
        {
            "network": network,
            "layer": layer,
            "step": step,
            "correlation": c,
            "cka": c / 2,
            "changed": changed,
        }
        for (network, layer), curves in CURVES.items()
        for step, c, changed in zip((10, 20, 40), *curves, strict=True)
    ]
    by_network = stage.settled(pd.DataFrame(rows))
    found = by_network.set_index(["network", "layer"])
    assert found["settled at step"].to_dict() == {
        ("one", "conv1"): 20, ("one", "conv2"): 40, ("two", "conv1"): 10, ("two", "conv2"): 20
    }  # fmt: skip
    assert found.loc[("one", "conv2"), "correlation before the end"] == pytest.approx(15)
    assert found.loc[("one", "conv2"), "CKA before the end"] == pytest.approx(7.5)
    assert found.loc[("one", "conv2"), "strongest image changed"] == pytest.approx(70)
    summary = stage.over_seeds(by_network)
    assert summary.loc["conv1", "settled at step"] == 15
    assert summary.loc["conv1", "settled at step, ±"] == pytest.approx(50**0.5)
    measures = stage.measures(by_network, summary)
    assert measures["settled_at_step/conv2"] == 30
    order = measures["order"]
    assert isinstance(order, Measure)
    assert order.parts[0].interval.mean == pytest.approx(15)  # steps later a layer: 20 and 10
    assert (order.resampled, order.count, order.networks) == ("networks", 2, ("one", "two"))
    assert "strongest image changed: +40 points a layer" in order.note
