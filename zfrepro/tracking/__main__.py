"""`python -m zfrepro.tracking`: MLflow's pages on the store that `tracking` names.

Makes the store first, or mends it where this checkout has moved. `uri` prints its address alone.
"""

import argparse
import os
import sys
from dataclasses import asdict

from zfrepro.config import CONF, ConfigError, load
from zfrepro.files import reason
from zfrepro.schema.training import Tracking
from zfrepro.tracking.database import DatabaseError
from zfrepro.tracking.settings import Settings, tame_mlflow


def main() -> None:
    parser = argparse.ArgumentParser(prog="zfrepro.tracking", description=__doc__)
    parser.add_argument("command", choices=("ui", "uri"))
    parser.add_argument("--port", default="5000", help="of the pages (default: 5000)")
    args = parser.parse_args()
    try:
        uri = ready()
    except (ConfigError, DatabaseError, OSError) as error:
        sys.exit(f"error: {reason(error)}")
    if args.command == "uri":
        print(uri)
    elif uri.startswith("http"):
        print(f"runs are filed on a server: open {uri}")
    else:
        serve(uri, args.port)


def ready() -> str:
    """The address of the store, which is there."""
    tame_mlflow(timeout=60, retries=2)
    settings = Settings.of(asdict(Tracking()) | load(CONF / "tracking" / "mlflow.yaml"))
    if settings.database:
        from zfrepro.tracking.store import Store  # noqa: PLC0415  MLflow takes seconds to import

        Store(settings)
    return settings.resolved_uri


def serve(uri: str, port: str) -> None:
    """Becomes MLflow's server."""
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # is for others
    # one process starts four times as fast as four, and has threads
    words = ["--app-name", "zfrepro", "--workers", "1", "--backend-store-uri", uri, "--port", port]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "server", *words])  # noqa: S606


if __name__ == "__main__":
    main()
