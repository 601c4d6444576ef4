"""Trains one experiment: `python -m zfrepro.train +experiment=tab3_zfnet`."""

from zfrepro import processes
from zfrepro.config import Config
from zfrepro.runs import plain_errors, summary, tell, train


def _command(cfg: Config) -> None:
    from zfrepro import command

    with plain_errors():
        if command.is_multirun():
            processes.check(cfg["trainer"], sweep=True)
        run = train(cfg)
        if processes.is_first():  # the others may be ahead of the result that it writes
            tell(summary(run))


def main() -> None:
    from zfrepro import command  # and with it Hydra, which no stage needs

    processes.exit_on_signals()
    command.command(_command)()


if __name__ == "__main__":
    main()
