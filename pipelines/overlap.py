"""Stage `overlap`: the source's training images that the transfer sets hold too (section 5.2).

Writes results/overlap/pairs.parquet, a row a pair, and results/overlap/excluded.parquet, the
training images that are left out of training for it; results/figures/overlap/ shows the pairs and
counts them. A profile without transfer sets has empty lists.
"""

import argparse

from pipelines._recipe import made_from
from pipelines._stage import shell
from zfrepro import config, files
from zfrepro.elements.overlap import stage
from zfrepro.results import Results


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with shell():
        settings = config.load(config.CONFIGS / "analysis.yaml")["overlap"]
        stage.run(settings)
        made = made_from(Results(stage.RESULTS), "overlap", settings, stage.present())
        files.write_json(stage.FIGURES / "recipe.json", made)


if __name__ == "__main__":
    main()
