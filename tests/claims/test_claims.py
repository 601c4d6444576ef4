"""Verdicts on made-up results: borne out, the reverse, nothing, and what is missing or strange."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines import __main__ as pipelines
from tests.claims.made_up import (
    NOISE,
    PROFILE,
    figure5,
    figure6,
    first_layers,
    shifts,
    table1,
    write_predictions,
    write_results,
)
from tools import readme
from zfrepro import paper
from zfrepro.claims import forest
from zfrepro.claims import judge as claims
from zfrepro.claims import text as claims_text
from zfrepro.claims.judge import Claim, Judged
from zfrepro.elements.errors import measure as stage_of_tables
from zfrepro.elements.errors.measure import ALEXNETS
from zfrepro.elements.errors.tables import FIVE
from zfrepro.elements.evolution import stage as evolution
from zfrepro.elements.invariance import stage as invariance
from zfrepro.elements.occlusion import stage as occlusion
from zfrepro.elements.tables import MEASURES as TABLE_MEASURES
from zfrepro.elements.tables import of_tables
from zfrepro.outcome import MEASURES, Found, UntestedError, write_measures
from zfrepro.results import Results

ENDS = {"effect": -12.3, "low": -45.6, "high": 78.9}
CLAIMS = {claim.id: claim for claim in claims.load()}


def judged(root: Path, profile: str = PROFILE) -> dict[str, Judged]:
    """As stages `tables` and `claims` do."""
    write_measures(root / "tables" / MEASURES, of_tables(Results(root)))
    found = claims.judge_all(Results(root), profile)
    return {each.claim.id: each for each in found}


@pytest.fixture(scope="module")
def borne_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results")
    write_results(root, 1)
    return root


@pytest.fixture
def results(borne_out: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    return Path(shutil.copytree(borne_out, tmp_path / "results"))


AGAINST = {"contradicted", "opposite"}


@pytest.mark.parametrize(
    ("sign", "verdicts"), [(1, {"reproduced"}), (-1, AGAINST), (0, {"inconclusive"})]
)
def test_every_claim_can_fall_each_way(sign: int, verdicts: set[str], tmp_path: Path) -> None:
    write_results(tmp_path, sign)
    found = {name: each.verdict for name, each in judged(tmp_path).items()}
    assert found.pop("table2-replication") == "not tested"  # below, on images enough
    if sign < 1:  # what it presupposes is not reproduced
        assert found.pop("table1-layer7") == "not tested"
    assert {name: verdict for name, verdict in found.items() if verdict not in verdicts} == {}
    assert found.keys() | {"table1-layer7", "table2-replication"} == CLAIMS.keys()


def test_effects_are_those_put_in(borne_out: Path) -> None:
    found = {name: each.deciding for name, each in judged(borne_out).items()}
    effects = {name: part.interval.mean for name, part in found.items() if part}
    expected = {
        "figure4-order": 1.0, "figure5-scale": 0.2, "figure5-rotation": 0.2,
        "figure6-aliasing": 5 + (0.25 / 3 - -0.5 / 3), "figure7-object": 10.0,
        "table1-layer7": effects["table1-layer5"], "table3-narrow-full": 1.01,
        "table3-conv34": 1.1, "table3-both": 1.75, "table2-six": 6.0,
        "table3-wide-conv": 6.0, "table5-scratch": 10.0,
        "table4-cited": 10.0, "table6-cited": 5.0, "table7-caltech256": 3.0,
    }  # fmt: skip
    for name, value in expected.items():
        assert effects[name] == pytest.approx(value, abs=0.15), name
    published = {name: part.paper for name, part in found.items() if part and part.paper}
    assert published["table3-both"] == pytest.approx(71.3 / 40.5, abs=1e-4)
    assert published["table3-narrow-full"] == pytest.approx(
        (41.7 / 40.5 * 40.2 / 38.4) ** 0.5, abs=1e-4
    )
    assert published["table3-overfitting"] == pytest.approx((38.3 - 10.0) - (38.4 - 33.1))
    assert published["table2-six"] == pytest.approx(36.7 - 36.0)
    assert published["table6-cited"] == pytest.approx(82.2 - 79.0)
    assert published["table5-cited"] == pytest.approx(74.2 - 55.2)


def test_each_says_what_it_rests_on(borne_out: Path) -> None:
    document = claims.document(PROFILE, list(judged(borne_out).values()))
    entries = {each["id"]: each for each in document["claims"]}
    assert document["profile"] == PROFILE
    five = entries["table2-five"]
    assert (five["images"], five["seeds"], len(five["networks"])) == (400, 5, 5)
    assert five["sources"] == ["results/tables/measures.json"]
    assert entries["table3-both"]["resampled"] == "networks"
    assert (entries["table4-scratch"]["resampled"], entries["table4-scratch"]["count"]) == (
        "folds",
        5,
    )
    assert "ahead on 1 of 2 classes" in entries["table6-cited"]["note"]
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert claims_text.basis(entries["figure7-object"]) == "20 images, 5 networks"
    assert claims_text.basis(entries["table7-caltech101"]) == "5 folds, 1 network"


@pytest.mark.parametrize(
    ("missing", "untested"),
    [
        ("predictions/tab3_no_fc67/val_ten.parquet", "table3-fc67"),
        ("ensembles/zfnet_6_convnets_a_and_b_val_ten.parquet", "table2-six"),
        ("transfer/caltech101/folds.csv", "table4-scratch"),
    ],
)
def test_a_missing_file_is_named(results: Path, missing: str, untested: str) -> None:
    (results / missing).unlink()
    found = judged(results)[untested]
    assert found.verdict == "not tested"
    assert found.note == f"there is no results/{missing}"
    entry = claims.entry(found)
    assert (entry["effect"], entry["low"], entry["networks"]) == (None, None, [])


def spoil(path: Path, column: str, value: float) -> None:
    table = pd.read_csv(path)
    table.loc[18, column] = value  # of Caltech-256, 15 images per class, pretrained
    table.to_csv(path, index=False)


@pytest.mark.parametrize(
    ("file", "column", "name"),
    [
        ("transfer/caltech256/folds.csv", "accuracy", "table5-scratch"),
        ("probe/folds.csv", "accuracy", "table7-caltech101"),
    ],
)
def test_a_value_that_is_no_number_decides_nothing(
    results: Path, file: str, column: str, name: str
) -> None:
    spoil(results / file, column, np.nan)
    found = judged(results)[name]
    assert found.verdict == "not tested"
    assert "is not a number" in found.note


def test_results_of_another_profile_do_not_count(borne_out: Path) -> None:
    found = judged(borne_out, "paper")
    assert Counter(each.verdict for each in found.values()) == {"not tested": len(CLAIMS)}
    assert "is of profile miniature, not paper: `dvc repro train@" in found["table3-both"].note


def test_a_profile_without_the_sets_says_so(results: Path) -> None:
    for name in ("caltech101", "caltech256"):
        path = results / "transfer" / name / "folds.csv"
        path.write_text(path.read_text().splitlines()[0] + "\n")
        (results / "configs" / "sets" / f"{name}.yaml").write_text("name: null\n")
    found = judged(results)
    for name in ("table4-scratch", "table5-scratch"):
        assert found[name].note.endswith("has no line: this profile has no such set")
    assert found["table4-cited"].note == "cited on caltech101, this profile has no such set"
    assert found["table2-five"].verdict == "reproduced"


def test_what_is_cited_counts_on_the_same_images_alone(results: Path) -> None:
    (results / "configs" / "sets" / "voc2012.yaml").write_text("name: voc2012_miniature\n")
    found = judged(results)["table6-cited"]
    assert found.verdict == "not tested"
    assert found.note == "cited on voc2012, measured here on voc2012_miniature"


def test_a_figure_that_has_not_been_measured_is_named(results: Path) -> None:
    shutil.rmtree(results / "figures" / "figure4")
    found = judged(results)["figure4-order"]
    assert found.verdict == "not tested"
    assert found.note == "there is no order in results/figures/figure4/measures.json"


def spoilt_order() -> dict[str, Found]:
    rows = [
        {"network": "tab3_zfnet", "layer": layer, "settled at step": step}
        for layer, step in (("conv1", 1.0), ("conv2", np.nan))
    ]
    return {"order": evolution.order(pd.DataFrame(rows))}


def spoilt_shifts() -> dict[str, Found]:
    rows = pd.DataFrame(shifts(1))
    rows.loc[(rows["image"] == 3) & (rows["layer"] == "conv1"), "small"] = np.nan
    return figure5(rows)


def spoilt_layers() -> dict[str, Found]:
    rows = pd.DataFrame(first_layers(1))
    rows.loc[3, "middle"] = np.nan
    return figure6(rows)


@pytest.mark.parametrize(
    ("figure", "measures", "name"),
    [
        ("figure4", spoilt_order, "figure4-order"),
        ("figure5", spoilt_shifts, "figure5-scale"),
        ("figure6", spoilt_layers, "figure6-frequencies"),
    ],
)
def test_a_figures_value_that_is_no_number_decides_nothing(
    results: Path, figure: str, measures: Callable[[], dict[str, Found]], name: str
) -> None:
    write_measures(results / "figures" / figure / MEASURES, measures())
    found = judged(results)[name]
    assert found.verdict == "not tested"
    assert "is not a number" in found.note


def test_no_annotations_are_a_reason(results: Path) -> None:
    rows = [
        {
            "network": "one",
            "image": 1,
            "on": np.nan,
            "off": np.nan,
            "score": np.nan,
            "elsewhere": np.nan,
        }
    ]
    measures = occlusion.measures(pd.DataFrame(rows))
    write_measures(results / "figures" / "figure7" / MEASURES, measures)
    without = {"images": 1, "layer5": UntestedError("no faces with landmarks")}
    write_measures(results / "figures" / "figure8" / MEASURES, without)
    found = judged(results)
    assert "no images with known objects" in found["figure7-object"].note
    assert "no faces with landmarks" in found["table1-layer5"].note


def test_a_limit_that_was_never_reached_tests_nothing(results: Path) -> None:
    table = pd.DataFrame(first_layers(1))
    same = table[(table["kind"] == "zfnet") & (table["seed"] == 0)].assign(kind="unclipped")
    measures = figure6(pd.concat([same, table[table["kind"] != "unclipped"]]))
    write_measures(results / "figures" / "figure6" / MEASURES, measures)
    found = judged(results)["figure6-clipping"]
    assert found.verdict == "not tested"
    assert "no filter reaches the limit" in found.note


@pytest.mark.parametrize("folds", [1, 2])
def test_two_folds_have_no_interval(folds: int, results: Path) -> None:
    path = results / "transfer" / "caltech101" / "folds.csv"
    table = pd.read_csv(path)
    table[table["fold"] < folds].to_csv(path, index=False)
    found = claims.entry(judged(results)["table4-scratch"])
    assert found["verdict"] == "inconclusive"
    assert found["effect"] is not None
    assert found["low"] is None
    assert claims_text.effect(found) == f"{found['effect']:+.3g} points"
    assert forest.positions(found).keys() == {"effect", "paper_effect"}


def test_of_a_base_that_errs_less_a_small_change_is_smaller(results: Path) -> None:
    """10 points more are little beside 40 and much beside 10."""
    row = results / "predictions" / "tab3_no_fc67" / "val_ten.parquet"
    found = {}
    for base in (40, 10):
        for name, noise in zip(ALEXNETS, NOISE, strict=False):
            write_predictions(results / "predictions" / name / "val_ten.parquet", base + noise)
        write_predictions(row, base + 8)
        found[base] = judged(results)["table3-fc67"]
    assert [each.verdict for each in found.values()] == ["reproduced", "contradicted"]


def test_little_is_two_sided(results: Path) -> None:
    """A network that errs half as often without two layers bears out no sentence on their cost."""
    write_predictions(results / "predictions" / "tab3_no_fc67" / "val_ten.parquet", 20)
    assert judged(results)["table3-fc67"].verdict == "opposite"


def test_a_row_that_is_still_learning_tells_nothing_of_its_capacity(results: Path) -> None:
    for split, error in (("val", 60), ("train", 53)):
        path = results / "predictions" / "tab3_fc2048" / f"{split}_ten.parquet"
        write_predictions(path, error)
    found = judged(results)["table3-narrow-full"]
    assert found.verdict == "not tested"
    assert "tab3_fc2048 has a train error 18.2 points above tab3_alexnet's" in found.note


def test_six_are_compared_with_five(results: Path) -> None:
    """And not with one, which five beat as well."""
    five = results / "ensembles" / "zfnet_5_convnets_a_val_ten.parquet"
    shutil.copy(five, five.with_name("zfnet_6_convnets_a_and_b_val_ten.parquet"))
    found = judged(results)
    assert (found["table2-five"].verdict, found["table2-six"].verdict) == (
        "reproduced",
        "inconclusive",
    )


def test_what_the_untrained_network_shows_as_well_is_not_shown(results: Path) -> None:
    rows = pd.DataFrame(shifts(1))
    keys = ["network", "image", "kind", "layer"]
    same = pd.concat([rows[rows["trained"]], rows[rows["trained"]].assign(trained=False)])
    write_measures(results / "figures" / "figure5" / MEASURES, figure5(same))
    assert len(same) == 2 * len(same.drop_duplicates(keys))
    found = judged(results)
    for name in ("figure5-translation", "figure5-scale", "figure5-rotation"):
        assert found[name].verdict == "not shown"
        assert "control, the same networks before their training: +0.2" in found[name].note


def test_a_box_that_any_image_could_have_shows_no_object(results: Path) -> None:
    """The middle of the picture is what every box has in common."""
    rows = [
        {"network": network, "image": image, "on": 0.1, "off": 0.0, "score": score,
         "elsewhere": score + NOISE[image % 5] / 50}
        for network in FIVE for image in range(20) for score in [0.1 + NOISE[image % 5] / 10]
    ]  # fmt: skip
    measures = occlusion.measures(pd.DataFrame(rows))
    write_measures(results / "figures" / "figure7" / MEASURES, measures)
    assert judged(results)["figure7-object"].verdict == "not shown"


def test_measures_of_one_sentence_that_disagree_leave_it_open(results: Path) -> None:
    rows = pd.DataFrame(first_layers(1))
    rows.loc[rows["kind"] == "alexnet", "grid_excess"] -= 10
    write_measures(results / "figures" / "figure6" / MEASURES, figure6(rows))
    found = judged(results)["figure6-aliasing"]
    assert found.verdict == "inconclusive"
    assert found.note.startswith("measures disagree; high_band: ")


def test_dead_filters_in_no_network_test_nothing(results: Path) -> None:
    measures = figure6(pd.DataFrame(first_layers(1)).assign(blank=0.0))
    write_measures(results / "figures" / "figure6" / MEASURES, measures)
    found = judged(results)["figure6-dead"]
    assert (found.verdict, found.note) == (
        "not tested", "blank is 0 in every network: there is nothing to tell",
    )  # fmt: skip


def test_layer_7_is_judged_where_layer_5_shows_something(results: Path) -> None:
    write_measures(results / "figures" / "figure8" / MEASURES, table1(0))
    found = judged(results)["table1-layer7"]
    assert found.verdict == "not tested"
    assert found.note == "it presupposes table1-layer5, which is inconclusive here"


def test_where_a_unit_sees_more_than_the_image_no_part_is_a_place_of_its_own(
    results: Path,
) -> None:
    path = results / "configs" / "tab3_zfnet.yaml"
    cfg = json.loads(path.read_text())
    assert judged(results)["table1-layer5"].verdict == "reproduced"
    path.write_text(json.dumps({**cfg, "crop": 139}))  # as wide as the field of layer 5
    assert judged(results)["table1-layer5"].verdict == "reproduced"
    path.write_text(json.dumps({**cfg, "crop": 138}))
    found = judged(results)
    assert found["table1-layer5"].verdict == found["table1-layer7"].verdict == "not tested"
    assert "conv5 sees 139 pixels, and the images have 138" in found["table1-layer5"].note
    assert "measured: +0.05" in found["table1-layer5"].note


def test_parts_that_any_place_on_the_face_equals_do_not_correspond(results: Path) -> None:
    write_measures(results / "figures" / "figure8" / MEASURES, table1(1, on_object=0.0))
    assert judged(results)["table1-layer5"].verdict == "not shown"


def test_parts_that_correspond_without_training_show_nothing(results: Path) -> None:
    write_measures(results / "figures" / "figure8" / MEASURES, table1(1, untrained=1.0))
    found = judged(results)["table1-layer5"]
    assert found.verdict == "not shown"
    assert "control, the same networks before their training" in found.note
    assert "beyond random places on the object" in found.note


def test_networks_that_guess_test_nothing_but_what_needs_no_learning(results: Path) -> None:
    for run in (results / "runs").iterdir():
        (run / "metrics.json").write_text('{"at_chance": true}')
    found = {name: each.verdict for name, each in judged(results).items()}
    needless = {"table3-parameters", "figure5-symmetric"}
    assert {name for name, verdict in found.items() if verdict != "not tested"} == needless


def test_what_any_image_does_at_quarter_turns_is_no_symmetry(results: Path) -> None:
    rng = np.random.default_rng(0)
    turns = pd.DataFrame(
        [
            {"network": network, "image": image, "symmetry": image / 20, "recovery": 0.2 + noise}
            for network in FIVE
            for image, noise in enumerate(rng.normal(0, 0.01, 20))
        ]
    )
    found = invariance.of_symmetric(turns)
    assert not isinstance(found, UntestedError)
    rule = CLAIMS["figure5-symmetric"].rule
    assert (rule.verdict(found.parts), rule.judge(found)) == ("reproduced", "not shown")
    without = turns.assign(recovery=np.nan)
    assert isinstance(invariance.of_symmetric(without), UntestedError)


@pytest.mark.parametrize(
    ("error", "verdict"), [(18.1, "reproduced"), (20.0, "contradicted"), (16.0, "opposite")]
)
def test_a_replication_is_judged_on_imagenet(results: Path, error: float, verdict: str) -> None:
    (results / "configs" / f"{ALEXNETS[0]}.yaml").write_text('{"data": {"name": "imagenet"}}')
    for off, name in enumerate((*ALEXNETS, *FIVE)):
        path = results / "predictions" / name / "val_ten.parquet"
        write_predictions(path, error + off % 3 / 20, images=50_000)
    found = stage_of_tables.replication(ALEXNETS[0], Results(results))
    assert CLAIMS["table2-replication"].rule.judge(found) == verdict
    assert found.parts[0].paper == pytest.approx(-0.1)


def test_no_interval_of_images_alone_decides_between_trainings(results: Path) -> None:
    """Two trainings of one network, far apart, are no evidence for a third that lies between."""
    for name, error in zip(ALEXNETS, (30.0, 40.0, 50.0), strict=True):
        write_predictions(results / "predictions" / name / "val_ten.parquet", error)
    write_predictions(results / "predictions" / "tab3_no_fc7" / "val_ten.parquet", 44)
    assert judged(results)["table3-fc7"].verdict == "inconclusive"


def test_margins_follow_from_the_papers_numbers() -> None:
    ratio = paper.table("table3").set_index("experiment")["val_top1"] / 40.5
    between = (ratio["tab3_no_conv34"] * ratio["tab3_no_conv34_fc67"]) ** 0.5
    for name in ("table3-conv34", "table3-fc7", "table3-fc67", "table3-both"):
        assert CLAIMS[name].margin == pytest.approx(between, abs=0.01)
    for name in ("table3-narrow-full", "table3-wide-full"):
        assert CLAIMS[name].margin == pytest.approx(ratio["tab3_no_fc67"], abs=0.005)
    assert all(claim.why for claim in CLAIMS.values() if claim.margin)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_quotes_the_papers_tables(claim: Claim) -> None:
    table = {"figure9": "table5"}.get(claim.element, claim.element)
    if table.startswith("table"):
        printed = paper.table(table).select_dtypes("number").to_numpy().ravel()
        quoted = [float(number) for number in re.findall(r"\d+\.\d+(?! times|\d)", claim.paper)]
        assert quoted
        assert set(quoted) <= set(printed)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_names_a_stage_and_a_picture_that_exist(claim: Claim) -> None:
    stages = pipelines.read()["stages"]
    name, _, item = claim.stage.partition("@")
    assert not item or item in stages[name]["matrix"]["set"]
    made = [
        entry for stage in stages.values()
        for entry in (*stage.get("outs", ()), *stage.get("plots", ())) if isinstance(entry, str)
    ]  # fmt: skip
    assert any(claim.picture == entry or claim.picture.startswith(f"{entry}/") for entry in made)


def test_every_claim_is_measured_and_every_file_read_is_a_dependency(borne_out: Path) -> None:
    assert len(CLAIMS) == len(claims.load())
    of_tables_alone = {each.number for each in CLAIMS.values() if each.number.startswith("tables:")}
    assert of_tables_alone == {f"tables:{name}" for name in TABLE_MEASURES}
    stage = pipelines.read()["stages"]["claims"]
    deps = tuple(stage["deps"])
    for each in judged(borne_out).values():
        assert each.sources
        for source in each.sources:
            assert source.startswith(deps), source


def test_the_table_fits_a_terminal_and_the_pages_name_every_claim(
    borne_out: Path, tmp_path: Path
) -> None:
    entries = [claims.entry(each) for each in judged(borne_out).values()]
    scale = {"of signs": 1e-4}
    wide = [
        {**each, **{end: value * scale.get(each["unit"], 1) for end, value in ENDS.items()}}
        for each in entries
    ]
    lines = claims_text.terminal(wide).splitlines()
    assert len(lines) == len(entries)
    assert max(map(len, lines)) <= 120
    assert lines[0].startswith("✓ reproduced")
    page = claims_text.page(PROFILE, entries)
    assert f"{len(entries) - 1} reproduced, 1 not tested.\n" in page
    folder = tmp_path / "results" / "report"
    folder.mkdir(parents=True)
    (folder / "claims.json").write_text(json.dumps({"profile": PROFILE, "claims": entries}))
    block = readme.BLOCKS["claims"](tmp_path)
    for each in entries:
        assert f"**{each['claim']}**" in page
        assert f"| {each['claim']} |" in block


def test_the_forest_plot_has_the_papers_side_on_the_right(borne_out: Path, tmp_path: Path) -> None:
    entries = [claims.entry(each) for each in judged(borne_out).values()]
    for each in (each for each in entries if each["effect"] is not None):
        at = forest.positions(each)
        assert min(at["low"], at["effect"], at["high"]) > 0, each["id"]
        assert max(map(abs, at.values())) == pytest.approx(1)
    untested = {**entries[0], "verdict": "not tested", "effect": None, "paper_effect": None}
    forest.draw([untested, *entries[:3]], tmp_path / "claims.png", "four claims")
    assert (tmp_path / "claims.png").stat().st_size > 10_000


def entry(side: str, effect: float, low: float, high: float, **more: object) -> dict[str, object]:
    return {
        "side": side, "margin": 0.0, "ratio": False, "effect": effect, "low": low, "high": high,
        "verdict": "inconclusive", "unit": "points", "count": 10, "resampled": "networks",
        "stage": "evaluate", "element": "table3", **more,
    }  # fmt: skip


def test_what_would_decide_a_claim_is_counted_from_the_nearer_margin() -> None:
    """An interval twice as wide as the effect is far needs four times as many."""
    assert "shown: 2 points; about 40 networks" in claims_text.power(entry("above", 1, -1, 3))
    little = entry("little", 0.75, 0.6, 0.9375, ratio=True, margin=1.25)
    assert claims_text.power(little).startswith("The smallest ratio that this could have told")
    # 0.8 is the margin: log(0.75 / 0.8) away, with a half width of log(1.25)
    needed = 10 * (np.log(1.25) / np.log(0.75 / 0.8)) ** 2
    assert f"about {np.ceil(needed):.0f} networks" in claims_text.power(little)
    at = forest.positions({**little, "paper_effect": 1.05})
    assert at["low"] == -1 < at["effect"] < 0 < at["high"] < at["paper_effect"]


@pytest.mark.parametrize(
    ("resampled", "stage", "where"),
    [
        (
            "images",
            "occlusion",
            "`occlusion.images` in conf/analysis.yaml and `dvc repro occlusion`",
        ),
        ("folds", "probe", "`folds` of the set in conf/transfer.yaml and `dvc repro probe`"),
        ("networks", "evaluate", "`python -m zfrepro.train +experiment=NAME seed=N`"),
    ],
)
def test_an_open_claim_says_how_to_decide_it(resampled: str, stage: str, where: str) -> None:
    more = {"resampled": resampled, "stage": stage, "element": "figure7"}
    assert where in claims_text.power(entry("above", 1, -1, 3, **more))


def test_nothing_more_would_decide_what_is_not_open_for_want_of_it() -> None:
    """Measures that disagree stay open however narrow they are; an exact number shows anything."""
    assert "would decide" not in claims_text.power(entry("above", -1.0, -1.5, -0.5))
    assert claims_text.power(entry("above", 88.0, 88.0, 88.0, margin=50)) == ""
