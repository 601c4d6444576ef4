"""Runs in MLflow: live while they train (`track`), and from their folders (`publish`).

MLflow is a view of files: whatever it shows is in the run folders too, and can be filed from there
again. Nothing else in this project imports it.
"""

from zfrepro.tracking.live import Tracker, track
from zfrepro.tracking.publish import Published, publish
from zfrepro.tracking.record import Record, RecordError

__all__ = ["Published", "Record", "RecordError", "Tracker", "publish", "track"]
