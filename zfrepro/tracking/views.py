"""A saved view of MLflow's table of runs: own and published errors in neighbouring columns.

MLflow keeps a view as an experiment's tag, with the state of the page as deflated JSON. A version
that reads another form ignores the tag, and its table then starts with the usual columns.
"""

import base64
import json
import zlib
from typing import Any

NAME = "Errors beside the paper's"
KEY = "errors"
TAG = f"mlflow.sharedViewState.{KEY}"
QUERY = f"viewStateShareKey={KEY}&workflowType=machine_learning"  # of an address with the view
METRICS = (  # ten crops, as in the paper's tables
    "val/top1_ten_crops", "paper/val_top1", "val/top5_ten_crops", "paper/val_top5",
    "train/top1_ten_crops", "paper/train_top1", "val/top1",
)  # fmt: skip
CHOSEN = (
    *(f"metrics.`{name}`" for name in METRICS),
    *(f"params.`{name}`" for name in ("epochs", "seed", "parameters")),
    "tags.`profile`",
    "attributes.`Models`",
)
FIXED = {"attributes.`Run Name`": 240, "runDateAndNestInfo": 150, "duration": 80}
WIDTH = 145  # pixels
STATE: dict[str, Any] = {
    "searchFilter": "",
    "orderByKey": "attributes.start_time",
    "orderByAsc": True,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "selectedColumns": CHOSEN,
    "columnOrder": [*FIXED, *CHOSEN],
    "columnWidths": FIXED | dict.fromkeys(CHOSEN, WIDTH),
    "runsHiddenMode": "FIRST_20_RUNS",
    "viewMaximized": False,
    "runListHidden": False,
    "isAccordionReordered": False,
    "useGroupedValuesInCharts": True,
    "hideEmptyCharts": True,
    "groupBy": None,
    "groupsExpanded": {},
    "globalLineChartConfig": {
        "xAxisKey": "step",
        "lineSmoothness": 0,
        "selectedXAxisMetricKey": "",
    },
}


def errors_view() -> dict[str, str]:
    """The tag that adds the view to an experiment's list of views."""
    packed = base64.b64encode(zlib.compress(json.dumps(STATE).encode(), 9)).decode()
    view = {"name": NAME, "createdAt": 0, "updatedAt": 0, "state": f"deflate;{packed}"}
    return {TAG: json.dumps(view)}
