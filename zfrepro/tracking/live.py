"""Files a run while it trains. The training never waits for the store and never fails with it."""

import logging
import threading
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from zfrepro import processes
from zfrepro.tracking.record import Config, Record, Row
from zfrepro.tracking.settings import Settings, tame_mlflow

if TYPE_CHECKING:
    from zfrepro.tracking.filing import Filed

LIVE_TIMEOUT = 10  # seconds, for one request of a server
GRACE = 1.0  # seconds that a training waits at its end for a store that does not answer
PATIENCE_OF_KILLERS = processes.GRACE - 2  # seconds after SIGTERM; the rest is for ending
log = logging.getLogger("zfrepro.tracking")
_silent: set[str] = set()  # stores that did not answer this process


def track(config: Config, fingerprint: str, manifest: Config) -> "Tracker":
    """A tracker for one training; a context manager.

    Args:
        config: the resolved configuration; its `tracking` says where to file.
        fingerprint: names the run. A run that was filed under it before goes on.
        manifest: of the prepared images.
    """
    return Tracker(Settings.of(config["tracking"]), config, fingerprint, manifest)


class Tracker:
    """Takes down what happens; a thread of its own brings the store up to that.

    What the store has not got when the training ends (it was down, or slow) is in the run's folder,
    and stage `publish` files it from there.
    """

    def __init__(
        self, settings: Settings, config: Config, fingerprint: str, manifest: Config
    ) -> None:
        self._settings, self._config = settings, config
        self._fingerprint, self._manifest = fingerprint, manifest
        self._rows: list[Row] = []
        self._times: dict[int, int] = {}
        self._filed = 0  # rows that the store has
        self._folder: Path | None = None
        self._status: str | None = None
        self._run: Filed | None = None
        self._news = threading.Event()
        self._down = self._warned = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._settings.enabled and self._settings.live:
            tame_mlflow(timeout=LIVE_TIMEOUT, retries=0)
            try:
                # here and not in the thread: a process forked in the middle of an import hangs
                import_module("zfrepro.tracking.filing")
            except Exception as error:
                self._warn(error)
            else:
                self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
                self._thread.start()
                self._news.set()
        return self

    def log_epoch(self, row: Mapping[str, float]) -> None:
        """Takes down one epoch (`epoch`, `train/loss`, `val/top1` and so on); returns at once."""
        self._times[int(row["epoch"])] = int(time.time() * 1000)
        self._rows.append(dict(row))
        self._news.set()

    def finish(self, folder: Path) -> None:
        """The training is over and `folder` holds its result: files that, and says FINISHED."""
        self._folder = folder
        self._end("FINISHED")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Says KILLED of a training that was told to stop, FAILED of one that broke."""
        if self._status is None:
            stopped = kind is None or issubclass(kind, KeyboardInterrupt | SystemExit)
            self._end("KILLED" if stopped else "FAILED")

    def _end(self, status: str) -> None:
        self._status = status
        self._news.set()
        if self._thread is None:
            return
        patience = self._settings.patience if status == "FINISHED" else PATIENCE_OF_KILLERS
        start = time.monotonic()
        while self._thread.is_alive():
            if time.monotonic() - start > (GRACE if self._down else patience):
                break
            self._thread.join(timeout=0.05)
        if self._thread.is_alive():
            self._warn(TimeoutError("no answer in time"))

    def _work(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            status = self._status
            try:
                self._catch_up(status)
            except Exception as error:  # whatever a store may raise, training goes on
                self._down = True
                self._warn(error)
            if status is not None:
                return

    def _catch_up(self, status: str | None) -> None:
        """Brings the store up to what has been taken down; `status` is set at the end."""
        if self._run is None:
            self._run = self._open()
        rows = self._rows[self._filed :]
        self._run.log_epochs(rows, self._times)
        self._filed += len(rows)
        self._down = False
        _silent.discard(self._settings.shown)
        if status is None:
            return
        if self._folder is not None:
            self._run.complete(Record.read(self._folder, self._config))
        else:
            self._run.end(status)

    def _open(self) -> "Filed":
        from zfrepro.tracking import filing  # noqa: PLC0415  MLflow takes two seconds to import

        return filing.start(self._settings, self._config, self._fingerprint, self._manifest)

    def _warn(self, error: Exception) -> None:
        """One line, once: nothing is lost, and the remedy is a command."""
        if not self._warned:
            self._warned = True
            _warn(self._settings.shown, error)


def place(folder: Path, config: Config) -> str | None:
    """Files a finished run, unless that has been done, and says where MLflow shows it.

    None where tracking is off or the store does not answer, which is a warning.
    """
    settings = Settings.of(config["tracking"])
    if not settings.enabled or settings.shown in _silent:
        return None
    tame_mlflow(timeout=LIVE_TIMEOUT, retries=0)
    try:
        from zfrepro.tracking import filing  # noqa: PLC0415  MLflow takes two seconds to import

        return filing.place(settings, Record.read(folder, config))
    except Exception as error:  # as in `_work`
        _warn(settings.shown, error)
        return None


def _warn(uri: str, error: Exception) -> None:
    _silent.add(uri)
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    log.warning(
        "tracking: %s does not take this run (%s). Training goes on and its files are whole; "
        "`dvc repro publish` files what is missing there.",
        uri,
        reason,
    )
