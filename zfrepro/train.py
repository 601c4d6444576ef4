"""Trains one experiment: `python -m zfrepro.train +experiment=tab3_zfnet`."""

import os

from zfrepro import files
from zfrepro.config import Config, ConfigError
from zfrepro.runs import RANKS, is_first_process, plain_errors, summary, tell, train


def check_processes(trainer: Config) -> None:
    """Raises ConfigError where a job of a sweep would start further processes of its own.

    Lightning starts them by repeating the command, and the command is the whole sweep's.
    """
    devices = trainer["devices"]
    several = len(devices) > 1 if isinstance(devices, list) else devices != 1
    if several and not any(name in os.environ for name in RANKS):
        raise ConfigError(
            f"trainer.devices={devices} in a --multirun needs a launcher that starts a process for "
            "each device (hydra/launcher=slurm, torchrun); otherwise run one row at a time"
        )


def _command(cfg: Config) -> None:
    from zfrepro import command

    with plain_errors():
        if command.is_multirun():
            check_processes(cfg["trainer"])
        run = train(cfg)
        if is_first_process():  # the others may be ahead of the result that it writes
            tell(summary(run))


def main() -> None:
    from zfrepro import command  # and with it Hydra, which no stage needs

    files.exit_on_signals()
    command.command(_command)()


if __name__ == "__main__":
    main()
