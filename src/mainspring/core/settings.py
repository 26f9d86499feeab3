"""The one module that reads the environment; everything else is handed values."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mainspring.core.errors import Invalid

DEFAULT_PORT = 8321
DEFAULT_HOME = Path(".mainspring")
DEFAULT_WORKSPACE = "default"

VARIABLES = {
    "MAINSPRING_HOME": "the folder that holds everything of an embedded installation",
    "MAINSPRING_URL": "the address of the server that the CLI and the SDK talk to",
    "MAINSPRING_TOKEN": "the API token that the CLI and the SDK sign in with",
    "MAINSPRING_WORKSPACE": "the workspace that the CLI and the SDK work in",
    "MAINSPRING_DATABASE": "the database URL of `mainspring up`, SQLite in the home by default",
    "MAINSPRING_ARTIFACTS": "where `mainspring up` keeps files, a folder of the home by default",
    "MAINSPRING_OUTBOUND_ALLOW": "hosts and networks that webhooks may call though not public, "
    "separated by commas",
    "MAINSPRING_WEBHOOK_ATTEMPTS": "how often a webhook's peer is asked before it is given up, 6",
    "MAINSPRING_WEBHOOK_TIMEOUT": "seconds that a webhook's peer may take to answer, 30",
}
"""Every environment variable that is read, with its meaning; docs/settings.md lists the same."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server or an in-process client is told from outside."""

    home: Path = DEFAULT_HOME
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    database: str | None = None
    artifacts: str | None = None
    testing: bool = False
    """Whether the server also has the route that empties the store."""

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the metadata database."""
        if self.database is None:
            return f"sqlite:///{self.home.absolute() / 'mainspring.db'}"
        scheme, colon, rest = self.database.partition("://")
        if scheme in ("postgres", "postgresql", "postgresql+psycopg") and colon:
            return f"postgresql+psycopg://{rest}"
        if scheme == "sqlite" and colon:
            return self.database
        raise Invalid(
            f"no database at {scheme + colon!r}...; wanted sqlite:///FILE or postgresql://...",
            field="database",
        )

    @property
    def artifacts_folder(self) -> Path:
        """The folder of the content-addressed files."""
        if self.artifacts is None:
            return self.home.absolute() / "artifacts"
        scheme, colon, rest = self.artifacts.partition("://")
        if colon and scheme != "file":
            raise Invalid(
                f"files cannot be kept at {self.artifacts!r}; wanted a folder or file:///FOLDER",
                field="artifacts",
            )
        return Path(rest if colon else self.artifacts).absolute()


def read_variable(name: str) -> str | None:
    """The value of one documented environment variable; empty counts as unset."""
    assert name in VARIABLES, name
    return os.environ.get(name) or None


def read_number(name: str, otherwise: int) -> int:
    """The positive number in an environment variable."""
    text = read_variable(name)
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 1_000_000):
        raise Invalid(f"{name} is {text!r}, wanted a positive number", field=name)
    return int(text)


def home_folder(given: str | None = None) -> Path:
    """The home: what was given, else the environment, else `.mainspring` here."""
    return Path(given or read_variable("MAINSPRING_HOME") or DEFAULT_HOME).absolute()


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment for a child process, with the library thread pools kept to themselves."""
    return {**os.environ, "PYTHONUNBUFFERED": "1", **extra}
