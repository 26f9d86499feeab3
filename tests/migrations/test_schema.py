"""The history of the schema leads where the tables are, on both databases."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

import mainspring.tables  # noqa: F401  so that the metadata is whole
from mainspring import migrations
from mainspring.core.database import Database, metadata
from mainspring.core.errors import Conflict
from mainspring.core.settings import Settings
from mainspring.migrations import bring_up_to_date, revision_of, steps

SECOND_STEP = '''
"""A column more."""
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade() -> None:
    op.add_column("model", sa.Column("colour", sa.Text()))
'''


@pytest.fixture
def database(empty_url: str | None, home: Path) -> Iterator[Database]:
    """An empty database."""
    database = Database(Settings(home=home, database=empty_url).database_url)
    yield database
    database.close()


@pytest.fixture
def second_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that knows one step more than this one."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.FOLDER, folder)
    (folder / "versions" / "0002_colour.py").write_text(SECOND_STEP)
    monkeypatch.setattr(migrations, "FOLDER", folder)


def test_an_empty_database_gets_the_tables_of_the_code(database: Database) -> None:
    assert bring_up_to_date(database, migrate=False) == "created"

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    bring_up_to_date(database, migrate=False)

    assert bring_up_to_date(database, migrate=False) == "up to date"


def test_a_newer_database_is_refused(database: Database) -> None:
    bring_up_to_date(database, migrate=False)
    with database.write() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))

    with pytest.raises(Conflict, match=f"at revision 9999, newer than {steps()[-1]}"):
        bring_up_to_date(database, migrate=True)


def test_an_older_database_is_not_migrated_unasked(
    database: Database, request: pytest.FixtureRequest
) -> None:
    bring_up_to_date(database, migrate=False)
    request.getfixturevalue("second_step")

    with pytest.raises(Conflict, match="at revision 0001, wanted 0002"):
        bring_up_to_date(database, migrate=False)
    assert revision_of(database) == "0001"


def test_an_older_database_is_migrated_when_asked(
    database: Database, request: pytest.FixtureRequest
) -> None:
    bring_up_to_date(database, migrate=False)
    request.getfixturevalue("second_step")

    assert bring_up_to_date(database, migrate=True) == "migrated from 0001 to 0002"
    assert revision_of(database) == "0002"


@pytest.mark.parametrize("database_kind", ["SQLite"])
def test_an_older_sqlite_file_is_backed_up_first(
    database: Database, home: Path, request: pytest.FixtureRequest
) -> None:
    bring_up_to_date(database, migrate=False)
    with database.write() as connection:
        connection.execute(text("insert into workspace values (1, 'kept', 0, 0, '')"))
    request.getfixturevalue("second_step")

    bring_up_to_date(database, migrate=True)

    (backup,) = home.glob("mainspring.db.0001-*.backup")
    copy = sqlite3.connect(backup)
    assert copy.execute("select version_num from alembic_version").fetchall() == [("0001",)]
    assert copy.execute("select name from workspace").fetchall() == [("kept",)]
    copy.close()


def test_the_history_is_one_line() -> None:
    assert steps() == [f"{number:04}" for number in range(1, len(steps()) + 1)]
