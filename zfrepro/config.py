"""Composes the Hydra configurations in `conf/`; the only reader of `params.yaml`.

`conf/` says what an experiment is, `params.yaml` how big this machine runs it. A stage of
`dvc.yaml` and the same experiment on the command line are composed here, by the same call.
"""

import difflib
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from zfrepro import paper

ROOT = Path(__file__).resolve().parent.parent
CONF = ROOT / "conf"
PARAMS = ROOT / "params.yaml"
CONFIGS = ROOT / "results" / "configs"
CHECKPOINTS = ROOT / ".checkpoints"

TRANSFER_SETS = ("caltech101", "caltech256", "voc2012")  # of tables 4 to 7; a profile may lack them

LAUNCHER = re.compile(r"Could not (?:find|load) '(hydra/launcher)/(submitit_(?:local|slurm))'")

Config = dict[str, Any]


class ConfigError(ValueError):
    """A configuration that names what does not exist, or leaves a required value open."""


def options(group: str) -> list[str]:
    """Names of the files in `conf/<group>/`: the experiments, the profiles and so on."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def compose(overrides: Sequence[str] = ()) -> Config:
    """The resolved configuration that the command line `overrides` ask for.

    Raises:
        ConfigError: an unknown group option or key, or a required value left open.
    """
    with _errors_explained("config"):
        return resolve(_composed("config", with_profile(overrides)))


def compose_experiment(name: str, overrides: Sequence[str] = ()) -> Config:
    """The configuration of `conf/experiment/<name>.yaml` at the size that `params.yaml` names."""
    return compose([f"+experiment={name}", *overrides])


def with_profile(overrides: Sequence[str]) -> list[str]:
    """`overrides` with the profile of params.yaml, unless they name one.

    Hydra lets a profile choose the data only where it was itself chosen by an override.
    """
    if any(override.startswith("profile=") for override in overrides):
        return [*overrides]
    # beside another override: Hydra's parser takes them in one piece
    place = next((i for i, word in enumerate(overrides) if "=" in word), len(overrides))
    return [*overrides[:place], f"profile={_params('profile')}", *overrides[place:]]


def published_models() -> list[str]:
    """Names of the files in `conf/model/` whose weights somebody has published."""
    files = {name: OmegaConf.load(CONF / "model" / f"{name}.yaml") for name in options("model")}
    return [name for name, model in files.items() if "published" in model]


def compose_published(name: str, overrides: Sequence[str] = ()) -> Config:
    """`model` of a published network, which no profile resizes; `published.weights` as full path.

    Args:
        overrides: of keys below `model`, as in `model.published.weights=PATH`.

    Raises:
        ConfigError: no published network of this name, or an unknown key.
    """
    if name not in published_models():
        raise ConfigError(
            f"model={name} is not published; published are {', '.join(published_models())}"
        )
    with _errors_explained(f"model/{name}"):
        model: Config = dict(_plain(_composed(f"model/{name}", overrides))["model"])
    if weights := model["published"]["weights"]:
        model["published"]["weights"] = str(path(weights))
    return model


def compose_sets(overrides: Sequence[str] = ()) -> dict[str, Config]:
    """The transfer sets that the profile has, by name: each as a group of conf/data/.

    Raises:
        ConfigError: an unknown key, a required value left open, or a set of another name.
    """
    with _errors_explained("config"):
        composed = _composed("config", with_profile(overrides))
        sets = _plain(composed.sets)
    if strangers := sets.keys() - set(TRANSFER_SETS):
        raise ConfigError(
            f"conf/profile/{composed.profile}.yaml has sets.{min(strangers)}; it can have "
            f"{', '.join(TRANSFER_SETS)}"
        )
    return sets


def compose_analysis(overrides: Sequence[str] = ()) -> Config:
    """`conf/analysis.yaml` at the size that `params.yaml` names: what the figures show.

    A profile without a file in `conf/analysis/` has all of it.

    Raises:
        ConfigError: an unknown key.
    """
    return _composed_for_profile("analysis", overrides)


def compose_transfer(overrides: Sequence[str] = ()) -> Config:
    """`conf/transfer.yaml` at the size that `params.yaml` names: features on other sets.

    A profile without a file in `conf/transfer/` has the paper's numbers.

    Raises:
        ConfigError: an unknown key.
    """
    return _composed_for_profile("transfer", overrides)


def _composed_for_profile(root: str, overrides: Sequence[str]) -> Config:
    size = [] if any(o.startswith(f"{root}=") for o in overrides) else [_params("profile")]
    with _errors_explained(root):
        return _plain(_composed(root, [*(f"{root}={name}" for name in size), *overrides]))


def resolve(config: DictConfig) -> Config:
    """`config` with every interpolation replaced by its value, as plain dicts and lists.

    The transfer sets are left out (`compose_sets`): they decide nothing of a training but through
    the list of images that stage `overlap` makes.

    Raises:
        ConfigError: a required value (`???`) is still open.
    """
    if OmegaConf.is_missing(config, "name"):
        raise ConfigError(_no_experiment())
    if open_keys := sorted(OmegaConf.missing_keys(config)):
        raise ConfigError(
            f"no value for {', '.join(open_keys)}: set it in conf/profile/{config.profile}.yaml, "
            f"in the experiment's file or on the command line ({open_keys[0]}=...)"
        )
    plain = _plain(config)
    del plain["sets"]
    return plain


def _composed(root: str, overrides: Sequence[str]) -> DictConfig:
    import hydra  # noqa: PLC0415  a fifth of a second: a stage that reads what is resolved needs none
    from hydra.core.global_hydra import GlobalHydra  # noqa: PLC0415

    # within a command that Hydra has composed, it knows the folder
    known = GlobalHydra.instance().is_initialized()
    with nullcontext() if known else hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(root, overrides=[*overrides])


@contextmanager
def _errors_explained(root: str) -> Iterator[None]:
    """Turns Hydra's errors into ConfigErrors that name what exists in the configuration `root`."""
    from hydra.errors import HydraException  # noqa: PLC0415

    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, root)) from error


def _plain(config: DictConfig) -> Config:
    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(plain, dict)  # noqa: S101  a composed config is a mapping
    return {str(key): value for key, value in plain.items()}


def load(path: Path) -> Config:
    """A resolved configuration that stage `resolve` wrote.

    Raises:
        ConfigError: the file is not there.
    """
    if not path.is_file():
        raise ConfigError(f"{path} is not there: `dvc repro resolve` writes it")
    plain = OmegaConf.to_container(OmegaConf.load(path))
    if not isinstance(plain, dict):
        raise ConfigError(f"{path} holds no mapping: `dvc repro -f resolve` writes it anew")
    return {str(key): value for key, value in plain.items()}


def to_yaml(config: Mapping[str, Any]) -> str:
    return OmegaConf.to_yaml(OmegaConf.create(dict(config)))


def path(value: str | Path) -> Path:
    """A path of the configuration: relative ones start at the project's root."""
    return ROOT / Path(value).expanduser()


def explain(error: BaseException, root: str = "config") -> str:
    """What is wrong with the configuration composed from `root`, and the names that exist."""
    key = next((key for e in _chain(error) if (key := getattr(e, "full_key", None))), None)
    message = str(error).split("Config search path")[0].strip()
    if launcher := LAUNCHER.search(message):
        return f"{launcher[1]}={launcher[2]} needs submitit: pip install 'zfrepro[slurm]'"
    if key is None or "struct" not in str(error) + str(error.__cause__):
        return message
    known = sorted(_keys(_skeleton(root)))
    parent = key.rpartition(".")[0]
    siblings = [k for k in known if k.rpartition(".")[0] == parent] or [
        k for k in known if "." not in k
    ]
    near = difflib.get_close_matches(key, known, n=3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return f"there is no key {key}: {hint}known here: {', '.join(siblings)}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _skeleton(root: str) -> DictConfig:
    choices = {"config": with_profile([]), "transfer": ["transfer=paper"]}
    return _composed(root, choices.get(root, []))


def _keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in config:
        yield f"{prefix}{key!s}"
        node = None if OmegaConf.is_missing(config, key) else config._get_node(key)
        if isinstance(node, DictConfig) and not node._is_none():
            yield from _keys(node, f"{prefix}{key!s}.")


def _no_experiment() -> str:
    return (
        "no experiment chosen: add +experiment=NAME, with NAME one of "
        f"{', '.join(options('experiment'))}"
    )


def _params(key: str) -> Any:
    params = load(PARAMS)
    if key not in params:
        raise ConfigError(f"{PARAMS} has no value for {key}")
    return params[key]


def _scaled(full: int, *, _root_: DictConfig) -> int:
    """A width of the paper's net times `model.width`: a multiple of 8, which both groups share."""
    width: float = _root_.model.width
    return max(8, round(full * width / 8) * 8)


def _crop_of(image_size: int) -> int:
    """The paper's 224 of 256, at any size."""
    return image_size * 7 // 8


OmegaConf.register_new_resolver("params", _params, replace=True)
OmegaConf.register_new_resolver("project", lambda name: str(ROOT / name), replace=True)
OmegaConf.register_new_resolver("plus", operator.add, replace=True)
OmegaConf.register_new_resolver("scaled", _scaled, replace=True)
OmegaConf.register_new_resolver("crop_of", _crop_of, replace=True)
OmegaConf.register_new_resolver("published", paper.published, replace=True)
