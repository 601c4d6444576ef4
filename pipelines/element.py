"""The stage of an element: measures and draws one of the paper's figures, by its section of
conf/analysis.yaml, as `zfrepro/elements/<name>/stage.py` does.

Writes results/figures/<figure>: its pictures and tables; measures.json, its numbers with their
intervals; report.md; and recipe.json, what it was made from.
"""

import argparse
import shutil
import sys
from dataclasses import replace

from pipelines._recipe import made_from
from pipelines._stage import shell
from zfrepro import config, elements, files
from zfrepro.config import Config
from zfrepro.elements.context import Context
from zfrepro.outcome import Outcome
from zfrepro.render import style
from zfrepro.results import Results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=elements.NAMES)
    name = parser.parse_args().name
    with shell(keep_memory=True):
        analysis = config.load(config.CONFIGS / "analysis.yaml")
        style.set_output(**analysis["pictures"])
        run(name, analysis[name], Results(config.ROOT / "results"))


def run(name: str, settings: Config, results: Results) -> None:
    """Makes the folder of an element anew."""
    element = elements.find(name)
    folder = results.folder / element.folder
    shutil.rmtree(folder, ignore_errors=True)
    cautioned(element.run(Context(settings, results, folder))).write(folder)
    files.write_json(folder / "recipe.json", made_from(results, name, settings))


def cautioned(found: Outcome) -> Outcome:
    """Says in the report, and on the terminal, what its figures say of their networks."""
    for words in style.cautions():
        print(words, file=sys.stderr)
    said = "".join(f"**{words}.**\n\n" for words in style.cautions())
    return replace(found, text=said + found.text) if found.text else found


if __name__ == "__main__":
    main()
