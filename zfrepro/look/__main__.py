"""Looks into networks on a local page: `python -m zfrepro.look`, or `make look`."""

import os
import secrets
import signal
import socket
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from zfrepro import arguments, networks, processes
from zfrepro.files import reason

if TYPE_CHECKING:
    from zfrepro.look.session import Session

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  asked for, and then with a token


def main() -> None:
    parser = arguments.parser(
        "zfrepro.look",
        "A page on which any network, image and map can be explored: what a map sees in a\n"
        "picture, which images excite it most, what a grey square hides, how features move.",
    )
    parser.add_argument(
        "network", nargs="*",
        help=f"{arguments.NETWORK}; all that have been trained are on the page in any case",
    )  # fmt: skip
    parser.add_argument(
        "--model", action="append", default=[], metavar="PACKAGE.MODULE:FACTORY",
        help="a network of your own: a function that returns an nn.Module which takes what "
        "torchvision's weights expect, or what zfrepro.library.wrap returns",
    )  # fmt: skip
    arguments.add_weights(parser)
    parser.add_argument(
        "--images", type=Path, metavar="FOLDER",
        help="pictures of your own, which are also those that maps are compared on",
    )  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", help="address (default: this machine alone)")
    parser.add_argument("--port", type=arguments.positive, default=8050, metavar="N")
    parser.add_argument("--no-browser", action="store_true", help="print the address alone")
    args = parser.parse_args()
    names = [*args.model, *_networks(args.network)]
    made = [name for name in names if arguments.is_factory(name)]
    if args.weights and len(made) != 1:
        sys.exit(
            f"error: --weights {args.weights} goes with one network package.module:factory, and "
            f"{len(made) or 'none'} is named: give it --model torchvision.models:resnet18, or such"
        )
    processes.exit_on_signals()
    if not (names or networks.trained() or networks.shipped()):
        sys.exit("error: there is no network yet: `make repro` trains those of the study")
    if args.images and not args.images.is_dir():
        sys.exit(f"error: {args.images} is not a folder")
    from zfrepro.look.session import Session

    weights = {made[0]: args.weights} if args.weights else {}
    session = Session(names, args.images, weights=weights)
    _serve(session, args.host, args.port, browser=not args.no_browser)


def _networks(words: list[str]) -> list[str]:
    """Networks by name; overrides of its keys stay with the published one that they follow."""
    found: list[str] = []
    for word in words:
        if "=" in word and not word.startswith("model=") and found:
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


def _serve(session: "Session", host: str, port: int, *, browser: bool) -> None:
    import uvicorn

    from zfrepro.look.app import create
    from zfrepro.models.memory import keep_freed_memory

    os.nice(5)  # a training beside it comes first
    keep_freed_memory()
    try:
        for name in session.names:
            session.looked(name)  # an error now, and not on the page
    except (OSError, ValueError) as error:
        sys.exit(f"error: {reason(error)}")
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        refused = reason(OSError(error.errno, os.strerror(error.errno or 0), f"port {port}"))
        sys.exit(f"error: {refused}; another one: --port {port + 1}")
    token = None if host in LOOPBACK else secrets.token_urlsafe(16)
    query = f"?token={token}" if token else ""
    shown = f"#network={quote(session.names[0])}" if session.names else ""
    address = f"http://{'127.0.0.1' if host in EVERYWHERE else host}:{port}/{query}{shown}"
    print(f"look at {address}   (Ctrl-C ends it)", flush=True)
    if browser:
        webbrowser.open(address)  # it waits for the answer: the port listens already
    app = create(session, hosts={*LOOPBACK, host, *_own_names(host)}, token=token)
    try:
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listening])
    except KeyboardInterrupt:  # the server has ended in good order
        sys.exit(128 + signal.SIGINT)


def _own_names(host: str) -> list[str]:
    """Names and addresses of this machine, where it listens on all of them."""
    if host not in EVERYWHERE:
        return []
    name = socket.gethostname()
    return [name, *socket.gethostbyname_ex(name)[2]]


if __name__ == "__main__":
    main()
