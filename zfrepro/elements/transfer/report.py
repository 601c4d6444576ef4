"""Tables 4 to 7 and figure 9, from the folds that the stages `transfer` and `probe` left."""

from collections.abc import Iterator, Mapping

import pandas as pd

from zfrepro import config, files
from zfrepro.config import Config
from zfrepro.elements.transfer import plot
from zfrepro.elements.transfer import tables as transfer
from zfrepro.outcome import MEASURES, write_measures
from zfrepro.render import tables

RESULTS = config.ROOT / "results"
FIGURE = RESULTS / "figures" / "figure9"
NO_SET = "The images of this profile hold no such set: the paper's numbers alone."
FOLDS = (
    "Accuracies in percent, the mean of the classes': mean ± deviation over folds [95 % interval "
    "of the mean: by Student's t where each fold has images of its own, by Nadeau and Bengio where "
    "folds share images; none of fewer than three]."
)
CALTECH = (
    "{classes} classes; up to {tested} of a class' other images tested, {fewest} of the smallest "
    "beside most training images. Pretrained: {network} as trained on its own set, {layer} after "
    "ReLU of one centre crop, minus the mean and divided by the mean length, and a new softmax, "
    "its C chosen by cross-validation within the training images. Scratch: all layers from random "
    "weights, {epochs} epochs of {steps} steps. Pretrained minus scratch, same folds: {gains}."
)
VOC = (
    "Average precision by the rule of VOC 2012's devkit, in percent [95 % bootstrap interval over "
    "images]; trained on {train}, tested on {test}, since the paper's test labels are not public. "
    "Softmax, as in the paper: an image of k classes wants 1/k of each, difficult objects are none "
    "of them. One-vs-rest: logistic regressions, without the images where a class is difficult."
)
LAYERS = (
    "Layer k is what layer k + 1 sees: after ReLU, pooling and normalisation; all of its numbers, "
    "minus the training images' mean, divided by their mean length. SVM: linear, squared hinge, "
    "one against the rest. C chosen by cross-validation within the training images: {counts}. "
    "Numbers that a layer has of an image, which bound what those above can know: {numbers}."
)


def write(settings: Config) -> Iterator[str]:
    """Writes tables 4 to 7 and figure 9, and gives the tables as text on the way."""
    yield _write_caltech(settings, "Caltech-101", 4, "caltech101")
    yield _write_caltech(settings, "Caltech-256", 5, "caltech256")
    yield _write_voc(settings)
    yield _write_layers(settings)
    _write_figure(settings)


def _write_caltech(settings: Config, title: str, number: int, name: str) -> str:
    folds = _folds(f"transfer/{name}")
    table = transfer.caltech(f"table{number}", folds, _tested(settings))
    counts = transfer.table_counts(f"table{number}", folds)
    names = {f"acc_{count}": f"{count} per class" for count in counts}
    note = f"{FOLDS} {_protocol(settings, name, folds)}" if len(folds) else NO_SET
    return _write(table, number, names, note, f"Table {number}: {title}", "accuracy")


def _protocol(settings: Config, name: str, folds: pd.DataFrame) -> str:
    found = transfer.gain_sentences(transfer.gains(folds, _tested(settings)[name]))
    return CALTECH.format(
        classes=folds["classes"].iloc[0],
        tested=settings[name]["tested"],
        fewest=folds["fewest_tested"].min(),
        gains="; ".join(found) or "not measured",
        **{key: settings[key] for key in ("network", "layer")},
        **{key: settings["scratch"][key] for key in ("epochs", "steps")},
    )


def _write_voc(settings: Config) -> str:
    path = RESULTS / "transfer" / "voc2012" / "average_precision.csv"
    columns = ["classifier", "class", "ap", "low", "high"]
    found = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=columns)
    mine = settings["voc2012"]
    splits = {role: " and ".join(mine[role]) for role in ("train", "test")}
    note = VOC.format(**splits) if len(found) else NO_SET
    table = transfer.voc(found)
    names = {"softmax": "softmax", "logistic": "one-vs-rest"}
    readable = transfer.readable(table, names).drop(columns="one-vs-rest, paper")
    for cited in ("sande_2012", "yan_2012"):
        readable.insert(1, cited, table[cited])
    return _write(table, 6, names, note, "Table 6: PASCAL VOC 2012", "average precision", readable)


def _write_layers(settings: Config) -> str:
    folds = _folds("probe")
    counts = settings["probe"]["images_per_class"]
    said = ", ".join(
        f"{count} training images per class of {name}" for name, count in counts.items()
    )
    table = transfer.layers(folds, counts, _tested(settings))
    names = {"caltech101": "Caltech-101", "caltech256": "Caltech-256"}
    sizes = folds.drop_duplicates("layer").dropna(subset="numbers")
    numbers = ", ".join(f"{line.layer} {line.numbers:,.0f}" for line in sizes.itertuples())
    note = f"{FOLDS} {LAYERS.format(counts=said, numbers=numbers)}" if len(folds) else NO_SET
    floor = folds[folds["arm"] == transfer.FLOOR]
    for name, rows in floor.groupby("set", sort=False):
        means = rows.groupby("layer", sort=False)["accuracy"].mean()
        listed = ", ".join(f"{layer} {accuracy:.1f}" for layer, accuracy in means.items())
        note += f" An SVM on the features before the training, {name}: {listed}."
    return _write(table, 7, names, note, "Table 7: features of each layer", "accuracy")


def _write(
    table: pd.DataFrame,
    number: int,
    names: Mapping[str, str],
    note: str,
    title: str,
    measure: str,
    readable: pd.DataFrame | None = None,
) -> str:
    path = RESULTS / "tables" / f"table{number}.csv"
    shown = transfer.readable(table, names) if readable is None else readable
    tables.write(table, path, shown, note)
    pairs = {
        label: (name, f"paper_{name}" if f"paper_{name}" in table else "paper_softmax")
        for name, label in names.items()
    }
    tables.bars(
        table, path.with_suffix(".png"), label=str(table.columns[0]), pairs=pairs, title=title,
        measure=measure, paper="published, on the real set",
    )  # fmt: skip
    return f"{title}\n\n{path.with_suffix('.md').read_text(encoding='utf-8')}"


def _write_figure(settings: Config) -> None:
    folds, tested = _folds("transfer/caltech256"), _tested(settings)
    found = transfer.summary(folds, tested)
    plot.draw(found, FIGURE / "figure9", f"here: {settings['network']}")
    curves = pd.concat([
        found.assign(source="here"),
        plot.published().rename(columns={"row": "arm"}).assign(source="paper"),
    ])  # fmt: skip
    with files.atomic_path(FIGURE / "plot.csv") as path:
        order = ["source", "arm", "images_per_class", "mean", "sd", "low", "high", "folds"]
        curves[order].to_csv(path, index=False, float_format="%.4g")
    measures = {
        f"{line['arm']}/{line['images_per_class']:.0f}": line["mean"]
        for line in found.to_dict("records")
    }
    write_measures(FIGURE / MEASURES, measures)
    files.atomic_write(FIGURE / "report.md", _report(folds, found, tested["caltech256"]))
    files.write_json(FIGURE / "recipe.json", {"stage": "tables", **_of(settings, "caltech256")})


def _tested(settings: Config) -> dict[str, int]:
    """Images per class that a fold tests of those that others train on, by set."""
    return {
        name: 0 if settings[name]["independent_folds"] else settings[name]["tested"]
        for name in ("caltech101", "caltech256")
    }


def _of(settings: Config, name: str) -> Config:
    """The settings that the folds of one set were made with."""
    shared = ("network", "seed", "layer", "strengths", "scratch")
    return {**{key: settings[key] for key in shared}, name: settings[name]}


def _report(folds: pd.DataFrame, found: pd.DataFrame, tested: int) -> str:
    head = (
        "# Figure 9: accuracy on Caltech-256 against training images per class\n\n"
        "The paper's claim: with six training images per class the pretrained network beats the "
        "best earlier result, which had sixty.\n"
    )
    if not len(folds):
        return f"{head}{NO_SET}\n"
    gains = "".join(
        f"* {text}\n" for text in transfer.gain_sentences(transfer.gains(folds, tested))
    )
    return f"{head}Here {plot.overtaken(found)}.\n\nPretrained minus scratch:\n\n{gains}"


def _folds(folder: str) -> pd.DataFrame:
    return pd.read_csv(RESULTS / folder / "folds.csv")
