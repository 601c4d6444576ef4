"""`python -m zfrepro.adopt [EXPERIMENT ...]`: accepts networks that other code has trained.

A change of the code that trains gives every training another fingerprint, and `dvc repro` would
train all networks anew. Where the change is one that you know to leave results as they are, this
lists, for each experiment without a finished run, the newest finished run of the same experiment
with the same configuration, seed, images, images left out, precision and first weights, and which
files of the code differ; with --yes, or when asked at a terminal, it accepts them.
`dvc repro` then takes them up without training. run.json, the page and MLflow say of an accepted
run that it is one. A run that differs in anything but code is refused, with the key that differs.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from zfrepro import config, files, networks
from zfrepro.fingerprint import PROJECT, digests
from zfrepro.results import RECIPE, read_recipe
from zfrepro.runs import CODE, DECIDES, Run, check_whole, plain_errors, plan

ABSENT = "absent"
# run by the code of a revision: what it calls a training of these parts, and its files' digests
THEN = """
import json, sys
from zfrepro.fingerprint import digests, fingerprint
parts, modules = json.load(sys.stdin)
print(json.dumps([fingerprint(parts, modules), dict(digests(*modules))]))
"""


class Offer(NamedTuple):
    """A finished run, below `folder`, that `run` may take for its own.

    `changed` are the files of the training's code that differ in meaning; None: not known.
    """

    run: Run
    folder: Path
    changed: list[str] | None


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="zfrepro.adopt",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help="all, if none")
    parser.add_argument("--yes", action="store_true", help="accept what is listed")
    args = parser.parse_args()
    known = config.options("experiment")
    if unknown := set(args.experiments) - set(known):
        parser.error(f"no experiment {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    with plain_errors():
        found = offers(args.experiments or known)
        if not found:
            print("there is nothing to accept")
        elif args.yes or _agreed(len(found)):
            for offer in found:
                accept(offer)
                print(f"{offer.run.config['name']}: accepted, in {offer.run.result}")
        else:
            print("nothing is done: --yes accepts them")


def offers(experiments: list[str]) -> list[Offer]:
    """What can be accepted, after a line for each experiment that says so, or why not.

    Raises:
        ConfigError, ExcludedError: the images, or those to leave out, are not there.
    """
    found = []
    for name in experiments:
        run = plan(config.compose_experiment(name))
        if run.finished:
            print(f"{name}: trained, as {run.fingerprint}")
            continue
        made = [each for each in networks.finished() if each[0]["experiment"] == name]
        offer, refused = None, ["no finished run"]
        for recipe, folder in sorted(made, key=lambda each: each[0]["finished"]):
            if reasons := differences(run, folder):
                refused.append(f"{recipe['fingerprint']} is another training: {'; '.join(reasons)}")
            else:
                offer = Offer(run, folder, _changed(run, recipe))
        if offer:
            print(f"{name}: {_said(offer)}")
            found.append(offer)
        else:
            print(f"{name}: {'; '.join(refused[1:] or refused)}")
    return found


def differences(run: Run, folder: Path) -> list[str]:
    """By what, beside code, the finished run in `folder` differs from `run`; empty: by nothing.

    Where it does not say itself which images it left out, or what it started from, the code of its
    git revision has to give the present parts its fingerprint.

    Raises:
        OSError, ValueError: it has no configuration or recipe, or a damaged one.
    """
    recipe, made = read_recipe(folder), config.load(folder / "config.yaml")
    then = {key: made.get(key, ABSENT) for key in DECIDES}
    then["training"] = {**made.get("training", {}), "precision": recipe.get("precision", ABSENT)}
    now = {key: run.parts[key] for key in DECIDES}
    now["training"] = {**now["training"], "start": run.config["training"]["start"]}
    then["data"] = recipe.get("data", {}).get("digest", ABSENT)
    then["left_out"] = recipe.get("left_out", ABSENT)
    left_out = {split: len(images) for split, images in run.prepared.left_out.items()}
    now |= {"data": run.parts["data"], "left_out": left_out}
    found = list(_differing(then, now))
    told_by_count = [name for name, count in left_out.items() if count]
    if found or not (told_by_count or run.start) or _proven(run, recipe):
        return found
    what = [f"left_out.{name} (images, by number)" for name in told_by_count]
    what += ["training.start (the weights)"] * (run.start is not None)
    return [
        f"it does not say {' and '.join(what)}, and git has no clean revision "
        f"{recipe.get('git_revision')} that gives these its fingerprint"
    ]


def accept(offer: Offer) -> None:
    """Makes the run appear, whole, under its present fingerprint: links, and a recipe of its own.

    Raises:
        LockedError: a training of it is under way.
        DamagedError: a file of the finished run is not as it was written.
    """
    run, folder, changed = offer
    with files.exclusive(run.work, f"training of {run.config['name']}"):
        if run.finished:
            return
        check_whole(folder)
        recipe = read_recipe(folder)
        origin = recipe.get("adopted_from", recipe)  # the training itself, however often accepted
        partial = run.work / "run.part"
        files.link_tree(folder, partial)
        adopted = {"fingerprint": origin["fingerprint"], "changed": changed}
        files.write_json(
            partial / RECIPE, {**recipe, "fingerprint": run.fingerprint, "adopted_from": adopted}
        )
        made = [path.relative_to(partial).as_posix() for path in partial.rglob("*")]
        files.write_sums(partial, [n for n in made if (partial / n).is_file() and n != files.SUMS])
        files.sync(partial)
        partial.rename(run.result)
        files.sync(run.work)


def _differing(then: Any, now: Any, key: str = "") -> Iterator[str]:
    """The keys in which two configurations differ, with both values."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for name in {**then, **now}:
            inner = then.get(name, ABSENT), now.get(name, ABSENT)
            yield from _differing(*inner, f"{key}.{name}" if key else name)
    elif then != now:
        yield f"{key} is {then} there and {now} now"


def _proven(run: Run, recipe: Mapping[str, Any]) -> bool:
    """Whether the code that made a run gives `run`'s parts its fingerprint: only code differs."""
    then = _by_code_of(_revision(recipe), json.dumps([run.parts, CODE]))
    origin = recipe.get("adopted_from", recipe)
    return then is not None and then[0] == origin["fingerprint"]


def _changed(run: Run, recipe: Mapping[str, Any]) -> list[str] | None:
    """Files of the training's code that differ from those that made a run, if git can tell."""
    revision = _revision(recipe)
    then = _by_code_of(revision, json.dumps([run.parts, CODE]))
    origin = recipe.get("adopted_from", recipe)
    dirty = revision != recipe.get("git_revision")
    if then is None or (dirty and then[0] != origin["fingerprint"]):
        return None
    now = digests(*CODE)
    return sorted(name for name in {**then[1], **now} if then[1].get(name) != now.get(name))


def _revision(recipe: Mapping[str, Any]) -> str | None:
    revision: str | None = recipe.get("git_revision")
    return revision and revision.removesuffix("-dirty")


@cache
def _by_code_of(revision: str | None, question: str) -> tuple[str, dict[str, str]] | None:
    """What the code of a git revision prints of `THEN`; None where git or it cannot tell."""
    git = shutil.which("git")
    if revision is None or git is None:
        return None
    command = [git, "-C", str(PROJECT), "archive", revision, "zfrepro", "pipelines"]
    packed = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
    if packed.returncode:
        return None
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "-x"], cwd=folder, input=packed.stdout, check=True)  # noqa: S607
        asked = subprocess.run(  # noqa: S603
            [sys.executable, "-c", THEN], cwd=folder, env={"PYTHONPATH": folder},
            input=question, capture_output=True, text=True, check=False,
        )  # fmt: skip
    return tuple(json.loads(asked.stdout)) if asked.returncode == 0 else None


def _said(offer: Offer) -> str:
    recipe = read_recipe(offer.folder)
    changed = offer.changed
    files_changed = "git cannot tell which" if changed is None else ", ".join(changed) or "none"
    return (
        f"{recipe['fingerprint']}, finished {recipe['finished']}, can be accepted as "
        f"{offer.run.fingerprint}; files of the training's code that changed: {files_changed}"
    )


def _agreed(count: int) -> bool:
    return sys.stdin.isatty() and input(f"accept {count}? [y/N] ").strip().lower() in ("y", "yes")


if __name__ == "__main__":
    main()
