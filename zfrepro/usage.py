"""What the command line can say: `--help`, and docs/configuration.md.

`python -m zfrepro.usage` prints the page, which a test compares.
"""

import textwrap

from zfrepro import schema
from zfrepro.keys import options

OPTIONS = {  # Hydra's
    "--cfg job --resolve": "show the whole configuration",
    "--multirun": "a run for each of several values: --multirun '+experiment=glob(tab3_*)'; on a "
    "cluster with hydra/launcher=slurm",
    "--hydra-help": "Hydra's own options",
}
GROUPS = ("data", "model", "training", "trainer", "tracking")
HEAD = """\
Trains one network of "Visualizing and Understanding Convolutional Networks".

  python -m zfrepro.train +experiment=NAME [profile=NAME] [seed=N] [KEY=VALUE ...]

The run is the same that stage train@NAME of `dvc repro` makes, and is shared with it: whichever
comes second finds it finished. Images that are not prepared yet are prepared first."""
PAGE = """\
# Keys of the configuration

What each key can be and means; the values stand in `conf/`. Hydra checks types, `zfrepro/schema/`
says what else is checked. A star is a name: a layer's, a transfer set's. `python -m zfrepro.usage`
prints this page.
"""
ROOTS = {
    "config": "A training (`conf/config.yaml` and its groups; `KEY=VALUE` on the command line)",
    "analysis": "The figures (`conf/analysis.yaml`)",
    "transfer": "Other sets (`conf/transfer.yaml`)",
}


def text() -> str:
    """What `--help` says of a training: experiments, profiles, groups, keys."""
    keys = {key: f"{what}: {doc}" for key, (what, doc) in schema.explained("config").items()}
    parts = [
        HEAD,
        _list("Experiments (+experiment=NAME)", options("experiment")),
        _list("Profiles (profile=NAME; params.yaml's where none is given)", options("profile")),
        _table(
            "Option groups (GROUP=OPTION)", {group: ", ".join(options(group)) for group in GROUPS}
        ),
        _table("Keys (KEY=VALUE); a star is a layer's or a set's name", keys),
        _table("Options", OPTIONS),
    ]
    return "\n\n".join(parts)


def page() -> str:
    """docs/configuration.md: every key of every file."""
    parts = [PAGE]
    for root, title in ROOTS.items():
        rows = [
            f"| `{key}` | {what} | {doc} |" for key, (what, doc) in schema.explained(root).items()
        ]
        parts += [f"## {title}\n", "| key | can be | meaning |", "| --- | --- | --- |", *rows, ""]
    return "\n".join(parts)


def _list(title: str, names: list[str]) -> str:
    return "\n  ".join([f"{title}:", *names])


def _table(title: str, rows: dict[str, str]) -> str:
    lines = [f"{title}:"]
    for name, words in rows.items():
        head = f"  {name:28} "
        wrapped = textwrap.wrap(words, 69) if len(name) <= 28 else ["", *textwrap.wrap(words, 69)]
        lines.append(f"\n{' ' * 31}".join([head + wrapped[0], *wrapped[1:]]).rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(), end="")
