"""Runs in MLflow: live while they train (`track`), and from their folders (`publish`).

MLflow is a view of files: whatever it shows is in the run folders too, and can be filed from there
again. Nothing else in this project imports it.
"""

from zfrepro.tracking.claims import of_claims
from zfrepro.tracking.database import DatabaseError
from zfrepro.tracking.folds import Folds
from zfrepro.tracking.live import Tracker, place, track
from zfrepro.tracking.publish import Published, publish, publish_results, register_best
from zfrepro.tracking.record import Record, RecordError
from zfrepro.tracking.registry import Registered
from zfrepro.tracking.results import Result

__all__ = [
    "DatabaseError",
    "Folds",
    "Published",
    "Record",
    "RecordError",
    "Registered",
    "Result",
    "Tracker",
    "of_claims",
    "place",
    "publish",
    "publish_results",
    "register_best",
    "track",
]
