"""Runs in MLflow: live while they train (`track`), and from their folders (`publish`).

MLflow is a view of files: whatever it shows is in the run folders too, and can be filed from there
again. Nothing else in this project imports it.
"""

from zfrepro.tracking.folds import Folds
from zfrepro.tracking.live import Tracker, track
from zfrepro.tracking.publish import Published, publish, publish_results
from zfrepro.tracking.record import Record, RecordError
from zfrepro.tracking.results import Result

__all__ = [
    "Folds",
    "Published",
    "Record",
    "RecordError",
    "Result",
    "Tracker",
    "publish",
    "publish_results",
    "track",
]
