"""Stage `sources`: what each stage's code means, so that an edit makes anew just what runs it.

Writes results/sources/<stage>.json, the digest of each source file that the stage's module imports,
near or far. Comments and docstrings do not count, as they do not in a run's fingerprint.
"""

import argparse

from zfrepro import config, files, fingerprint

OUT = config.ROOT / "results" / "sources"


def stages() -> list[str]:
    """All others: modules of this package."""
    modules = (path.stem for path in (config.ROOT / "pipelines").glob("[!_]*.py"))
    return sorted(set(modules) - {"sources"})


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name in stages():
        files.write_json(OUT / f"{name}.json", fingerprint.digests(f"pipelines.{name}"))


if __name__ == "__main__":
    main()
