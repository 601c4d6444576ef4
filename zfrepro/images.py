"""The images that a training asks for: as the stages have prepared them, or else made here.

What is made here lies in .checkpoints/, from where the stages link theirs to results/: no image of
another profile is touched, and `dvc repro` finds these finished.
"""

from collections.abc import Mapping
from contextlib import suppress

from zfrepro import config, files, networks, runs
from zfrepro.config import Config, ConfigError
from zfrepro.data import excluded
from zfrepro.data.excluded import ExcludedError, Ints
from zfrepro.data.store import PreparedSet
from zfrepro.fingerprint import fingerprint


def made(cfg: Config, sets: Mapping[str, Config], overlap: Config) -> PreparedSet:
    """The prepared images of a configuration, without those to leave out; made where they are not.

    Waits for another process that makes the same. What was killed goes on where it was.

    Args:
        sets: the transfer sets of the profile, some of whose images the source may hold too.
        overlap: what makes two images the same (`overlap` of conf/analysis.yaml).

    Raises:
        SourceError: the raw images are not there; says what to fetch, or which variable to set.
        LockedError: a stage of `dvc repro` is making the same.
    """
    if cfg["data"]["name"] != "folder":  # see `_prepared`
        with suppress(ConfigError, ExcludedError):
            return runs.standing(cfg)
    what = f"preparing the images of profile {cfg['profile']}"
    lock = config.CHECKPOINTS / f"images-{cfg['profile']}"
    with files.exclusive(lock, what, wait=runs.tell):
        if find(cfg["data"]) is None:
            runs.tell(f"{what}, once ({_how_long(cfg['data'])})")
        source = _prepared("source", cfg["data"])
        if not cfg["exclude_overlap"]:
            return source
        others = {name: _prepared(name, data) for name, data in sets.items()}
        return source.without("train", _shared(source, others, overlap))


def find(data: Config, name: str = "source") -> PreparedSet | None:
    """The prepared images of `data`, whole, where there are some; makes none.

    Args:
        name: the set's folder in results/prepared/.
    """
    for folder, manifest in networks.prepared_sets(name):
        with suppress(OSError, ValueError, KeyError):
            runs.check_prepared(manifest, data, remedy="")
            return PreparedSet.open(folder)
    return None


def known(cfg: Config) -> PreparedSet:
    """As `made`, where that has been made. Raises what `runs.standing` does."""
    try:
        return runs.standing(cfg)
    except (ConfigError, ExcludedError):
        if (source := find(cfg["data"])) is None:
            raise
        if not cfg["exclude_overlap"]:
            return source
        for path in networks.newest("overlap-*/excluded.parquet"):
            with suppress(ExcludedError):
                return source.without("train", excluded.read(path, source.manifest["digest"]))
        raise


def _how_long(data: Config) -> str:
    if data["name"] == "miniature":
        return "rendered: about a minute"
    return "downloaded where they are not there yet" if data.get("download") else "from your files"


def _prepared(name: str, data: Config) -> PreparedSet:
    """What stands is taken as it is, so that the raw images need not be where it is trained."""
    from pipelines import prepare

    # a folder of the user's own may have changed, or be another one by now
    standing = None if data["name"] == "folder" else find(data, name)
    return standing or PreparedSet.open(prepare.made(name, data, runs.tell))


def _shared(source: PreparedSet, others: Mapping[str, PreparedSet], rule: Config) -> Ints:
    """The training images that other sets hold too; looked for once."""
    from zfrepro.elements.overlap import stage

    digests = {name: each.manifest["digest"] for name, each in others.items()}
    digest = source.manifest["digest"]
    decides = {"source": digest, "sets": digests, "rule": rule}
    mark = fingerprint(decides, ["zfrepro.data.overlap"])
    path = config.CHECKPOINTS / f"overlap-{mark}" / "excluded.parquet"
    if not path.is_file():
        stage.exclude(stage.pairs_of(source, others, rule), source, path)
    return excluded.read(path, digest)
