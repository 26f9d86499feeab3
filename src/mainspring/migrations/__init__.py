"""The one linear history of the schema, and how a database gets to its newest step."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import inspect, text

from mainspring.core.clock import utc_now
from mainspring.core.database import Database
from mainspring.core.errors import Conflict

FOLDER = Path(__file__).parent


def steps() -> list[str]:
    """The revisions in their order: the file names begin with them."""
    return sorted(path.name[:4] for path in (FOLDER / "versions").glob("[0-9]*.py"))


def revision_of(database: Database) -> str | None:
    """The revision that a database is at; None if it is empty."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("select version_num from alembic_version")).scalar()


def bring_up_to_date(database: Database, *, migrate: bool) -> str:
    """Migrate the database to the newest revision, or refuse in words; answers what was done."""
    found, known = revision_of(database), steps()
    if found == known[-1]:
        return "up to date"
    if found is not None and found not in known:
        raise Conflict(
            f"the database is at revision {found}, newer than {known[-1]}, the newest this release "
            "knows",
            fix="install the release that wrote it, or restore a backup made before it",
        )
    if found is not None and not migrate:
        raise Conflict(
            f"the database is at revision {found}, wanted {known[-1]}",
            fix="back it up, then: mainspring admin migrate --database URL",
        )
    if found is not None and database.is_sqlite:
        _back_up(database, found)
    _upgrade(database)
    return "created" if found is None else f"migrated from {found} to {known[-1]}"


def _back_up(database: Database, revision: str) -> None:
    database.checkpoint()
    path = Path(str(database.url.database))
    shutil.copy2(path, path.with_name(f"{path.name}.{revision}-{utc_now():%Y%m%dT%H%M%S}.backup"))


def _upgrade(database: Database) -> None:
    # Alembic is a third of the start-up time: it is imported only when there is something to do.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with database.migrating() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
