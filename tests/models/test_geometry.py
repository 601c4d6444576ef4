"""Sizes, weights, costs and errors that follow from a table of layers alone."""

import subprocess
import sys

import pytest
from layer_tables import LAYERS, POOL, alexnet, changed, tiny, zfnet

from zfrepro.models.geometry import Field, parameters, smallest_crop, table


def rows_of(layers, crop=224, **kwargs):
    rows = table(layers, classes=1000, crop=crop, pool=POOL, **kwargs)
    return {row.name: row for row in rows}


def test_zfnet_has_the_papers_map_sizes_and_weights():
    rows = rows_of(zfnet())
    sides = [
        rows[name].outputs[1] for name in ("conv1", "pool1", "conv2", "pool2", "conv5", "pool5")
    ]
    assert sides == [110, 55, 26, 13, 13, 6]
    assert {name: rows[name].parameters for name in LAYERS} == {
        "conv1": (7 * 7 * 3 + 1) * 96,
        "conv2": (5 * 5 * 96 + 1) * 256,
        "conv3": (3 * 3 * 256 + 1) * 384,
        "conv4": (3 * 3 * 384 + 1) * 384,
        "conv5": (3 * 3 * 384 + 1) * 256,
        "fc6": (9216 + 1) * 4096,
        "fc7": (4096 + 1) * 4096,
        "fc8": (4096 + 1) * 1000,
    }
    assert parameters(list(rows.values())) == 62_357_608


def test_wide_zfnet_and_grouped_alexnet_have_their_published_weights():
    wide = changed(zfnet(), conv3={"maps": 512}, conv4={"maps": 1024}, conv5={"maps": 512})
    assert parameters(list(rows_of(wide).values())) == 107_627_624
    rows = rows_of(alexnet())
    assert parameters(list(rows.values())) == 60_965_224
    sides = [rows[name].outputs[1] for name in ("conv1", "pool1", "conv2", "pool2", "pool5")]
    assert sides == [55, 27, 27, 13, 6]
    assert list(rows)[:4] == ["conv1", "relu1", "norm1", "pool1"]


def test_floor_pooling_loses_the_papers_sizes():
    rows = table(zfnet(), classes=10, crop=224, pool={**POOL, "ceil": False})
    sides = {row.name: row.outputs[-1] for row in rows}
    assert (sides["pool1"], sides["pool2"]) == (54, 12)


def test_cost_of_a_layer_counts_groups():
    rows = rows_of(alexnet())
    assert rows["conv2"].fan_in == 5 * 5 * 48
    assert rows["conv2"].multiply_adds == 27 * 27 * 256 * 5 * 5 * 48
    assert rows["fc6"].multiply_adds == 9216 * 4096
    assert rows["relu1"].multiply_adds == rows["pool1"].parameters == 0


def test_receptive_fields_of_zfnet():
    rows = rows_of(zfnet())
    assert rows["conv1"].field == Field(7, 2, -1)
    assert rows["pool1"].field == Field(11, 4, -1)  # 7 + 2 * 2
    assert rows["conv2"].field == Field(27, 8, -1)  # 11 + 4 * 4
    assert rows["conv3"].field == Field(75, 16, -17)  # 43 + 2 * 16, padding 1 * 16
    assert rows["pool5"].field == Field(171, 32, -49)
    assert rows["fc6"].field is None


@pytest.mark.parametrize("name", LAYERS[:-1])
def test_any_layer_can_be_removed_and_the_others_keep_their_names(name):
    rows = rows_of({**zfnet(), name: None})
    gone = {row for row in rows_of(zfnet()) if row[-1] == name[-1]}
    assert list(rows) == [row for row in rows_of(zfnet()) if row not in gone]
    assert rows["fc8"].outputs == (1000,)


def test_removing_layers_6_and_7_feeds_the_maps_to_the_output():
    rows = rows_of({**zfnet(), "fc6": None, "fc7": None})
    assert rows["fc8"].inputs == (9216,)


def test_the_order_of_the_mapping_is_free():
    assert list(rows_of(dict(reversed(zfnet().items())))) == list(rows_of(zfnet()))


def test_no_normalisation_leaves_the_norms_out():
    assert [name for name in rows_of(zfnet(), normalisation="none") if "norm" in name] == []


@pytest.mark.parametrize(("layers", "least"), [(zfnet(), 47), (alexnet(), 35)])
def test_a_crop_too_small_names_layer_size_and_remedy(layers, least):
    assert smallest_crop(layers, POOL) == least
    assert rows_of(layers, crop=least)["pool5"].outputs == (256, 1, 1)
    with pytest.raises(ValueError, match=rf"pool5 gets a map of 1x1 .* works is {least}"):
        rows_of(layers, crop=least - 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fc9": None}, r"layers\.fc9: no such layer to remove"),
        ({"conv6": None}, r"layers\.conv6: no such layer to remove"),
        ({"fc8": None}, r"layers\.fc8: .* it is the output"),
        ({"fc10": {"units": 8}}, r"layers\.fc10: layers are numbered"),
        ({"pool1": {}}, r"layers\.pool1: a layer is named"),
        (
            {"conv2": {"channels": 8}},
            r"layers\.conv2\.channels: unknown key; known: groups, kernel",
        ),
        ({"conv2": {"then": ["relu", "lrn"]}}, r"conv2\.then: 'lrn' is none of relu, pool"),
        ({"conv2": {"then": ["relu", "relu"]}}, r"conv2\.then: a word stands twice"),
        ({"fc6": {"then": ["pool"]}}, r"fc6\.then: 'pool' is none of relu, drop"),
        ({"conv2": {"groups": 3}}, r"conv2\.groups: 3 groups do not divide 8 maps coming in"),
        ({"conv2": {"maps": 8.5}}, r"conv2\.maps: 8\.5 is not a whole number of at least 1"),
        ({"fc7": {"units": "classes"}}, r"fc7\.units: the last layer, and no other"),
        ({"fc8": {"units": 10}}, r"fc8\.units: the last layer, and no other"),
    ],
)
def test_mistakes_name_the_key(change, message):
    with pytest.raises(ValueError, match=message):
        rows_of(changed(tiny(), **change), crop=64)


def test_a_missing_key_and_misplaced_layers_are_errors():
    with pytest.raises(ValueError, match=r"layers\.conv1: the key kernel is missing"):
        rows_of({**tiny(), "conv1": {"maps": 8, "stride": 1, "padding": 0}})
    dense_first = {"fc1": {"units": 8}, "conv2": tiny()["conv2"], "fc3": {"units": "classes"}}
    with pytest.raises(ValueError, match=r"conv2: a convolution cannot follow fc1"):
        rows_of(dense_first)
    with pytest.raises(ValueError, match=r"normalisation: 'batch' is none of lrn, lcn, none"):
        rows_of(tiny(), normalisation="batch")
    with pytest.raises(ValueError, match=r"pool\.size: unknown key"):
        table(tiny(), classes=2, crop=64, pool={"size": 3})


def test_geometry_needs_no_torch():
    code = "import sys, zfrepro.models.geometry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
