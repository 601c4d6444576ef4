"""MLflow's server as `make ui` starts it: its pages open where runs are, not prompts and traces.

An application of MLflow's entry point group `mlflow.app`.
"""

from flask import Response, request
from mlflow.server import app as pages
from mlflow.server.fastapi_app import app

__all__ = ["app"]

# MLflow's pages keep there which of its two halves they show, and start with GenAI
SEED = (
    "<script>localStorage.getItem('mlflow.workflowType_v1') ?? "
    "localStorage.setItem('mlflow.workflowType_v1', '\"machine_learning\"')</script>"
)


@pages.after_request
def choose_training(response: Response) -> Response:
    """Chooses model training in a browser that has not chosen, in every page that is served."""
    if request.method == "GET" and response.mimetype == "text/html":
        response.direct_passthrough = False  # it is sent as a file otherwise
        response.set_data(response.get_data(as_text=True).replace("<head>", f"<head>{SEED}", 1))
    return response
