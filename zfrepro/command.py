"""A command line that Hydra composes: one job, or the several of a `--multirun`.

The jobs of a `--multirun` run one after the other, or wherever a launcher (`hydra/launcher=slurm`)
takes them: in another process, on another machine, once more after a preemption.
"""

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from zfrepro import config
from zfrepro.config import CONF, Config, ConfigError, options, resolve

Task = Callable[[Config], None]

OPTIONS = {
    "--cfg", "-c", "--resolve", "--package", "-p", "--run", "-r", "--multirun", "-m", "--info",
    "-i", "--hydra-help", "--version", "--shell-completion", "-sc", "--config-path", "-cp",
    "--config-name", "-cn", "--config-dir", "-cd", "--experimental-rerun",
}  # fmt: skip
SHOWN = ["--cfg", "job", "--resolve"]


class JobError(RuntimeError):
    """One of the jobs of a `--multirun` failed; the message says which, and why."""


def run(task: Task) -> None:
    """Hands `task` the configuration that the command line asks for; each in turn, of several.

    Hydra's own options (`--multirun`, `--cfg job`) work. An error of the configuration is one
    message that names what exists, not a traceback.
    """
    words = sys.argv[1:]
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra then raises instead of exiting
    several = bool({"--multirun", "-m"} & {*words})
    with_hydra = hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
    try:
        _check_flags(words)
        config.register()
        sys.argv[1:] = words = config.literal(config.with_profile(words))
        config.check_options(words, several=several)
        if [word for word in words if word in SHOWN] == SHOWN:
            print(config.to_yaml(config.compose([w for w in words if w not in SHOWN])), end="")
            return
        with config.explained("config", words):
            _check_globs(words)
            with_hydra(_job(_importable(task)))()
    except (ConfigError, JobError) as error:
        sys.exit(f"error: {error}")
    except RuntimeError as error:
        if not _comes_from_submitit(error):
            raise
        sys.exit(f"error: {error}")


def is_multirun() -> bool:
    """Whether this process runs one of the jobs of a `--multirun`."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def overrides() -> list[str]:
    """What the command line of this process' job says of the configuration."""
    return list(HydraConfig.get().overrides.task)


def _job(task: Task) -> Callable[[DictConfig], None]:
    def job(config: DictConfig) -> None:
        with _one_of_several() if is_multirun() else nullcontext():
            task(resolve(config))

    return job


@contextmanager
def _one_of_several() -> Iterator[None]:
    """Makes the exit of a job an error, after which Hydra goes on with the others."""
    try:
        yield
    except SystemExit as stop:
        if not isinstance(stop.code, str):  # told to stop: that holds for the others too
            code = stop.code or 128 + signal.SIGTERM  # at which Lightning exits without a code
            _hold_for_requeue(code)
            sys.exit(code)
        reason = stop.code.removeprefix("error: ")
    except (ConfigError, OmegaConfBaseException) as error:
        reason = str(error)
    except Exception as error:
        traceback.print_exc()  # it would not survive the way back from another process
        reason = f"{type(error).__name__}: {error}"
    else:
        return
    message = f"{' '.join(HydraConfig.get().overrides.task)}: {reason}"
    print(f"error: {message}", file=sys.stderr, flush=True)
    raise JobError(message)


def _hold_for_requeue(code: int) -> None:
    """Keeps a preempted SLURM job alive until submitit, at the SIGUSR2 to come, queues it again.

    SLURM sends SIGTERM first, at which Lightning stops; a job that ends by itself is not queued.
    """
    while code == 128 + signal.SIGTERM and os.environ.get("SUBMITIT_EXECUTOR") == "slurm":
        signal.pause()


def _importable(task: Task) -> Task:
    """`task` under its module's name, by which a job in another process imports it.

    A function of `__main__` would be pickled whole: a job that starts tomorrow would run today's
    code of this one module, and tomorrow's of the others.
    """
    spec = sys.modules["__main__"].__spec__
    if task.__module__ != "__main__" or spec is None:
        return task
    found: Task = getattr(importlib.import_module(spec.name), task.__name__)
    return found


def _check_globs(words: Sequence[str]) -> None:
    """Raises ConfigError where a pattern matches nothing: Hydra would run no job, and succeed."""
    globs = [word for word in words if "=glob(" in word]
    if not globs:
        return
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        for word, override in zip(globs, parser.parse_overrides(globs), strict=True):
            if not any(True for _ in override.sweep_iterator()):
                known = ", ".join(options(override.key_or_group))
                raise ConfigError(f"{word} matches nothing: choose from {known}")


def _comes_from_submitit(error: BaseException) -> bool:
    """Whether submitit raised it: no SLURM here, a submission refused, a job killed."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals["__name__"]).split(".")[0] == "submitit"


def _check_flags(words: Sequence[str]) -> None:
    """Raises ConfigError for an option that there is not: Hydra would complete its beginning."""
    for word in words:
        flag = word.partition("=")[0]
        if flag.startswith("-") and flag not in OPTIONS:
            raise ConfigError(
                f"there is no option {flag}: keys are given as KEY=VALUE, an experiment as "
                "+experiment=NAME; --help lists them"
            )
