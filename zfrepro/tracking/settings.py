"""Where to file, and how MLflow is to behave; MLflow itself is not needed here."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from zfrepro.config import ROOT, ConfigError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

DATABASE = "sqlite:///mlflow.db"
VARIABLE = "MLFLOW_TRACKING_URI"
SERVERS = ("http://", "https://", "databricks", "uc:")
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
# what the extras of this project install: pip install 'zfrepro[mysql]'
DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
PASSWORD = re.compile(r"(?<=:)[^:/@]+(?=@)")


@dataclass(frozen=True)
class Settings:
    """The keys of `conf/tracking/`, which explains them."""

    enabled: bool
    live: bool
    uri: str | None
    artifacts: str | None
    system: float | None
    patience: float

    @classmethod
    def of(cls, tracking: Mapping[str, Any]) -> Self:
        """Raises ConfigError where the address, if it is needed, is none of a store."""
        settings = cls(**tracking)
        if settings.enabled:
            settings.resolved_uri  # noqa: B018  a wrong one is told before the work, not after it
        return settings

    @cached_property
    def resolved_uri(self) -> str:
        """The store's URI; a relative SQLite path starts at the project, whatever the folder."""
        if self._url is None:
            return self._address
        return sqlite_uri(self.database, self._url.query) if self.database else self._address

    @cached_property
    def database(self) -> Path | None:
        """The SQLite file, where the store is one."""
        if self._url is None or self._url.get_backend_name() != "sqlite":
            return None
        name = self._url.database
        if name in (None, "", ":memory:") or (ROOT / str(name)).is_dir():
            raise ConfigError(f"{self._named} names no file: say {DATABASE}")
        try:
            return ROOT / Path(str(name)).expanduser()
        except RuntimeError as error:  # ~somebody
            raise ConfigError(f"{self._named}: {error}") from None

    @property
    def lock(self) -> Path:
        return (self.database or ROOT / "mlflow.db").with_suffix(".db.lock")

    @property
    def artifact_root(self) -> str | None:
        """Where artifacts go; None leaves it to the server."""
        if self.artifacts:
            return self.artifacts if "://" in self.artifacts else (ROOT / self.artifacts).as_uri()
        if self._url is None:
            return None
        return self.beside.as_uri()

    @property
    def beside(self) -> Path:
        """The folder of artifacts that a database has, where nothing else is said."""
        return (self.database or ROOT / "mlflow.db").parent / "mlartifacts"

    @property
    def _address(self) -> str:
        return self.uri or os.environ.get(VARIABLE) or DATABASE

    @property
    def shown(self) -> str:
        """The store's URI without a password."""
        return PASSWORD.sub("***", self.resolved_uri)

    @property
    def _named(self) -> str:
        """The address, with where it was given."""
        return f"{'tracking.uri' if self.uri else VARIABLE}={PASSWORD.sub('***', self._address)}"

    @cached_property
    def _url(self) -> "URL | None":
        """A database's; None of a server."""
        if self._address.startswith(SERVERS):
            return None
        from sqlalchemy.engine import make_url  # noqa: PLC0415  a fifth of a second
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError  # noqa: PLC0415

        try:
            url = make_url(self._address)
            if url.get_backend_name() not in DATABASES:
                raise NoSuchModuleError
            url.get_dialect().import_dbapi()
        except (ArgumentError, NoSuchModuleError):
            raise ConfigError(
                f"{self._named} is not an address of a store: {self._meant()}"
            ) from None
        except ModuleNotFoundError as error:
            raise ConfigError(f"{self._named} needs {_driver(url)} ({error})") from None
        return url

    def _meant(self) -> str:
        """What a host, or a path, was probably to be."""
        host, _, port = self._address.rpartition(":")
        if port.rstrip("/").isdigit() and "/" not in host:
            return f"say http://{self._address} of a server"
        if self._address.startswith("file:") or "://" not in self._address:
            folder = Path(self._address.removeprefix("file://").removeprefix("file:"))
            return f"say {sqlite_uri((folder / 'mlflow.db').absolute())} of files in a folder"
        return f"say {', '.join(f'{name}://' for name in ('http', 'https', *DATABASES))}"


def sqlite_uri(path: Path, query: Mapping[str, Any] | None = None) -> str:
    """The address of an SQLite file, whatever letters its path has."""
    from sqlalchemy.engine import URL, make_url  # noqa: PLC0415

    plain = f"sqlite:///{path}"
    if not query and make_url(plain) == URL.create("sqlite", database=str(path)):
        return plain
    # MLflow makes the folders of a path behind "sqlite:///" without decoding it
    url = URL.create("sqlite+pysqlite", database=str(path), query=query or {})
    return url.render_as_string(hide_password=False)


def _driver(url: "URL") -> str:
    kind = url.get_backend_name()
    wanted = DRIVERS.get(kind)
    if wanted is None:
        return "a driver that is not installed"
    return f"a driver: pip install 'zfrepro[{kind}]', and say {wanted}://..."


def tame_mlflow(*, timeout: int, retries: int) -> None:
    """Has MLflow be quiet, phone nobody and give up on a dead server soon: before its import.

    What the user has set in the environment stays.
    """
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_LOGGING_LEVEL": "ERROR",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(timeout),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(retries),
    }.items():
        os.environ.setdefault(name, value)
