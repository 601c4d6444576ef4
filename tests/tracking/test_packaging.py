"""The model that stands in MLflow: loaded, asked and served."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import pyfunc

from tests.run_folders import run_config, write_run
from tests.test_serving import LABELS, encoded, pixels
from tests.tracking.place import Place, answers, wait_for
from zfrepro import tracking
from zfrepro.tracking import Record


@pytest.fixture(scope="module")
def filed(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> tuple[Place, str]:
    """A store, and the run in it whose folder is gone: the model stands on its own."""
    place = Place(tmp_path_factory.mktemp("model"))
    shutil.copy(empty_database, place.database)
    folder = write_run(place.folder / "run", run_config(place.tracking))
    (run,) = tracking.publish([Record.read(folder)])
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


@pytest.mark.slow
@pytest.mark.network
def test_the_model_is_served(filed: tuple[Place, str]) -> None:
    place, run_id = filed
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    server = subprocess.Popen(
        [*command, "-m", f"runs:/{run_id}/model", "-p", str(port)],
        cwd=place.folder,
        env=os.environ
        | {"MLFLOW_TRACKING_URI": place.tracking["uri"]}
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    body = json.dumps({"dataframe_records": [{"image": encoded(pixels(50, 70), "JPEG")}]})
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/invocations", body.encode(), headers)  # noqa: S310
    try:
        wait_for(lambda: answers(f"{url}/ping"), seconds=60)
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            (prediction,) = json.load(answer)["predictions"]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()
    assert list(prediction) == ["red fox", "crane (n02)", "crane (n03)", "cup"]
    assert sum(prediction.values()) == pytest.approx(1)
