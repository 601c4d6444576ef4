"""MLflow's server as `make ui` starts it."""

import json
import re
import sys

import pytest
from mlflow.server.constants import BACKEND_STORE_URI_ENV_VAR

from tests.tracking.place import Place
from zfrepro.tracking import views
from zfrepro.tracking.__main__ import main


def test_a_page_opens_on_runs_with_errors_beside_the_papers(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Screenshots show the rest: what the page's own code does with it."""
    made = place.client.create_experiment("table3", tags=views.errors_view())
    place.client.create_experiment("figure4")
    monkeypatch.setenv(BACKEND_STORE_URI_ENV_VAR, place.tracking["uri"])
    from zfrepro.tracking import app

    page = app.pages.test_client().get("/").get_data(as_text=True)
    script = re.search(r"<head><script>.*?entries\((.*?)\)\)\n", page, re.DOTALL)
    assert script
    stored = json.loads(script[1])
    assert stored["mlflow.workflowType_v1"] == "machine_learning"
    (table,) = [value for key, value in stored.items() if f'["{made}"]' in key]
    assert "metrics.`paper/val_top1`" in table["selectedColumns"]
    assert not any("ExperimentPage" in key and f'["{made}"]' not in key for key in stored)
    other = app.pages.test_client().get("/health").get_data(as_text=True)
    assert other == "OK"


def test_the_command_makes_the_store_and_says_where(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = place.tracking["uri"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr(sys, "argv", ["zfrepro.tracking", "uri"])
    main()
    assert capsys.readouterr().out == f"{uri}\n"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "localhost:5000")
    with pytest.raises(SystemExit, match="say http://localhost:5000"):
        main()
