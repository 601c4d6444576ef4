"""The published numbers, checked at places that are easy to get wrong."""

import math

import pytest

from zfrepro import paper


@pytest.mark.parametrize(
    ("table", "row", "column", "value"),
    [
        ("table3", "tab3_zfnet", "val_top1", 38.4),
        ("table3", "tab3_alexnet", "train_top1", 35.1),
        ("table3", "tab3_no_fc6", "val_top5", None),  # no row of the paper
        ("table2", "zfnet_6_convnets_a_and_b", "test_top5", 14.8),
        ("table6", "cow", "paper", 74.4),
    ],
)
def test_single_numbers(table: str, row: str, column: str, value: float | None) -> None:
    assert paper.published(table, row, column) == value


def test_a_table_is_a_frame_with_gaps() -> None:
    table = paper.table("table3").set_index("experiment")
    assert table.loc["tab3_zfnet_fc8192", "train_top1"] == 22.0
    assert math.isnan(table.loc["tab3_no_fc6", "val_top1"])
    assert len(table) == 13


def test_average_precisions_have_the_printed_mean() -> None:
    table = paper.table("table6").set_index("class")
    assert table.drop("mean")["paper"].mean() == pytest.approx(table.loc["mean", "paper"], abs=0.05)


def test_errors_fall_from_top1_to_top5() -> None:
    for name in ("table2", "table3"):
        table = paper.table(name).dropna(subset=["val_top1", "val_top5"])
        assert len(table) >= 6
        assert (table["val_top1"] > table["val_top5"]).all()


def test_every_table_can_be_read() -> None:
    assert [len(paper.table(f"table{number}")) for number in range(1, 8)] == [
        4,
        10,
        13,
        4,
        4,
        21,
        8,
    ]


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: paper.published("table3", "tab3_zf", "val_top1"), "tab3_zfnet"),
        (lambda: paper.published("table3", "tab3_zfnet", "top1"), "val_top1"),
        (lambda: paper.published("table8", "a", "b"), "table7"),
        (lambda: paper.table("figure1"), "table1"),
    ],
)
def test_a_wrong_name_is_told_the_right_ones(call, names: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(KeyError, match=names):
        call()
