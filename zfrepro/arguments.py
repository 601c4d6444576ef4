"""What the commands that look into a network have in common on their command lines."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zfrepro import config, files, networks, processes

if TYPE_CHECKING:
    from zfrepro.library import Network
    from zfrepro.training.trained import Trained

NETWORK = (
    "a weights.pt, a run's folder, an experiment that has been trained, one that comes with the "
    f"project ({', '.join(networks.shipped())}), model=NAME for a published network, or "
    "package.module:factory for any other, such as torchvision.models:resnet18 (default: "
    f"{networks.SHOWN})"
)


def parser(program: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=f"Published networks: {', '.join(config.published_models())}; "
        "model.published.weights=FILE may follow model=NAME.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", nargs="*", help=NETWORK)
    add_weights(parser)


def add_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights", metavar="FILE",
        help="of package.module:factory, a state dict; without it, those that the function gives",
    )  # fmt: skip


def add_layers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--layers", nargs="+", metavar="LAYER",
        help="named layers (default: a chain's convolutions and linear layers; of a network with "
        "branches the ends of its blocks; `zfrepro.deconv IMAGE NETWORK --layers` lists all)",
    )  # fmt: skip


def add_square(parser: argparse.ArgumentParser, *, stride: int | None = None) -> None:
    """The grey square's side and value; and its stride, where it moves."""
    parser.add_argument(
        "--side", type=positive, default=32, metavar="N",
        help="of the square, in pixels of a crop of 224, scaled to the network's (default: 32)",
    )  # fmt: skip
    parser.add_argument(
        "--grey",
        type=within(0, 255),
        default=128.0,
        metavar="VALUE",
        help="0 to 255 (default: 128)",
    )
    if stride is not None:
        parser.add_argument(
            "--stride", type=positive, default=stride, metavar="N",
            help=f"of the square, in pixels of a crop of 224 (default: {stride})",
        )  # fmt: skip


def add_out(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=f"the picture (default: {default})"
    )


def positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def within(low: float, high: float) -> Callable[[str], float]:
    """The type of an argument that is a number of `low` to `high`: neither nan nor infinite."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {low:g} to {high:g}")
        return value

    return number


def natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def is_factory(name: str) -> bool:
    """Whether a word of a command line is package.module:factory, and no file or model=NAME."""
    return ":" in name and "=" not in name and not Path(name).exists()


def network(words: Sequence[str], weights: str | None) -> "Network":
    """The network that a command line names; warns where it has learned nothing.

    Raises:
        OSError, ValueError: there is none, or it cannot be read.
    """
    from zfrepro import library  # noqa: PLC0415  seconds

    if words and is_factory(words[0]):
        return library.load(words, weights=weights)
    if weights:
        raise ValueError(f"--weights {weights} goes with a network package.module:factory")
    found = library.load(networks.shown(words))
    warn_of_chance(found.trained, words)
    return found


def warn_of_chance(trained: "Trained", network: Sequence[str]) -> None:
    """Says on the terminal and in the figures' titles where a network has learned nothing."""
    if trained.at_chance:
        from zfrepro.render import style  # noqa: PLC0415  seconds, and seldom needed
        from zfrepro.training.trained import AT_CHANCE  # noqa: PLC0415

        words = f"{' '.join(network) or networks.SHOWN} {AT_CHANCE}"
        print(f"{words}: what it shows says nothing of the picture", file=sys.stderr)
        style.caution(words)


def answer(question: Callable[[], str]) -> None:
    """Prints the answer; what the user can mend ends the command with one line."""
    processes.exit_on_signals()
    try:
        print(question())
    except (OSError, ValueError) as error:
        sys.exit(f"error: {files.reason(error)}")
