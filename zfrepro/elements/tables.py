"""Tables 2 to 7 of the paper, ours beside the published, from stored results.

Writes results/tables/table<N>.{csv,md,png}; measures.json, what claims about them rest on; the
ensembles' predictions, in results/ensembles/; and figure 9, which draws table 5 as a curve.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping

from zfrepro import config, outcome
from zfrepro.elements.errors import measure as errors
from zfrepro.elements.errors import tables as networks
from zfrepro.elements.errors.tables import TEST5, TOP1, TOP5, TRAIN
from zfrepro.elements.transfer import measure as transfer
from zfrepro.elements.transfer import report
from zfrepro.outcome import Found, Measure, UntestedError
from zfrepro.render import tables
from zfrepro.results import Results

RESULTS = config.ROOT / "results"
NOTE = (
    "Errors in percent, the probabilities of ten crops averaged, with 95 % bootstrap intervals "
    "over images and, where several seeds were trained, the standard deviation over seeds; the "
    "paper's are of ImageNet. Against base: minus the error of {base}, on the same images."
)
TRAIN_NOTE = (
    " Train error: measured like the validation error, without dropout, on a fixed random subset "
    "of the training images, as large as the validation set (the paper does not say how)."
)
NOTES = {
    "table2": NOTE.format(base="one ZFNet"),
    "table3": NOTE.format(base="the whole net") + TRAIN_NOTE,
}
TABLES = {
    "table2": (
        networks.table2,
        (TOP1, TOP5, TEST5),
        "Table 2: single nets and ensembles, ten crops",
    ),
    "table3": (networks.table3, (TRAIN, TOP1, TOP5), "Table 3: layers removed and resized"),
}


MEASURES: Mapping[str, Callable[[Results], Measure]] = {**errors.MEASURES, **transfer.MEASURES}


def run() -> Iterator[str]:
    """Writes them all, and gives each as text on the way."""
    shutil.rmtree(RESULTS / "ensembles", ignore_errors=True)
    images = config.load(config.CONFIGS / "sets" / "source.yaml")["name"]
    source = networks.Networks(RESULTS, published=images not in config.OWN)
    caution = _caution()
    for name, (rows, metrics, title) in TABLES.items():
        table = source.build(name, rows(), metrics)
        path = RESULTS / "tables" / f"{name}.csv"
        readable = networks.readable(table, metrics)
        tables.write(table, path, readable, NOTES[name] + caution)
        tables.bars(
            table,
            path.with_suffix(".png"),
            label="row",
            pairs={
                metric.name.replace("_top", " top-"): (metric.name, f"paper_{metric.name}")
                for metric in metrics
                if table[metric.name].notna().any()
            },
            title=title,
        )
        yield f"{title}\n\n{path.with_suffix('.md').read_text(encoding='utf-8')}"
    yield from report.write(config.load(config.CONFIGS / "transfer.yaml"))
    outcome.write_measures(RESULTS / "tables" / outcome.MEASURES, of_tables(Results(RESULTS)))


def of_tables(results: Results) -> dict[str, Found]:
    """What claims about the tables rest on, by name; what cannot be measured says why."""
    return {name: _tried(measure, results) for name, measure in MEASURES.items()}


def _tried(measure: Callable[[Results], Measure], results: Results) -> Found:
    try:
        return measure(results)
    except UntestedError as reason:
        return reason
    except FileNotFoundError as error:  # a network that has not been trained
        return UntestedError(str(error))


def _caution() -> str:
    """Names the networks that know nothing."""
    runs = sorted((RESULTS / "runs").glob("*/metrics.json"))
    guessing = [p.parent.name for p in runs if json.loads(p.read_text()).get("at_chance")]
    return f" No better than chance: {', '.join(guessing)}." if guessing else ""
