"""Composes the Hydra configurations in `conf/`; the only reader of `params.yaml`.

`conf/` says what an experiment is, `params.yaml` how big this machine runs it. A stage of
`dvc.yaml` and the same experiment on the command line are composed here, by the same call.
What the keys are, and what they can be, is in `zfrepro/schema/`.
"""

import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from zfrepro import keys, paper, schema
from zfrepro.schema import check
from zfrepro.schema.check import checked, explain
from zfrepro.seeds import member_seed

ROOT = Path(__file__).resolve().parent.parent
PARAMS = ROOT / "params.yaml"
CONFIGS = ROOT / "results" / "configs"
CHECKPOINTS = ROOT / ".checkpoints"

OWN = ("folder",)  # sources whose classes are the user's own
TRANSFER_SETS = ("caltech101", "caltech256", "voc2012")  # of tables 4 to 7; a profile may lack them

OVERRIDE = re.compile(r"(\+*)([^=~]+?)=(.*)", re.DOTALL)

Config = dict[str, Any]
ConfigError, CONF, options = check.ConfigError, keys.CONF, keys.options


def compose(overrides: Sequence[str] = ()) -> Config:
    """The resolved configuration that the command line `overrides` ask for.

    Raises:
        ConfigError: an unknown group option or key, a value that cannot be meant, or a required
            one left open.
    """
    words = with_profile(overrides)
    with explained("config", words):
        return resolve(_composed("config", words))


def compose_experiment(name: str, overrides: Sequence[str] = ()) -> Config:
    """The configuration of `conf/experiment/<name>.yaml` at the size that `params.yaml` names."""
    return compose([f"+experiment={name}", *overrides])


def with_profile(overrides: Sequence[str]) -> list[str]:
    """`overrides` with the profile of params.yaml, unless they name one.

    Hydra lets a profile choose the data only where it was itself chosen by an override.
    """
    if any(re.match(r"\+*profile=", override) for override in overrides):
        return [*overrides]
    # beside another override: Hydra's parser takes them in one piece
    place = next((i for i, word in enumerate(overrides) if "=" in word), len(overrides))
    return [*overrides[:place], f"profile={_params('profile')}", *overrides[place:]]


def literal(overrides: Sequence[str]) -> list[str]:
    """`overrides` with the names of files in quotation marks: Hydra takes them as they stand."""
    return [_literal(word) for word in overrides]


def _literal(word: str) -> str:
    found = OVERRIDE.fullmatch(word)
    if not found or found[2].rpartition(".")[2] not in schema.FILES:
        return word
    plus, key, value = found.groups()
    if value in ("", "null", "???") or (value[0] in "'\"" and value[0] == value[1:][-1:]):
        return word
    quoted = re.sub(r"(\\+)(?='|$)", r"\1\1", value).replace("'", r"\'")
    return f"{plus}{key}='{quoted}'"


def check_options(overrides: Sequence[str], *, several: bool = False) -> None:
    """Checks the options that `overrides` choose from the groups of conf/.

    Args:
        several: whether each of several may be chosen, by its own run (`--multirun`).

    Raises:
        ConfigError: there is no such option, or several are chosen for one run.
    """
    groups = {path.name for path in CONF.iterdir() if path.is_dir()} - {"analysis", "transfer"}
    for word in overrides:
        if word.startswith(("=", "~")):
            raise ConfigError(f"{word}: an override is KEY=VALUE, and no key can be left out")
        if word in options("experiment"):
            raise ConfigError(f"{word}: an experiment is chosen with +experiment={word}")
        found = OVERRIDE.fullmatch(word)
        if not found or found[2] not in groups:
            continue
        plus, group, value = found.groups()
        if value.startswith("[") or ("," in value and not several):
            chosen = f"{plus}{group}={value.strip('[]').replace(' ', '')}"
            raise ConfigError(
                f"{word}: one {group} a run; each in a run of its own: --multirun {chosen}"
            )
        if re.fullmatch(r"[\w.-]*", value) and value not in (known := options(group)):
            raise ConfigError(
                f"{group} is {value!r}; {keys.near(value, known)}"
                f"it must be one of {', '.join(known)}"
            )


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
    with explained("network"):
        model: Config = _plain(_composed("network", [f"model={name}", *overrides]))["model"]
    if weights := model["published"]["weights"]:
        model["published"]["weights"] = str(path(weights))
    return model


def compose_sets(overrides: Sequence[str] = ()) -> dict[str, Config]:
    """The transfer sets that the profile has, by name: each as a group of conf/data/.

    Raises:
        ConfigError: an unknown key, a required value left open, or a set of another name.
    """
    words = with_profile(overrides)
    with explained("config", words):
        composed = _composed("config", words)
        sets = _plain(composed.sets, "sets.")
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
        ConfigError: an unknown key, or a value that cannot be meant.
    """
    return _composed_for_profile("analysis", overrides)


def compose_transfer(overrides: Sequence[str] = ()) -> Config:
    """`conf/transfer.yaml` at the size that `params.yaml` names: features on other sets.

    A profile without a file in `conf/transfer/` has the paper's numbers.

    Raises:
        ConfigError: an unknown key, or a value that cannot be meant.
    """
    return _composed_for_profile("transfer", overrides)


def _composed_for_profile(root: str, overrides: Sequence[str]) -> Config:
    size = [] if any(o.startswith(f"{root}=") for o in overrides) else [_params("profile")]
    words = [*(f"{root}={name}" for name in size), *overrides]
    with explained(root, words):
        return _plain(_composed(root, words))


def resolve(config: DictConfig) -> Config:
    """`config` with every interpolation replaced by its value, as plain dicts and lists.

    `seed` is then the run's own, drawn from `base_seed` and `member`. The transfer sets are left
    out (`compose_sets`): they decide nothing of a training but through the list of images that
    stage `overlap` makes.

    Raises:
        ConfigError: a required value (`???`) is still open, or one cannot be meant.
    """
    if OmegaConf.is_missing(config, "name"):
        raise ConfigError(_no_experiment())
    plain = _plain(config)
    if plain["crop"] > plain["data"]["image_size"]:
        raise ConfigError(
            f"crop is {plain['crop']}; it must be at most data.image_size, "
            f"{plain['data']['image_size']}"
        )
    del plain["sets"]
    base = plain["seed"]
    return {**plain, "seed": member_seed(base, plain["member"]), "base_seed": base}


def _composed(root: str, overrides: Sequence[str]) -> DictConfig:
    import hydra  # noqa: PLC0415  a fifth of a second: a stage that reads what is resolved needs none
    from hydra.core.global_hydra import GlobalHydra  # noqa: PLC0415

    register()
    check_options(overrides)
    # within a command that Hydra has composed, it knows the folder
    known = GlobalHydra.instance().is_initialized()
    with nullcontext() if known else hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(root, overrides=literal(overrides))


@cache
def register() -> None:
    """Tells Hydra the types of the keys: the files in conf/ name them in their defaults."""
    from hydra.core.config_store import ConfigStore  # noqa: PLC0415

    store = ConfigStore.instance()
    for name, cls in schema.ROOTS.items():
        store.store(name=f"{name}_schema", node=cls)
    for name, cls in schema.DATA.items():
        store.store(group="schema/data", name=name, node=cls)
    store.store(name="network", node=schema.Network)


@contextmanager
def explained(root: str, overrides: Sequence[str] = ()) -> Iterator[None]:
    """Turns errors of composing the configuration `root` into ConfigErrors of one line."""
    from hydra.errors import HydraException  # noqa: PLC0415

    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{_file_of(str(error), overrides)}{error}") from error
    except UnicodeDecodeError as error:
        files = (file for file in CONF.rglob("*.yaml") if file.read_bytes() == error.object)
        raise ConfigError(f"{next(files, 'a file')} is not in UTF-8: {error.reason}") from error
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        message = explain(error, schema.ROOTS[root])
        remedy = _profile_for_data(overrides) if message.startswith("conf/profile/") else ""
        raise ConfigError(message + remedy) from error


def _file_of(message: str, overrides: Sequence[str]) -> str:
    """The chosen file of conf/ that sets the key of `message`; empty where none does."""
    key = message.partition(" is ")[0]
    chosen = re.findall(r"^\+*(\w+)=([\w.-]+)$", "\n".join(overrides), re.MULTILINE)
    for group, option in sorted(chosen, key=lambda pair: pair[0] != "experiment"):
        file = CONF / group / f"{option}.yaml"
        value = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None and not any(f"{key}=" in word for word in overrides):
            return f"conf/{group}/{option}.yaml: "
    return ""


def _profile_for_data(overrides: Sequence[str]) -> str:
    """Which profile goes with the images that `overrides` choose; empty where they choose none."""
    chosen = [word.removeprefix("data=") for word in overrides if word.startswith("data=")]
    files = {name: CONF / "profile" / f"{name}.yaml" for name in options("profile") if chosen}
    made = [
        name for name, file in files.items() if f"/data: {chosen[0]}\n" in file.read_text("utf-8")
    ]
    fitting = f": profile={made[0]} does" if made else ""
    return f"; data={chosen[0]} needs a profile made for it{fitting}" if chosen else ""


def _plain(config: DictConfig, prefix: str = "") -> Config:
    missing = sorted(OmegaConf.missing_keys(config))
    if open_keys := [key for key in missing if not schema.may_be_absent(key)]:
        raise ConfigError(
            f"no value for {', '.join(open_keys)}: set it in the profile's or the experiment's "
            f"file or on the command line ({open_keys[0]}=...)"
        )
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)  # noqa: S101  a composed config is a mapping
    return checked(config, {str(key): value for key, value in plain.items()}, prefix)


def load(path: Path, remedy: str = "`dvc repro -f resolve` writes it") -> Config:
    """A resolved configuration that stage `resolve` wrote, or params.yaml.

    Raises:
        ConfigError: the file is not there, or is none.
    """
    if not path.is_file():
        raise ConfigError(f"{path} is not there: {remedy}")
    try:
        plain = OmegaConf.to_container(OmegaConf.load(path))
    except yaml.YAMLError as error:  # which names the file and the line
        raise ConfigError(f"{explain(error, dict)}; {remedy}") from error
    except (UnicodeDecodeError, OmegaConfBaseException) as error:
        raise ConfigError(f"{path}: {explain(error, dict)}; {remedy}") from error
    if not isinstance(plain, dict):
        raise ConfigError(f"{path} is not a list of KEY: VALUE; {remedy}")
    return {str(key): value for key, value in plain.items()}


def to_yaml(config: Mapping[str, Any]) -> str:
    return OmegaConf.to_yaml(OmegaConf.create(dict(config)))


def path(value: str | Path) -> Path:
    """A path of the configuration: relative ones start at the project's root."""
    return ROOT / Path(value).expanduser()


def _no_experiment() -> str:
    return (
        "no experiment chosen: add +experiment=NAME, with NAME one of "
        f"{', '.join(options('experiment'))}"
    )


def _params(key: str) -> Any:
    """A value of params.yaml, where all of it can be meant."""
    found = load(PARAMS, "it holds two lines, such as `profile: miniature` and `seed: 0`")
    if missing := {"profile", "seed"} - found.keys():
        raise ConfigError(f"{PARAMS} has no value for {', '.join(sorted(missing))}")
    try:
        params = OmegaConf.merge(OmegaConf.structured(schema.Params), found)
        assert isinstance(params, DictConfig)  # noqa: S101  of a mapping
        return _plain(params)[key]
    except (OmegaConfBaseException, ConfigError) as error:
        raise ConfigError(f"{PARAMS}: {explain(error, schema.Params)}") from error


def _scaled(full: int, *, _root_: DictConfig) -> int:
    """A width of the paper's net times `model.width`: a multiple of 8, which both groups share."""
    width: float = _root_.model.width
    return max(8, round(full * width / 8) * 8)


def _published(table: str, row: str, column: str, *, _root_: DictConfig) -> float | None:
    """The paper's number; none beside a user's own classes, with which it has nothing to do."""
    return None if _root_.data.name in OWN else paper.published(table, row, column)


def _crop_of(image_size: int) -> int:
    """The paper's 224 of 256, at any size."""
    return image_size * 7 // 8


OmegaConf.register_new_resolver("params", _params, replace=True)
OmegaConf.register_new_resolver("project", lambda name: str(ROOT / name), replace=True)
OmegaConf.register_new_resolver("plus", operator.add, replace=True)
OmegaConf.register_new_resolver("scaled", _scaled, replace=True)
OmegaConf.register_new_resolver("crop_of", _crop_of, replace=True)
OmegaConf.register_new_resolver("published", _published, replace=True)
