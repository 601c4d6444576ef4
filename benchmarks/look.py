"""From a click to a picture: the page's answers over HTTP, and the three maps of figure 7.

    python -m benchmarks.look

A click on a map asks for its values, its projection, its patch and the same of shuffled weights,
one after the other; the median over maps, each seen for the first time. Of the network that comes
with the project, of ZFNet and AlexNet at their full width and crops of 224 (random weights), and
the whole square of occlusion of the widest. Ratios are of what a reader waits for at most: 0.3
seconds, a second at full width, 20 for the square. Writes benchmarks/results/look.json.
"""

import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import torch
import uvicorn

from zfrepro import config
from zfrepro.files import write_json
from zfrepro.look.app import create
from zfrepro.look.session import Session
from zfrepro.models.convnet import build
from zfrepro.models.memory import keep_freed_memory
from zfrepro.training.trained import Trained, save

RESULT = Path(__file__).parent / "results" / "look.json"
MAPS = 24  # of conv5, spread over all
WAIT = {"rendered_zfnet": 0.3, "alexnet": 1.0, "zfnet": 1.0}  # seconds
WHOLE = 20.0  # seconds, of the square everywhere
STEPS = ("api/map", "api/projection.png", "api/patch.png")


def full_width(name: str, folder: Path) -> Path:
    """A run's folder with the network of the paper's size, with random weights."""
    profile = ["+experiment=tab3_zfnet", "profile=paper", f"model={name}"]
    spec = config.compose([*profile, "data.root=unused"])["model"]
    net = build(**spec, classes=1000, crop=224, seed=0)
    classes = [(str(i), str(i)) for i in range(1000)]
    path = folder / name / "weights.pt"
    path.parent.mkdir()
    save(Trained(net, torch.full((256, 256, 3), 120.0), 256, 224, classes, "bilinear"), path)
    return path.parent


@contextmanager
def served(session: Session) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    app = create(session, hosts={"127.0.0.1"})
    running = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    running.should_exit = True
    thread.join()


def ask(server: str, path: str, post: bytes | None = None, **words: object) -> bytes:
    with urlopen(Request(f"{server}/{path}?{urlencode(words)}", post)) as answer:  # noqa: S310
        content: bytes = answer.read()
    return content


def click(server: str, at: dict[str, object]) -> float:
    """Seconds until all of a map is there that does not need the set."""
    start = time.perf_counter()
    for step in STEPS:
        ask(server, step, **at)
    ask(server, "api/projection.png", **at, shuffled=0)
    return time.perf_counter() - start


def square(server: str, at: dict[str, object]) -> float:
    """Seconds of the three maps."""
    start = time.perf_counter()
    job = json.loads(ask(server, "api/occlusion", b"", **at))["job"]
    while (state := json.loads(ask(server, "api/job", job=job)))["state"] == "running":
        time.sleep(0.1)
    if state["state"] != "done":
        raise RuntimeError(state["message"])
    return time.perf_counter() - start


def main() -> None:
    keep_freed_memory()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        networks = {name: str(full_width(name, folder)) for name in ("alexnet", "zfnet")}
        networks = {"rendered_zfnet": "rendered_zfnet"} | networks
        session = Session(list(networks.values()), cache=folder / "look")
        with served(session) as server:
            for name, network in networks.items():
                about = json.loads(ask(server, "api/network", network=network))
                count = next(each["maps"] for each in about["layers"] if each["name"] == "conv5")
                at = {"network": network, "image": "sample:cat", "layer": "conv5"}
                ask(server, "api/layer", **at)  # which the page shows before a map can be chosen
                times = [click(server, {**at, "map": i * count // MAPS}) for i in range(MAPS)]
                median = statistics.median(times)
                found[name] = {"wait / click to picture": WAIT[name] / median, "seconds": median}
                print(f"{name}: {1000 * median:.0f} ms from click to picture")
            seconds = square(server, {**at, "map": 0})
            found["zfnet, the square everywhere"] = {
                "wait / three maps": WHOLE / seconds, "seconds": seconds
            }  # fmt: skip
            print(f"zfnet: {seconds:.1f} s for the three maps of figure 7")
    write_json(RESULT, found)


if __name__ == "__main__":
    main()
