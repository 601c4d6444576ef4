"""What README.md and docs/ tell the reader to type exists."""

import re
import tomllib

from zfrepro import config
from zfrepro.fingerprint import PROJECT, _source

README = (PROJECT / "README.md").read_text()
DOCS = [path.read_text() for path in sorted((PROJECT / "docs").glob("*.md"))]
ADDED = {"zfnet_lcn"}  # by docs/adding.md itself, which its own test applies
TEXT = "\n".join([README, *DOCS])


def test_modules_experiments_and_profiles_exist() -> None:
    for name in re.findall(r"python -m ([\w.]+)", TEXT):
        script = PROJECT.joinpath(*name.split(".")).with_suffix(".py")  # a benchmark
        assert name in ADDED or _source(name) or script.is_file() or (PROJECT / name).is_dir(), name
    named = set(re.findall(r"\+experiment=(\w+)\b(?!\()", TEXT))
    assert named <= set(config.options("experiment")) | ADDED
    assert set(re.findall(r"profile=(\w+)", TEXT)) <= set(config.options("profile"))
    assert set(re.findall(r"trainer=(\w+)", TEXT)) <= set(config.options("trainer"))
    assert set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)) == set(
        config.options("profile")
    )


def test_make_targets_exist() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z]+)", TEXT):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_named_files_exist() -> None:
    for name in re.findall(
        r"`((?:conf|zfrepro|pipelines|tests|docs)/[\w./]*)`|\]\((docs/[\w./]+)\)", TEXT
    ):
        path = name[0] or name[1]
        assert (PROJECT / path).exists(), path


def test_the_lock_pins_every_dependency() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    lock = (PROJECT / "requirements.lock").read_text()
    locked = {
        re.sub(r"[-_.]+", "-", name).lower()
        for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)
    }
    assert {re.split(r"[<>=!~\[]", entry)[0].strip() for entry in wanted} <= locked
    assert "://" not in lock
