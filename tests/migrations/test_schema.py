"""The history of the schema leads where the tables are, on both databases."""

from __future__ import annotations

import re
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

LAST = steps()[-1]
NEXT = f"{int(LAST) + 1:04}"
NEXT_STEP = f'''
"""A column more."""
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{NEXT}", "{LAST}", None, None


def upgrade() -> None:
    op.add_column("model", sa.Column("colour", sa.Text()))
'''
OLD_ROWS = """
insert into workspace values (1, 'default', 0, 0, '');
insert into principal (id, kind, name, recorded_at) values (1, 'person', 'dora', 1), (2, 'person', 'ole', 2);
insert into experiment (id, workspace_id, public_id, name, recorded_at) values (7, 1, 'e1', 'delays', 5);
insert into run (id, workspace_id, public_id, experiment_id, name, status, author, author_kind,
    attested, opened_at, started_at, finished_at, heartbeat_at, config, code, environment)
    values (1, 1, 'r1', 7, 'first', 'finished', 'dora', 'person', true, 1, 2, 9, 3, '{}', '{}', '{}');
insert into param values (1, 'depth', '7');
insert into metric (id, run_id, key, count, first, last, minimum, maximum, last_step)
    values (11, 1, 'auc', 2, 0.5, 0.7, 0.5, 0.7, 4), (12, 1, 'late', 1, null, null, null, null, 0);
insert into point (metric_id, step, at, value)
    values (11, 1, 100, 0.5), (11, 4, 200, 0.7), (12, 0, 300, null);
insert into artifact (run_id, path, digest, size) values (1, 'plots/a.png', 'sha256:a', 3);
insert into dataset (id, workspace_id, name, digest, rows, columns, source, recorded_at)
    values (1, 1, 'flights', 'sha256:d', 10, '[]', 'file', 5);
insert into run_dataset (run_id, dataset_id, role) values (1, 1, 'training');
insert into trained_model (id, workspace_id, public_id, run_id, name, engine, task, digest, signature,
    files, recorded_at) values (1, 1, 't1', 1, 'trees', 'lightgbm', 'binary', 'sha256:m', '{}',
    '[{"path": "model.txt", "digest": "sha256:f", "size": 4}]', 6);
insert into model (id, workspace_id, name, owner, team, risk_tier, description, recorded_at)
    values (1, 1, 'late', 'dora', '', 'low', '', 7);
insert into version (id, model_id, number, stage, digest, engine, task, signature, files, run,
    trained_model, description, registered_by, event, recorded_at)
    values (1, 1, 1, 'production', 'sha256:m', 'lightgbm', 'binary', '{}', '[]', 'r1', 't1', '', 'dora',
    'x', 8);
insert into stage_change (id, version_id, stage, by, recorded_at) values (1, 1, 'production', 'dora', 9);
insert into deployment (id, workspace_id, name, model, stage, wanted, state, version, restarts, message,
    recorded_at) values (1, 1, 'late', 'late', 'production', 'running', 'ready', 1, 0, '', 10);
insert into label (id, deployment_id, request_id, value, event_time, recorded_at)
    values (5, 1, 'UA1545', 1.0, 11, 12), (6, 1, 'UA1546', 0.0, 11, 12);
insert into monitoring_window (id, deployment_id, starts_at, ends_at, version, rows, labels, measurements,
    recorded_at) values (1, 1, 10, 20, 1, 2, 2, '{}', 21)
"""


@pytest.fixture
def database(empty_url: str | None, home: Path) -> Iterator[Database]:
    """An empty database."""
    database = Database(Settings(home=home, database=empty_url).database_url)
    yield database
    database.close()


@pytest.fixture
def next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that knows one step more than this one."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.FOLDER, folder)
    (folder / "versions" / f"{NEXT}_colour.py").write_text(NEXT_STEP)
    monkeypatch.setattr(migrations, "FOLDER", folder)


@pytest.mark.filterwarnings("ignore:autogenerate skipping")
def test_an_empty_database_gets_the_tables_of_the_code(database: Database) -> None:
    assert bring_up_to_date(database, migrate=False) == "created"

    with database.engine.connect() as connection:
        others = "_beginning" if database.is_sqlite else "_value"

        def of_this_database(_item: object, name: str | None, kind: str, *_: object) -> bool:
            return not (kind == "index" and str(name).endswith(others))

        options = {"compare_type": True, "include_object": of_this_database}
        context = MigrationContext.configure(connection, opts=options)
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
    request.getfixturevalue("next_step")

    with pytest.raises(Conflict, match=f"at revision {LAST}, wanted {NEXT}"):
        bring_up_to_date(database, migrate=False)
    assert revision_of(database) == LAST


def test_an_older_database_is_migrated_when_asked(
    database: Database, request: pytest.FixtureRequest
) -> None:
    bring_up_to_date(database, migrate=False)
    request.getfixturevalue("next_step")

    assert bring_up_to_date(database, migrate=True) == f"migrated from {LAST} to {NEXT}"
    assert revision_of(database) == NEXT


@pytest.mark.parametrize("database_kind", ["SQLite"])
def test_an_older_sqlite_file_is_backed_up_first(
    database: Database, home: Path, request: pytest.FixtureRequest
) -> None:
    bring_up_to_date(database, migrate=False)
    with database.write() as connection:
        connection.execute(
            text(
                "insert into workspace (id, name, recorded_at, chain_sequence, chain_hash)"
                " values (1, 'kept', 0, 0, '')"
            )
        )
    request.getfixturevalue("next_step")

    bring_up_to_date(database, migrate=True)

    (backup,) = home.glob(f"mainspring.db.{LAST}-*.backup")
    copy = sqlite3.connect(backup)
    assert copy.execute("select version_num from alembic_version").fetchall() == [(LAST,)]
    assert copy.execute("select name from workspace").fetchall() == [("kept",)]
    copy.close()


def test_the_history_is_one_line() -> None:
    assert steps() == [f"{number:04}" for number in range(1, len(steps()) + 1)]


@pytest.fixture
def of_the_first_release(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """A database that the first release wrote into."""
    folder = tmp_path / "first"
    shutil.copytree(migrations.FOLDER, folder)
    for path in (folder / "versions").glob("0*.py"):
        if not path.name.startswith("0001"):
            path.unlink()
    with monkeypatch.context() as earlier:
        earlier.setattr(migrations, "FOLDER", folder)
        assert bring_up_to_date(database, migrate=False) == "created"
        with database.write() as connection:
            for statement in OLD_ROWS.split(";\n"):
                connection.exec_driver_sql(statement)

    return database


def test_what_the_first_release_stored_is_still_there(of_the_first_release: Database) -> None:
    database = of_the_first_release
    assert bring_up_to_date(database, migrate=True) == f"migrated from 0001 to {LAST}"

    with database.read() as connection:

        def rows(query: str) -> list[tuple[object, ...]]:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

        assert rows("select key, number, count, last, best, best_step, last_at from metric") == [
            ("auc", 0, 2, 0.7, 0.7, 4, 200),
            ("late", 1, 1, None, None, 0, 300),
        ]
        assert rows("select number, step, at, value from point order by number, step") == [
            (0, 1, 100, 0.5), (0, 4, 200, 0.7), (1, 0, 300, None),
        ]  # fmt: skip
        assert rows("select place, path, digest, size from artifact order by place desc") == [
            ("runs/r1", "plots/a.png", "sha256:a", 3),
            ("models/t1", "model.txt", "sha256:f", 4),
        ]
        assert rows("select experiment_id, run_id, state, digest from trained_model") == [
            (7, 1, "ready", "sha256:m")
        ]
        assert rows("select ended_at, deleted_at from run") == [(9, None)]
        assert rows("select stage, digest, trained_model from version") == [
            ("production", "sha256:m", "t1")
        ]
        people = rows("select name, public_id from principal order by id")
        assert [name for name, _ in people] == ["dora", "ole"]
        assert len({key for _, key in people if re.fullmatch("[0-9a-f]{32}", str(key))}) == 2
        assert rows("select rows, name from dataset") == [(10, "flights")]
        assert ("0", "Default") in rows("select public_id, name from experiment")
        assert rows("select version_id from stage_change") == [(1,)]


def test_labels_of_the_first_release_are_labels_by_request_id(
    of_the_first_release: Database,
) -> None:
    bring_up_to_date(of_the_first_release, migrate=True)

    with of_the_first_release.read() as connection:
        query = "select * from label order by id"
        labels = [dict(row) for row in connection.exec_driver_sql(query).mappings()]
        window = connection.exec_driver_sql("select * from monitoring_window").mappings().one()

    same = {"deployment_id": 1, "event_time": 11, "recorded_at": 12}
    no_entity = {"entity_key": None, "about": None, "superseded_at": None}
    assert labels == [
        {"id": 5, "request_id": "UA1545", "value": 1.0, **same, **no_entity},
        {"id": 6, "request_id": "UA1546", "value": 0.0, **same, **no_entity},
    ]
    assert (window["labels"], window["labels_known_at"]) == (2, None)
