"""Stage `publish`: files in MLflow what is not there, or not whole: trainings, figures, tables,
folds and the verdicts on the paper's claims.

Writes results/published.json: fingerprint and MLflow run of each. A store that does not answer is a
warning: claims and page stand for themselves, and the next `dvc repro publish` files what lacks.
"""

import argparse
import json
import sys
from pathlib import Path

from zfrepro import config, files, processes
from zfrepro.tracking import (
    DatabaseError,
    Folds,
    Record,
    RecordError,
    Result,
    of_claims,
    publish,
    publish_results,
    register_best,
)

RESULTS = config.ROOT / "results"
RUNS = RESULTS / "runs"
ERRORS = RESULTS / "errors"  # of stage `evaluate`
PUBLISHED = RESULTS / "published.json"
CLAIMS = RESULTS / "report" / "claims.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="*", help="all of conf/experiment/ if none is named")
    named = parser.parse_args().experiments
    experiments = named or config.options("experiment")
    processes.exit_on_signals()
    processes.die_with_parent()
    try:
        records, errors = [_record(name) for name in experiments], _evaluated(experiments)
        published = publish(records, errors)
        published += publish_results(_results(), _folds(), records[0].config["tracking"])
        registered = None if named else register_best(records, errors)  # the best of all
    except (RecordError, DatabaseError, config.ConfigError) as error:
        sys.exit(f"error: {error}")
    except Exception as error:
        print(
            "warning: the tracking store took not every run, `dvc repro publish` goes on: "
            f"{files.reason(error)}", file=sys.stderr,
        )  # fmt: skip
        known = PUBLISHED.read_text(encoding="utf-8") if PUBLISHED.is_file() else "{}\n"
        files.atomic_write(PUBLISHED, known)
        return
    for run in published:
        print(f"{run.experiment:32} {run.action:10} {run.run_id}")
    if registered:
        print(f"models:/zfnet@best is {registered.experiment}, version {registered.version}")
    runs = {
        run.experiment: {"fingerprint": run.fingerprint, "run_id": run.run_id} for run in published
    }
    files.write_json(PUBLISHED, runs)


def _record(name: str) -> Record:
    """With the experiment's own configuration: the folder's may be that of a twin, which trains the
    same network for another table.
    """
    own = config.CONFIGS / f"{name}.yaml"
    return Record.read(RUNS / name, config.load(own) if own.is_file() else None)


def _results() -> list[Result]:
    """Figures that a stage has finished (a picture without a recipe belongs to some table), the
    paper's tables, and the claims once they are judged.
    """
    figures = [Result.read(path.parent) for path in sorted(RESULTS.glob("figures/*/recipe.json"))]
    tables = [Result.of_table(path) for path in sorted(RESULTS.glob("tables/table*.csv"))]
    return [*figures, *tables, *([of_claims(CLAIMS)] if CLAIMS.is_file() else [])]


def _folds() -> list[Folds]:
    """Those of each transfer set and of the probes; a profile without the sets leaves none."""
    paths = [*RESULTS.glob("transfer/*/folds.csv"), *RESULTS.glob("probe/folds.csv")]
    found = [Folds(path.parent.name, path) for path in sorted(paths)]
    return [folds for folds in found if folds.rows]


def _evaluated(experiments: list[str]) -> dict[str, dict[str, float]]:
    """Ten-crop errors by experiment, named as metrics."""
    return {name: _ten_crops(ERRORS / f"{name}.json") for name in experiments}


def _ten_crops(path: Path) -> dict[str, float]:
    if not path.is_file():
        return {}
    errors = json.loads(path.read_text(encoding="utf-8"))
    return {key.replace("_", "/", 1): errors[key] for key in errors if "ten_crops" in key}


if __name__ == "__main__":
    main()
