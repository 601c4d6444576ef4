"""The model that stands in MLflow: loaded, asked and served."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import pyfunc

from tests.run_folders import run_config, write_run
from tests.test_serving import LABELS, encoded, pixels
from tests.tracking.place import Place, answers, free_port, wait_for
from zfrepro import tracking
from zfrepro.serving import Classifier
from zfrepro.tracking import Record


@pytest.fixture(scope="module")
def filed(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> tuple[Place, str]:
    """A store, and the run in it whose folder is gone: the model stands on its own."""
    place = Place(tmp_path_factory.mktemp("model"))
    shutil.copy(empty_database, place.database)
    folder = write_run(place.folder / "run", run_config(place.tracking))
    (run,) = tracking.publish([Record.read(folder)])
    tracking.register_best([Record.read(folder)], {"tab3_zfnet": {"val/top1_ten_crops": 20.0}})
    shutil.rmtree(folder)
    return place, run.run_id


@pytest.fixture(scope="module")
def model(filed: tuple[Place, str]) -> Any:
    place, run_id = filed
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", place.tracking["uri"])
        return pyfunc.load_model(f"runs:/{run_id}/model")


def test_the_model_takes_arrays_and_files(model: Any) -> None:
    image, tall = pixels(60, 90), pixels(80, 33, 1)
    table = model.predict(pd.DataFrame({"image": [image, tall, encoded(image)]}))
    assert list(table.columns) == LABELS
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(table.loc[0], table.loc[2])
    batch = model.predict({"image": np.stack([image, image])})
    np.testing.assert_array_equal(batch.loc[1], table.loc[0])
    centre = model.predict(pd.DataFrame({"image": [image]}), params={"crops": "centre"})
    assert np.abs(centre.loc[0] - table.loc[0]).max() > 1e-4


def test_the_model_says_what_it_takes(model: Any) -> None:
    signature = model.metadata.signature
    assert signature.inputs.input_names() == ["image"]
    assert signature.outputs.input_names() == ["red fox", "crane (n02)", "crane (n03)", "cup"]
    assert model.predict(model.input_example).shape == (1, 4)
    with pytest.raises(Exception, match="missing inputs"):
        model.predict(pd.DataFrame({"picture": ["x"]}))


def test_the_model_brings_no_more_than_it_needs(filed: tuple[Place, str]) -> None:
    (folder,) = filed[0].folder.glob("mlartifacts/table3/models/*/artifacts")
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"model.py", "artifacts/weights.pt", "code/zfrepro/serving.py"} <= files
    assert not {name for name in files if "tracking" in name or name.endswith((".pkl", "fit.py"))}
    requirements = (folder / "requirements.txt").read_text()
    assert "torch==" in requirements
    assert "+" not in requirements  # a local build's suffix, unknown to an index


@pytest.fixture(scope="module")
def served(filed: tuple[Place, str]) -> Iterator[str]:
    """The address of `mlflow models serve`, with the model that has the alias `best`."""
    place, _ = filed
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    server = subprocess.Popen(
        [*command, "--model-uri", "models:/zfnet@best", "--port", str(port)],
        cwd=place.folder,
        env=os.environ
        | {"MLFLOW_TRACKING_URI": place.tracking["uri"]}
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        start_new_session=True,
    )
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/ping"), seconds=60)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def ask(url: str, body: str | bytes) -> tuple[int, Any]:
    """The status and the answer, which is JSON."""
    content = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def records(*images: object, **params: object) -> str:
    return json.dumps({"dataframe_records": [{"image": each} for each in images], "params": params})


@pytest.mark.slow
@pytest.mark.network
def test_a_server_answers_as_the_network_does(filed: tuple[Place, str], served: str) -> None:
    files = [encoded(pixels(50 + 9 * i, 70, i), "JPEG") for i in range(8)]
    (weights,) = filed[0].folder.glob("mlartifacts/table3/models/*/artifacts/artifacts/weights.pt")
    for crops in ("ten", "centre"):
        expected = Classifier.load(weights).predict(files, crops)
        status, answer = ask(served, records(*files, crops=crops))
        assert status == 200
        got = pd.DataFrame(answer["predictions"])
        assert list(got.columns) == LABELS
        np.testing.assert_allclose(got, expected, atol=1e-6)
    assert len(set(expected.idxmax(axis=1))) > 1  # else any image would do


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


SMALL = encoded(pixels(9, 9))
BAD = {  # what is sent, and what the answer says of it
    "nothing": (b"", "valid JSON"),
    "an image as it is": (base64.b64decode(SMALL), "valid JSON"),
    "a list": ("[1, 2]", "Received a list"),
    "an empty object": ("{}", "dataframe_records"),
    "another column": (
        json.dumps({"dataframe_records": [{"photo": "x"}]}),
        "missing inputs.*image",
    ),
    "no image": (records(base64_of(b"text")), "image 0 cannot be read: not an image"),
    "no base64": (records(SMALL, "so bad!"), "image 1 cannot be read: text must be a base64"),
    "a null": (records(None), "image 0 cannot be read"),
    "an object": (records({"a": 1}), "image 0 cannot be read"),
    "a truncated JPEG": (
        records(encoded(pixels(64, 64), "JPEG")[:1600]),
        "image 0 cannot be read: truncated",
    ),
    "900 megapixels": (
        records(base64_of(b"P6 30000 30000 255\n")),
        "image 0 cannot be read: too large",
    ),
    "8 megabytes": (records("A" * 8_000_000), "image 0 cannot be read: not an image"),
    "another word for crops": (records(SMALL, crops="five"), "'five'; it can be centre or ten"),
    "a number for crops": (records(SMALL, crops=5), "crops"),
}


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("name", BAD)
def test_what_a_server_cannot_read_is_the_askers_fault(served: str, name: str) -> None:
    body, reason = BAD[name]
    status, answer = ask(served, body)
    assert 400 <= status < 500
    assert re.search(reason, answer["message"], re.DOTALL)
    assert "Traceback" not in json.dumps(answer)
