"""Stage `sources`: what each stage's code means, so that an edit makes anew just what runs it.

Writes results/sources/<stage>.json, the digest of each source file that the stage's modules import,
near or far. Comments and docstrings do not count, as they do not in a run's fingerprint.
"""

import argparse
from collections.abc import Mapping

from zfrepro import config, elements, files, fingerprint

OUT = config.ROOT / "results" / "sources"


SHOWS = ("report", "publish")  # stages that show what elements say of themselves


def stages() -> dict[str, tuple[str, ...]]:
    """All others, and their modules: those of this package, and each element's."""
    paths = (config.ROOT / "pipelines").glob("[!_]*.py")
    found: dict[str, tuple[str, ...]] = {p.stem: (f"pipelines.{p.stem}",) for p in paths}
    runner = found.pop("element")
    found |= {each.stage: (*runner, *each.modules) for each in elements.every()}
    del found["sources"]
    return dict(sorted(found.items()))


def digests(stage: str, modules: tuple[str, ...]) -> Mapping[str, str]:
    """What decides the results of a stage: the digest of each source file."""
    found = fingerprint.digests(*modules)
    if stage not in SHOWS:
        return found
    return {**found, **fingerprint.own_digests(*(each.modules[0] for each in elements.every()))}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name, modules in stages().items():
        files.write_json(OUT / f"{name}.json", digests(name, modules))


if __name__ == "__main__":
    main()
