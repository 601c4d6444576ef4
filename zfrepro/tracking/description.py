"""What stands in MLflow beside a run's curves: params, tags, the paper's numbers, a note.

MLflow itself is not needed here.
"""

import getpass
import json
from collections.abc import Iterator, Mapping, Sequence

from zfrepro.config import ROOT
from zfrepro.provenance import git_revision, lock_digest
from zfrepro.tracking.record import Config, Row

# the few values that tell runs apart in a table, and where they stand; the whole is config.yaml
PARAMS = {
    "model": "model.name",
    "width": "model.width",
    "normalisation": "model.normalisation",
    "dropout": "model.dropout",
    "data": "data.name",
    "image_size": "data.image_size",
    "crop": "crop",
    "crops": "training.crops",
    "epochs": "training.epochs",
    "batch": "training.batch",
    "lr": "training.lr",
    "momentum": "training.momentum",
    "weight_decay": "training.weight_decay",
    "max_filter_rms": "training.max_filter_rms",
    "seed": "seed",
}
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8")  # of the paper's nets
MEASURED = ("parameters", "precision", "processes")  # known when the run has been made
ERRORS = {
    "val/top1": "validation top-1",
    "val/top5": "validation top-5",
    "train/top1": "training top-1",
}
TEN_CROPS = "_ten_crops"  # ends the name of an error that stage `evaluate` measured


def params(config: Config, recipe: Config | None = None) -> dict[str, str]:
    """About 15 flat values; those of `recipe` come when the run has ended.

    `ablated` and `architecture` differ between a table's rows, and MLflow's page for comparing runs
    opens on the first names of the alphabet.
    """
    layers = {name: each for name, each in config["model"]["layers"].items() if each}
    sizes = [str(each.get("maps", each.get("units"))) for each in layers.values()]
    found: dict[str, object] = {
        "ablated": ", ".join(each for each in LAYERS if each not in layers) or "nothing"
    }
    found["architecture"] = "-".join(sizes[:-1])
    found |= {name: _at(config, key) for name, key in PARAMS.items()}
    found |= {name: recipe[name] for name in MEASURED if name in recipe} if recipe else {}
    return {name: str(value) for name, value in found.items() if value is not None}


def identity(config: Config, fingerprint: str) -> dict[str, str]:
    """The tags by which a run is found again."""
    return {"fingerprint": fingerprint, "experiment": str(config["name"])}


def tags(config: Config, recipe: Config | None = None) -> dict[str, str]:
    """Where a run comes from: profile, seed, code, pipeline, command."""
    revision = recipe["git_revision"] if recipe else git_revision(ROOT)
    found = {
        "profile": config["profile"],
        "seed": config["seed"],
        "paper.row": config["paper"]["row"],
        "git_revision": revision,
        "adopted_from": (recipe or {}).get("adopted_from", {}).get("fingerprint"),
        "dvc_lock": lock_digest(ROOT),
        "mlflow.source.git.commit": revision,
        "mlflow.source.name": command(config),
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def command(config: Config) -> str:
    """What to type to have this run again."""
    words = [f"+experiment={config['name']}", f"profile={config['profile']}"]
    return " ".join(["python -m zfrepro.train", *words, f"seed={config['base_seed']}"])


def published(config: Config) -> dict[str, float]:
    """The paper's errors (percent) as metrics; those that it does not give are left out."""
    return {
        f"paper/{metric.replace('/', '_')}": float(value)
        for metric, value in _published(config)
        if value is not None
    }


def note(config: Config, metrics: Row | None = None) -> str:
    """The run's description in Markdown: own and published errors side by side.

    Args:
        metrics: own ones, once there are some; errors over ten crops, the paper's measure, too.
    """
    own = {"this run, last epoch": "", "ten crops": TEN_CROPS}
    shown = {
        label: suffix
        for label, suffix in own.items()
        if metrics and any(f"{name}{suffix}" in metrics for name in ERRORS)
    }
    columns = ["error, %", *shown, "paper"]
    lines = [
        f"| {' | '.join(columns)} |",
        f"| --- {'| ---: ' * (len(columns) - 1)}|",
        *(_line(name, config, [f"{name}{s}" for s in shown.values()], metrics) for name in ERRORS),
        "",
        f"Row `{config['paper']['row']}` of the paper's {element(config)}, at profile "
        f"`{config['profile']}`. Made by `{command(config)}`.",
        *([] if is_full_size(config) else ["", _caveat(config)]),
    ]
    return "\n".join(lines)


def spaced(text: str) -> str:
    """Markdown with room between the columns of its tables: MLflow sets them without any."""
    return "\n".join(
        line.replace(" | ", " | &emsp;") if line.startswith("| ") and "---" not in line else line
        for line in text.split("\n")
    )


def element(config: Config) -> str:
    """ "table 3", from "table3"."""
    table = str(config["paper"]["table"])
    name = table.rstrip("0123456789")
    return f"{name} {table[len(name) :]}".strip()


def is_full_size(config: Config) -> bool:
    """Whether the paper's numbers were measured on the same task as this run's."""
    return bool(config["profile"] == "paper")


def dataset(config: Config, manifest: Config) -> dict[str, str]:
    """The prepared images: name, digest, source and profile (numbers of images, as JSON)."""
    splits: Mapping[str, Config] = manifest.get("splits", {})
    profile = {f"{split}_images": entry["images"] for split, entry in splits.items()}
    profile |= {"classes": len(manifest["classes"])} if "classes" in manifest else {}
    return {
        "name": str(config["data"]["name"]),
        "digest": str(manifest["digest"])[:36],  # MLflow's longest
        "source": json.dumps({"source": manifest["source"], "root": config["data"].get("root")}),
        "profile": json.dumps(profile),
    }


def _published(config: Config) -> Iterator[tuple[str, float | None]]:
    for metric in ERRORS:
        yield metric, config["paper"].get(metric.replace("/", "_"))


def _line(name: str, config: Config, own: Sequence[str], metrics: Row | None) -> str:
    values = [*((metrics or {}).get(key) for key in own), dict(_published(config))[name]]
    return f"| {' | '.join([ERRORS[name], *map(_percent, values)])} |"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _caveat(config: Config) -> str:
    return (
        "The paper's errors are those of 1000 ImageNet classes at full size. This run's task is "
        f"another one (`{config['data']['name']}`): compare the order of rows, not the numbers."
    )


def _at(config: Config, key: str) -> object:
    value: object = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in some containers
        return None
