"""`python -m zfrepro.look` as it is typed: where the page is, or in one line why there is none."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.look import own_network
from tests.look.asking import Asker
from tests.warm import Started
from zfrepro import library
from zfrepro.config import ROOT


def start(*words: str) -> Started:
    return Started(["zfrepro.look", "--no-browser", *words], ROOT, dict(os.environ))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        port: int = opened.getsockname()[1]
    return port


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_page_opens_and_ends(number: int, code: int) -> None:
    port = free_port()
    process = start("rendered_zfnet", "--port", str(port))
    line = process.stdout.readline()
    assert line.startswith(f"look at http://127.0.0.1:{port}/#network=rendered_zfnet ")
    asker = Asker(f"http://127.0.0.1:{port}")
    assert asker("api/networks").json[0]["id"] == "rendered_zfnet"
    assert b"<title>Look inside" in asker("").content
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == code
    assert "Traceback" not in err


def test_elsewhere_than_on_this_machine_the_address_bears_a_token() -> None:
    port = free_port()
    process = start("--host", "0.0.0.0", "--port", str(port))  # noqa: S104
    address = process.stdout.readline().split()[2]
    asker = Asker(f"http://127.0.0.1:{port}")
    assert asker("api/networks").status == 403
    token = address.partition("token=")[2]
    assert asker("api/networks", token=token).status == 200
    process.terminate()
    process.communicate()


def test_a_network_of_ones_own_is_shown_with_weights_from_a_file(tmp_path: Path) -> None:
    weights = tmp_path / "branched.pt"
    net = own_network.branched()
    nn.init.constant_(net.get_submodule("conv").bias, 7.0)
    torch.save({"state_dict": net.state_dict()}, weights)
    port, name = free_port(), "tests.look.own_network:branched"
    process = start("--model", name, "--weights", str(weights), "--port", str(port))
    assert process.stdout.readline().startswith("look at ")
    asker = Asker(f"http://127.0.0.1:{port}")
    at = {"network": name, "image": "sample:cat", "layer": "conv", "map": 1}
    shown = asker("api/map", **at).json["values"]
    expected = library.see(library.load(name, weights=str(weights)), "docs/cat.jpg")
    np.testing.assert_allclose(shown, expected.activations("conv")[1], rtol=1e-4)
    said = asker("api/command", **at, view="deconv").json["command"]
    assert said.endswith(f" --weights {weights}")
    process.terminate()
    process.communicate()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no_such_network"], "no_such_network is not a file, a run's folder"),
        (["--images", "no_such_folder"], "no_such_folder is not a folder"),
        (["--model", "tests.look.own_network:nothing"], "makes a int, and no nn.Module"),
        (["--weights", "a.pt"], "--weights a.pt goes with one network package.module:factory"),
        (
            ["--model", "torchvision.models:resnet18", "--weights", "no_such.pt"],
            "no_such.pt is not there",
        ),
        (["--port", "0"], "'0' is not a whole number of at least 1"),
    ],
)
def test_what_cannot_be_shown_is_one_line(words: list[str], message: str) -> None:
    process = start(*words)
    out, err = process.communicate()
    assert process.returncode
    assert message in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not out


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("--port", str(port))
        _, err = process.communicate()
    expected = f"error: port {port}: Address already in use; another one: --port {port + 1}"
    assert err.splitlines()[-1] == expected


def test_make_look_takes_a_port() -> None:
    for words, expected in (([], "zfrepro.look \n"), (["PORT=8060"], "zfrepro.look --port 8060\n")):
        said = subprocess.run(
            ["make", "--dry-run", "--assume-old=.venv/.installed", "look", *words], cwd=ROOT,
            env={key: value for key, value in os.environ.items() if not key.startswith("MAKE")},
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert said.endswith(expected)
