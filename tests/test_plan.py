"""What a study costs: counts beside numbers worked out by hand, and what is not paid again."""

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines import __main__ as pipelines
from zfrepro import config, networks, plan, predicted, runs
from zfrepro.config import ConfigError
from zfrepro.cost import counts, demands, done, gpus, here, images, stages, study, table
from zfrepro.cost.counts import Net, Work
from zfrepro.cost.rows import Row
from zfrepro.cost.speed import Speed
from zfrepro.cost.study import Machine, Study
from zfrepro.cost.table import Line
from zfrepro.data.listing import SourceError
from zfrepro.data.sources.published import Size
from zfrepro.data.sources.sizes import size_of
from zfrepro.data.store import seal

PIPELINE = pipelines.read()
IMAGENET = Size(1_281_167, 50_000, 1000)
DAY = 24 * 3600
ANALYSED = [  # the networks that figures are of
    *(f"tab2_zfnet_seed{seed}" for seed in (1, 2, 3, 4)), "tab3_zfnet", "tab3_alexnet",
    "fig6_alexnet_seed1", "fig6_alexnet_seed2", "fig6_zfnet_no_clip",
    "fig6_alexnet_stride2", "fig6_alexnet_kernel7",
]  # fmt: skip
# multiply-adds of each layer of ZFNet at 224: map pixels x maps x weights of a filter
ZFNET = (
    110**2 * 96 * (7 * 7 * 3)
    + 26**2 * 256 * (5 * 5 * 96)
    + 13**2 * 384 * (3 * 3 * 256)
    + 13**2 * 384 * (3 * 3 * 384)
    + 13**2 * 256 * (3 * 3 * 384)
    + 6 * 6 * 256 * 4096
    + 4096 * 4096
    + 4096 * 1000
)


def row(name: str, profile: str = "paper", classes: int = 1000) -> Row:
    cfg = config.compose_experiment(name, [f"profile={profile}", "exclude_overlap=false"])
    return Row(name, cfg, Net.of(cfg, classes))


def speed(train_image: float = 1.0, val_image: float = 0.25) -> Speed:
    return Speed(train_image, val_image, checkpoint=3.0, how="measured")


def machine(rows: Sequence[Row]) -> Machine:
    return Machine(
        prepared_image=0.5,
        loading=4.0,
        speeds={row.name: speed() for row in rows},
        passes={row.name: 0.2 for row in rows},
        evaluated_image={row.name: 2.0 for row in rows},
        number=2,
    )


def test_operations_and_weights_are_those_of_the_paper() -> None:
    net = row("tab3_zfnet").net
    assert net.flops == 2 * ZFNET == 2 * 1_168_032_896
    assert net.parameters == 62_357_608
    assert net.weight_bytes() == 3 * 4 * 62_357_608
    assert row("tab3_zfnet_conv345_wide").net.parameters == 107_627_624


def test_activations_are_every_layers_output() -> None:
    layers = {
        "conv1": {"maps": 2, "kernel": 1, "stride": 1, "padding": 0, "then": ["relu", "pool"]},
        "fc2": {"units": "classes"},
    }
    model = {"layers": layers, "pool": {"kernel": 2, "stride": 2, "ceil": False}}
    net = Net.of({"model": {**model, "normalisation": "none"}, "crop": 4}, classes=5)
    # the image, conv1, relu1, pool1, flatten, fc2; pool1 keeps where its 8 maxima were
    numbers = 48 + 32 + 32 + 8 + 8 + 5
    assert net.activation_bytes(images=10, number=2) == 10 * (2 * numbers + 8 * 8)


def test_a_training_sees_whole_batches_and_each_validation_image_every_epoch() -> None:
    work = Work(Size(3000, 1000, 20), epochs=24, batch=64)
    assert (work.steps, work.train_images, work.val_images) == (24 * 46, 70_656, 24_000)
    net = row("tab3_zfnet", "miniature", 20).net
    assert work.flops(net) == net.flops * (3 * 70_656 + 24_000)
    assert speed().training(work) == 70_656 + 6_000
    assert speed().stage(work, around=8.0) == 70_656 + 6_000 + 8 + 24 * 3


def test_disk() -> None:
    net = row("tab3_zfnet").net
    assert counts.prepared_bytes(IMAGENET, 256, "uint8") == 1_331_167 * 256 * 256 * 3
    assert counts.prepared_bytes(IMAGENET, 256, "jpeg") == pytest.approx(40e9, rel=0.01)
    assert counts.checkpoint_bytes(net) == 8 * 62_357_608
    assert counts.weights_bytes(net, 256) == 4 * 62_357_608 + 4 * 256 * 256 * 3
    # two views of 50,000 images of each split, a probability for each class
    assert counts.prediction_bytes(IMAGENET) == 2 * 100_000 * (4 * 1000 + 100)


def test_constants_are_those_of_the_stages() -> None:
    from zfrepro.inference import evaluation
    from zfrepro.training import checkpoints, trained

    assert counts.CHECKPOINTS == checkpoints.KEPT
    assert len(evaluation.VIEWS) == counts.VIEWS
    assert len(trained.views("ten", 64, 56).tops) == counts.CROPS


def test_rows_that_differ_in_seed_or_names_train_at_the_same_speed() -> None:
    assert row("tab3_zfnet").likeness == row("tab2_zfnet_seed3").likeness
    assert row("tab3_no_fc6").likeness == row("tab3_no_fc7").likeness
    assert row("tab3_zfnet").likeness != row("tab3_alexnet").likeness


def test_sizes_of_sources(tmp_path: Path) -> None:
    assert size_of({"name": "imagenet"}, None) == IMAGENET
    data = config.compose_experiment("tab3_zfnet", ["profile=miniature"])["data"]
    assert size_of(data, None) == Size(3000, 1000, 20)
    folder = {"name": "folder", "val_share": 0.5, "split_seed": 0}
    with pytest.raises(SourceError, match=r"data\.root is not set"):
        size_of(folder, None)
    for name in ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert size_of(folder, tmp_path) == Size(2, 2, 2)


def test_the_papers_gpu_takes_the_papers_time() -> None:
    zfnet = row("tab3_zfnet")
    estimate = gpus.speed("gtx580", 1, zfnet.net, zfnet.config["training"])
    assert estimate.training(zfnet.work(IMAGENET)) == pytest.approx(12 * DAY, rel=0.25)


def test_eight_gpus_share_the_operations_and_exchange_gradients() -> None:
    zfnet = row("tab3_zfnet")
    estimate = gpus.speed("A100", 8, zfnet.net, zfnet.config["training"])
    compute = 3 * 2 * ZFNET / (8 * 312e12 * 0.15)
    exchange = 2 * 7 / 8 * 4 * 62_357_608 / 230e9
    assert estimate.train_image == pytest.approx(max(compute + exchange / 128, 0.004 / 128))
    assert estimate.how == "a100"
    # figures: in 32 bits on one of them, 40 % of 19.5 TFLOP/s
    assert gpus.pass_seconds("a100", zfnet.net) == pytest.approx(2 * ZFNET / 7.8e12)


def test_where_there_is_no_bf16_it_is_fp32() -> None:
    assert gpus.number_format(gpus.find("v100"), "auto") == "fp32"
    assert gpus.number_format(gpus.find("h100"), "auto") == "bf16"
    assert gpus.number_format(gpus.find("h100"), "32-true") == "fp32"
    assert (gpus.activation_bytes("t4", "auto"), gpus.activation_bytes("l4", "auto")) == (4, 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gpu=a1000"], "there is no gpu=a1000; it can be .*a100"),
        (["gpus=8"], "gpus=N needs a gpu=NAME"),
        (["gpu=a100", "gpus=some"], "gpus is 'some'"),
        (["seconds=0"], "seconds is '0'"),
        (["tab3_zf"], "there is no experiment tab3_zf; it can be .*tab3_zfnet"),
        (["+experiment=tab3_zf"], "there is no experiment tab3_zf;"),
    ],
)
def test_a_wrong_word_is_told_what_exists(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan.parse(words)


def test_gpus_that_cannot_share_a_batch() -> None:
    zfnet = row("tab3_zfnet")
    with pytest.raises(gpus.GpuError, match=r"training\.batch is 128, which gpus=7"):
        gpus.speed("a100", 7, zfnet.net, zfnet.config["training"])


def test_words_in_any_order() -> None:
    wish = plan.parse(["gpu=h100", "tab3_zfnet", "profile=paper", "+experiment=tab3_alexnet"])
    assert wish.experiments == ["tab3_zfnet", "tab3_alexnet"]
    assert (wish.overrides, wish.gpu, wish.gpus) == (["profile=paper"], "h100", 1)
    assert plan.parse([]).experiments == config.options("experiment")


def test_each_architecture_is_measured_once_and_slow_ones_are_scaled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    measured: list[str] = []

    def measure(row: Row, *_: Any) -> Speed:
        measured.append(row.name)
        return speed(train_image=1e-4 if row.config["profile"] == "miniature" else 1.0)

    monkeypatch.setattr(here, "_measured", measure)
    monkeypatch.setattr(here, "_images", lambda *_: None)
    monkeypatch.setattr(config, "CHECKPOINTS", tmp_path)
    names = ("tab2_zfnet_seed1", "tab2_zfnet_seed2", "tab3_alexnet", "tab3_no_fc6", "tab3_no_fc7")
    small = [row(name, "miniature", 20) for name in names]
    here.training_speeds(small, Size(3000, 1000, 20), None, seconds=1e9)
    assert sorted(measured) == ["tab2_zfnet_seed1", "tab3_alexnet", "tab3_no_fc6"]
    measured.clear()
    large = [row(name) for name in names]
    speeds = here.training_speeds(large, IMAGENET, None, seconds=40.0)
    assert sorted(measured) == ["tab2_zfnet_seed1", "tab3_alexnet"]
    flops = large[3].net.flops / large[2].net.flops
    assert speeds["tab3_no_fc6"].train_image == pytest.approx(flops)
    assert speeds["tab3_no_fc6"].how == "scaled"


@pytest.fixture
def prepared_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Row]:
    """Two rows of a small profile and, in a folder of their own, images as prepared for them."""
    monkeypatch.setattr(config, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(networks, "PREPARED", tmp_path / "source")
    rows = [row(name, "smoke", images.CLASSES) for name in ("tab3_zfnet", "tab3_alexnet")]
    images.stand_in(rows[0].config["data"], tmp_path / "source", train=64, val=40)
    manifest = tmp_path / "source" / "manifest.json"
    content = json.loads(manifest.read_text()) | {"config": rows[0].config["data"]}
    manifest.write_text(json.dumps(content | {"seal": seal(content)}))
    return rows


def test_what_is_done_is_not_to_be_paid_again(prepared_rows: list[Row]) -> None:
    configs = {row.name: dict(row.config) for row in prepared_rows}
    planned = study.study_of(configs, root=None)
    assert planned.size == Size(64, 40, images.CLASSES)  # as prepared, not as configured

    run = runs.plan(configs["tab3_zfnet"])
    run.result.mkdir(parents=True)
    lines = study.lines(planned, machine(planned.rows))
    states = {line.stage: line.state for line in lines}
    assert states == {
        "prepare@source": "done",
        "train@tab3_zfnet": "done",
        "train@tab3_alexnet": "to do",
        "evaluate": "to do",
    }
    assert lines[-1].images == 2 * 80
    open_lines = [line for line in lines if line.state == table.TO_DO]
    work = prepared_rows[1].work(planned.size)
    assert table.total(open_lines, "").training_seconds == speed().training(work)

    predicted.folder_of(run.fingerprint, run.prepared.manifest["digest"]).mkdir()
    assert study.lines(planned, machine(planned.rows))[-1].images == 80


def test_a_run_that_dvc_restored_is_done(
    prepared_rows: list[Row], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cfg = dict(prepared_rows[0].config)
    assert done.run_of(cfg) is None
    monkeypatch.setattr(config, "ROOT", tmp_path)
    folder = tmp_path / "results" / "runs" / "tab3_zfnet"
    folder.mkdir(parents=True)
    recipe = {"fingerprint": runs.plan(cfg).fingerprint}
    (folder / "run.json").write_text(json.dumps(recipe))
    assert done.run_of(cfg) is not None
    assert done.prepared(cfg | {"data": cfg["data"] | {"image_size": 32}}) is None


def test_real_steps_are_measured(prepared_rows: list[Row], tmp_path: Path) -> None:
    from zfrepro.cost import evaluating, training
    from zfrepro.data.store import PreparedSet

    stored = PreparedSet.open(networks.PREPARED)
    found = training.measure(prepared_rows[1].config, stored, 20, 16, tmp_path, seconds=0.01)
    assert min(found.train_image, found.val_image, found.checkpoint) > 0
    assert found.how == "measured"
    assert evaluating.seconds_per_image(prepared_rows[1].config, 20, torch.device("cpu")) > 0


def test_the_plan_is_a_table_and_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def measure(planned: Study, *_: Any) -> Machine:
        return machine(planned.rows)

    monkeypatch.setattr(study, "measure", measure)
    out = tmp_path / "plan.csv"
    text = plan.plan(plan.parse(["tab3_zfnet", "profile=paper", "gpu=a100", f"out={out}"]))
    assert "1,281,167 + 50,000 images of 1,000 classes" in text
    fields, body = (part.splitlines() for part in text.split("\n\n")[1:3])
    assert fields[-1].split() == ["conv5", "13", "x", "13", "139", "pixels", "62%"]
    assert [line.split()[0] for line in body if not line.startswith("-")] == [
        "stage", "prepare@source", "train@tab3_zfnet", "evaluate", "all", "to",
    ]  # fmt: skip
    assert "dvc exp run -S profile=paper" in text
    rows = {line["stage"]: line for line in csv.DictReader(out.open())}
    assert int(rows["train@tab3_zfnet"]["parameters"]) == 62_357_608
    assert float(rows["evaluate"]["stage_seconds"]) == 4 + 2 * 100_000
    assert int(rows["prepare@source"]["disk_bytes"]) == 1_331_167 * 256 * 256 * 3


@pytest.mark.parametrize(("trainer", "read"), [("gpus", 8), ("ddp", 1)])
def test_a_row_for_each_gpu_has_to_be_fed_on_each(
    trainer: str, read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(planned: Study, *_: Any) -> Machine:
        return machine(planned.rows)  # a second an image, on whatever shares a batch

    monkeypatch.setattr(study, "measure", measure)
    wish = ["tab3_zfnet", "profile=paper", f"trainer={trainer}", "gpu=a100", "gpus=8"]
    assert f"up to {read} images a second" in plan.plan(plan.parse(wish))


def whole_study(profile: str, experiments: Sequence[str]) -> Study:
    """With the stages beside training, and images that are not prepared."""
    names = [f"profile={profile}"]
    configs = {name: config.compose_experiment(name, names) for name in experiments}
    beside = study.Beside(
        config.compose_sets(names),
        config.compose_analysis(),
        config.compose_transfer([f"transfer={profile}"]),
    )
    planned = study.study_of(configs, root=None, beside=beside)
    return replace(planned, manifest=None, size=size_of(planned.config["data"], None))


@pytest.fixture(scope="module")
def paper_lines() -> dict[str, Line]:
    planned = whole_study("paper", config.options("experiment"))
    return {line.stage: line for line in study.lines(planned, machine(planned.rows), {"probe"})}


def test_every_stage_of_dvc_yaml_has_a_line(paper_lines: dict[str, Line]) -> None:
    names = [
        f"{name}@{item}" if "matrix" in stage else name
        for name, stage in PIPELINE["stages"].items()
        for item in (matrix_of(stage) if "matrix" in stage else [""])
    ]
    assert sorted(paper_lines) == sorted(names)
    assert {n for n, line in paper_lines.items() if line.state == table.DONE} == {"probe"}


def matrix_of(stage: dict[str, Any]) -> list[str]:
    (items,) = stage["matrix"].values()
    return PIPELINE["vars"][0]["experiments"] if items == "${experiments}" else list(items)


def test_figures_are_counted_by_the_images_that_networks_see(paper_lines: dict[str, Line]) -> None:
    # five networks, eight snapshots, all training images, 128 again; 2 x 32 maps of 5 layers, 9
    # times each
    assert paper_lines["evolution"].images == 5 * 8 * (1_281_167 + 128 + 2 * 32 * 5 * 9)
    # 50,000 images, and two passes for each of nine images of 57 maps; also before the training
    assert paper_lines["features"].images == 2 * (50_000 + 2 * 9 * (9 + 16 + 12 + 10 + 10))
    # also before the training, and so are 31 translations, 17 scales and 36 rotations beside the
    # image as it is
    assert paper_lines["correspondence"].images == 2 * 5 * 60 * (1 + 3 + 2 * 10)
    assert paper_lines["invariance"].images == 2 * 5 * 60 * (1 + 31 + 17 + 36)
    conv2 = 2 * (110**2 * 96 * (7 * 7 * 3) + 26**2 * 256 * (5 * 5 * 96))
    zfnet = row("tab3_zfnet").net
    assert zfnet.flops_to("conv2") == zfnet.flops_to("conv1", "conv2") == conv2
    assert zfnet.flops_to("fc8") == zfnet.flops
    # a pass takes 0.2 seconds
    seconds = paper_lines["correspondence"].stage_seconds - stages.AROUND
    assert seconds == pytest.approx(2 * 5 * 60 * 24 * 0.2)


def test_features_of_other_sets_take_the_disk_that_their_files_take(
    paper_lines: dict[str, Line],
) -> None:
    sizes = [290_400, 43_264, 64_896, 64_896, 9_216, 4_096]  # of layers 1 to 5 and 7
    net = row("tab3_zfnet").net
    layers = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc7"]
    assert [demands.feature_numbers(net, layer) for layer in layers] == sizes
    with pytest.raises(KeyError, match="conv6"):
        demands.feature_numbers(net, "conv6")
    # of the network as trained, and as it was before
    assert paper_lines["probe"].disk_bytes == 2 * 4 * sum(sizes) * (9_144 + 30_607)
    assert paper_lines["transfer@voc2012"].disk_bytes == 4 * 4_096 * (5_717 + 5_823)


def test_classifiers_and_their_gram_matrices_are_made_where_networks_run() -> None:
    planned = whole_study("paper", config.options("experiment"))
    cpu = replace(machine(planned.rows), product=1.0)  # a FLOP a second
    slow = {line.stage: line for line in study.lines(planned, cpu)}
    fast = stages_of(planned)
    for name in ("probe", "transfer@caltech101", "transfer@caltech256"):
        assert slow[name].stage_seconds == fast[name].stage_seconds
    assert slow["overlap"].stage_seconds > fast["overlap"].stage_seconds


def test_half_a_gram_matrix_is_counted_and_all_that_is_read() -> None:
    planned = whole_study("paper", config.options("experiment"))
    assert planned.beside is not None
    known = demands.Known(
        demands.Sizes(planned.size, {}),
        {row.name: row.config for row in planned.rows},
        {row.name: row.net for row in planned.rows},
        planned.beside.analysis,
        planned.beside.transfer,
    )
    train, test, classes, numbers = 2048, 100, 10, 290_400
    found = demands._fit(known, "conv1", "svm", train, test, classes)
    fits = demands.EVALUATIONS * (demands.PARTS * 4 + 1)
    half = train * (train + demands.BLOCK) / 2  # two rows of blocks, of which the first is short
    assert found.fits == pytest.approx(
        2 * half * numbers + train**3 / 3 + train**2 * classes
        + 2 * (train + test) * numbers * classes + fits * 4 * half * classes
    )  # fmt: skip
    assert found.products == 0
    assert found.moved == 4 * numbers * (2 * train + test)


def test_trainings_from_scratch_are_as_long_as_the_stage_makes_them() -> None:
    planned = whole_study("miniature", ANALYSED)
    assert planned.beside is not None
    caltech101 = size_of(planned.beside.sets["caltech101"], None)
    assert caltech101 == Size(6150, 0, 41)
    found = stages_of(planned)["transfer@caltech101"]
    # five epochs of 129 steps of 32 images, or of all, rounded up to whole rounds of the fold
    counts = [(n, min(n, 32)) for n in (41 * 2, 41 * 4)]
    trained = 5 * sum(5 * (-(-129 * batch // n) * n // batch) * batch for n, batch in counts)
    tested = 5 * 5 * 41 * 15 * len(counts)
    assert found.images == 2 * 6150 + trained + tested


def stages_of(planned: Study) -> dict[str, Line]:
    return {line.stage: line for line in study.lines(planned, machine(planned.rows))}


def test_a_profile_without_the_sets_pays_nothing_for_them() -> None:
    found = stages_of(whole_study("imagenette", ANALYSED))
    for name in ("prepare@voc2012", "overlap", "transfer@caltech101", "probe"):
        assert (found[name].images, found[name].disk_bytes, found[name].flops) in (
            (0, 0, 0), (0, 0, None)
        )  # fmt: skip


def test_outside_dvc_it_says_that_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(config, "ROOT", tmp_path)
    status = done.stages()
    assert status.changed is None
    assert "not inside" in status.reason


def test_units() -> None:
    assert [table.duration(s) for s in (42, 186, 9000)] == ["42 s", "3.1 min", "2.5 h"]
    assert [table.amount(n) for n in (999, 1500, 261.7e9)] == ["999 B", "1.5 kB", "262 GB"]


def test_help_needs_no_torch() -> None:
    program = "import sys, zfrepro.plan; print('torch' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=config.ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == "False\n"


def test_an_unknown_profile_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="papers"):
        plan.plan(plan.parse(["tab3_zfnet", "profile=papers"]))
