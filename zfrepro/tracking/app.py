"""MLflow's server as `make ui` starts it: its pages open on runs, with errors beside the paper's.

An application of MLflow's entry point group `mlflow.app`. What a page shows is kept by the browser,
in its local storage; where that says nothing yet, this fills it in. A version of MLflow that uses
other names starts with its own defaults.
"""

import json
import os
from functools import cache

from flask import Response, request
from mlflow import MlflowClient
from mlflow.server import app as pages
from mlflow.server.constants import BACKEND_STORE_URI_ENV_VAR
from mlflow.server.fastapi_app import app

from zfrepro.tracking import views

__all__ = ["app"]

CHOSEN = {
    "mlflow.workflowType_v1": "machine_learning",  # not GenAI, with its traces and prompts
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,  # its panel stays closed
}
TABLE = 'MLflowLocalStorage-1.1-ExperimentPage-["{}"]-ReactComponentState'
SCRIPT = """<script>
for (const [key, value] of Object.entries({}))
  localStorage.getItem(key) ?? localStorage.setItem(key, JSON.stringify(value));
</script>"""


@pages.after_request
def fill_in(response: Response) -> Response:
    """Adds to a page what it is to show at first."""
    if request.method == "GET" and response.mimetype == "text/html":
        response.direct_passthrough = False  # it is sent as a file otherwise
        script = SCRIPT.format(json.dumps(CHOSEN | _tables()))
        response.set_data(response.get_data(as_text=True).replace("<head>", f"<head>{script}", 1))
    return response


@cache
def _client() -> MlflowClient:
    return MlflowClient(os.environ.get(BACKEND_STORE_URI_ENV_VAR))


def _tables() -> dict[str, object]:
    """The columns of the experiments that have a view of errors beside the paper's."""
    return {
        TABLE.format(each.experiment_id): views.STATE
        for each in _client().search_experiments()
        if views.TAG in each.tags
    }
