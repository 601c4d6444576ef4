"""What stands beside the curves."""

import base64
import json
import zlib

from tests.run_folders import MODEL, epochs, run_config
from tests.tracking.place import KEYS
from zfrepro.tracking import curves, description, views


def test_own_and_published_errors_side_by_side() -> None:
    cfg = run_config(KEYS)
    note = description.note(cfg, epochs()[-1])
    assert "| validation top-1 | 22.5 | 38.4 |" in note
    assert "| training top-1 | 20.0 | – |" in note
    assert "compare the order of rows" in note
    assert "ten crops" not in note
    evaluated = description.note(cfg, epochs()[-1] | {"val/top1_ten_crops": 20.0})
    assert "| validation top-1 | 22.5 | 20.0 | 38.4 |" in evaluated
    assert "| training top-1 | 20.0 | – | – |" in evaluated
    full = description.note(cfg | {"profile": "paper"}, epochs()[-1])
    assert "compare the order of rows" not in full
    assert description.published(cfg) == {"paper/val_top1": 38.4, "paper/val_top5": 16.5}
    assert description.element(cfg) == "table 3"
    assert "22.5" not in description.note(cfg)


def test_params_are_flat_and_skip_what_is_not_there() -> None:
    params = description.params(run_config(KEYS), {"parameters": 7, "precision": "32-true"})
    assert params["model"] == "zfnet"
    assert params["width"] == str(MODEL["width"])
    assert params["parameters"] == "7"
    assert "weight_decay" not in params


def test_the_command_composes_the_run() -> None:
    assert description.command(run_config(KEYS, seed=7, base_seed=3)) == (
        "python -m zfrepro.train +experiment=tab3_zfnet profile=smoke seed=3"
    )


def test_a_run_that_other_code_trained_is_tagged() -> None:
    recipe = {"git_revision": "abc"}
    assert "adopted_from" not in description.tags(run_config(KEYS), recipe)
    tags = description.tags(run_config(KEYS), recipe | {"adopted_from": {"fingerprint": "old"}})
    assert tags["adopted_from"] == "old"


def test_learning_curves_have_the_papers_errors_as_dashed_lines() -> None:
    figure = curves.learning_curves(run_config(KEYS), epochs())
    top1, top5, loss = figure.axes
    assert [line.get_linestyle() for line in top1.lines] == ["-", "-", "--"]
    assert list(top1.lines[1].get_ydata()) == [90 / epoch for epoch in range(1, 5)]
    assert set(top1.lines[2].get_ydata()) == {38.4}
    assert top1.lines[2].get_label() == "paper's table 3 on ImageNet, validation, 38.4 %"
    assert len(loss.lines) == 2
    assert top5.get_ylabel() == "top-5 error (%)"


def test_the_saved_view_is_what_the_page_reads() -> None:
    (value,) = views.errors_view().values()
    kind, packed = json.loads(value)["state"].split(";")
    state = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert kind == "deflate"
    order = state["columnOrder"]
    for name in ("val/top1", "val/top5", "train/top1"):
        own = order.index(f"metrics.`{name}_ten_crops`")
        assert order[own + 1] == f"metrics.`paper/{name.replace('/', '_')}`"
