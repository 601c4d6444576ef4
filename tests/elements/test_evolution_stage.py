import pandas as pd
import pytest

from zfrepro.elements.evolution import stage
from zfrepro.outcome import Measure

CURVES = {  # correlation and share changed at epochs 1, 2 and 4
    ("one", "conv1"): ([0.5, 0.9, 1.0], [None, 0.4, 0.2]),
    ("one", "conv2"): ([0.1, 0.2, 1.0], [None, 0.8, 0.6]),
    ("two", "conv1"): ([0.8, 0.7, 1.0], [None, 0.0, 0.2]),
    ("two", "conv2"): ([0.3, 0.8, 1.0], [None, 1.0, 0.0]),
}


def test_a_layer_has_settled_from_the_first_epoch_that_is_like_the_last() -> None:
    rows = [
        {"network": network, "layer": layer, "epoch": epoch, "correlation": c, "changed": changed}
        for (network, layer), curves in CURVES.items()
        for epoch, c, changed in zip((1, 2, 4), *curves, strict=True)
    ]
    by_network = stage.settled(pd.DataFrame(rows))
    found = by_network.set_index(["network", "layer"])
    assert found["settled at epoch"].to_dict() == {
        ("one", "conv1"): 2, ("one", "conv2"): 4, ("two", "conv1"): 1, ("two", "conv2"): 2
    }  # fmt: skip
    assert found.loc[("one", "conv2"), "correlation before the end"] == pytest.approx(15)
    assert found.loc[("one", "conv2"), "strongest image changed"] == pytest.approx(70)
    summary = stage.over_seeds(by_network)
    assert summary.loc["conv1", "settled at epoch"] == 1.5
    assert summary.loc["conv1", "settled at epoch, ±"] == pytest.approx(0.5**0.5)
    measures = stage.measures(by_network, summary)
    assert measures["settled_at_epoch/conv2"] == 3
    order = measures["order"]
    assert isinstance(order, Measure)
    assert order.parts[0].interval.mean == pytest.approx(1.5)  # epochs later a layer: 2 and 1
    assert (order.resampled, order.count, order.networks) == ("networks", 2, ("one", "two"))
    assert "strongest image changed: +40 points a layer" in order.note
