"""The tables of tracking: integer keys inside, public ids outside."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
    true,
)

from mainspring.core.database import KIND_COLUMN, NAME, TAG, WORDS, Json, Key, Moment, metadata

experiment_table = Table(
    "experiment",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("public_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    # Where its runs' files are said to be; empty for our own store.
    Column("artifact_location", Text, nullable=False, server_default=""),
    Column("recorded_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Column("deleted_at", Moment),
    UniqueConstraint("workspace_id", "public_id"),
    UniqueConstraint("workspace_id", "name"),
)
experiment_tag_table = Table(
    "experiment_tag",
    metadata,
    Column("experiment_id", Key, ForeignKey("experiment.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False, info=TAG),
    sqlite_with_rowid=False,
)
run_table = Table(
    "run",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("public_id", Text, nullable=False),
    Column("experiment_id", Key, ForeignKey("experiment.id"), nullable=False),
    Column("parent", Text),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("author", Text, nullable=False, info={**NAME, KIND_COLUMN: "author_kind"}),
    Column("author_kind", Text, nullable=False),
    # Whom the client says it works for; nobody checked it.
    Column("user", Text, nullable=False, server_default="", info=NAME),
    Column("attested", Boolean, nullable=False),
    # By the server's clock: opened, finished, heartbeat. By the client's: started, ended.
    Column("opened_at", Moment, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("ended_at", Moment),
    Column("heartbeat_at", Moment, nullable=False),
    # Whether its client promised heartbeats: only then does silence mean a crash.
    Column("watched", Boolean, nullable=False, server_default=true()),
    Column("deleted_at", Moment),
    # From then on it is not there any more: what is left of it goes piece by piece.
    Column("collected_at", Moment),
    Column("config", Json, nullable=False),
    Column("code", Json, nullable=False, info=WORDS),
    Column("environment", Json, nullable=False, info=WORDS),
    # Configuration and code as its client digested them: equal ones tried the same thing.
    Column("setup", Text),
    UniqueConstraint("workspace_id", "public_id"),
    Index("ix_run_newest", "workspace_id", "id"),
    Index("ix_run_started", "workspace_id", "started_at"),
    Index("ix_run_experiment", "experiment_id", "started_at"),
    Index("ix_run_status", "status", "heartbeat_at"),
)
param_table = Table(
    "param",
    metadata,
    Column("run_id", Key, ForeignKey("run.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
tag_table = Table(
    "tag",
    metadata,
    Column("run_id", Key, ForeignKey("run.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False, info=TAG),
    sqlite_with_rowid=False,
)
metric_table = Table(
    # One row for each (run, key): the key's number for the points, and their fold.
    "metric",
    metadata,
    Column("run_id", Key, ForeignKey("run.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("count", BigInteger, nullable=False),
    # A NULL value is NaN: SQLite has no NaN of its own.
    Column("first", Double),
    Column("last", Double),
    Column("minimum", Double),
    Column("maximum", Double),
    Column("best", Double),
    Column("best_step", BigInteger, nullable=False),
    Column("first_step", BigInteger, nullable=False),
    Column("first_at", Moment, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("last_at", Moment, nullable=False),
    # Points a bucket of the roll-up; 0 while the points are few enough to be read one by one.
    Column("bucket_size", BigInteger, nullable=False),
    Index("ix_metric_current", "key", "last"),
    sqlite_with_rowid=False,
)
point_table = Table(
    # Clustered in the order of reading, and nothing else: one row is about 28 bytes on SQLite.
    "point",
    metadata,
    Column("run_id", Key, ForeignKey("run.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("value", Double),
    sqlite_with_rowid=False,
)
bucket_table = Table(
    # The roll-up of a long series: equal numbers of points, not equal spans, from (step, at) on.
    "bucket",
    metadata,
    Column("run_id", Key, ForeignKey("run.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("count", BigInteger, nullable=False),
    # NULL while all its points are NaN.
    Column("minimum", Double),
    Column("minimum_step", BigInteger, nullable=False),
    Column("minimum_at", Moment, nullable=False),
    Column("maximum", Double),
    Column("maximum_step", BigInteger, nullable=False),
    Column("maximum_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)
dataset_table = Table(
    "dataset",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    # The experiment whose runs speak of it in another tool's words: those of other experiments may
    # say something else of the same name and digest. Empty for what our own client recorded.
    Column("scope", Text, nullable=False, server_default=""),
    # NULL where the client did not count them.
    Column("rows", BigInteger),
    Column("columns", Json, nullable=False),
    Column("source_type", Text, nullable=False, server_default=""),
    Column("source", Text, nullable=False),
    # What another tool's client says of the data, in its own words.
    Column("schema", Text),
    Column("profile", Text),
    Column("file", Text),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "digest", "name", "scope"),
)
run_dataset_table = Table(
    "run_dataset",
    metadata,
    Column("run_id", Key, ForeignKey("run.id"), primary_key=True),
    Column("dataset_id", Key, ForeignKey("dataset.id"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("tags", Json, nullable=False, server_default="{}"),
    # Which part of the data it is, in the words of its users: "train", "fold 3", "2013-Q1".
    Column("split", Text, nullable=False, server_default=""),
    Index("ix_run_dataset_dataset_id", "dataset_id"),
)
artifact_table = Table(
    # A stored file under a path. The place is whose it is: `runs/ID`, `models/ID`, or `files`.
    "artifact",
    metadata,
    Column("workspace_id", Key, ForeignKey("workspace.id"), primary_key=True),
    Column("place", Text, primary_key=True),
    Column("path", Text(collation="C").with_variant(Text(), "sqlite"), primary_key=True),
    Column("digest", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    # Whether a version was made of it: then nothing else may ever stand under the same path.
    Column("frozen", Boolean, nullable=False, server_default=false()),
    Column("recorded_at", Moment),
    Index("ix_artifact_digest", "digest"),
    sqlite_with_rowid=False,
)
trained_model_table = Table(
    "trained_model",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("public_id", Text, nullable=False),
    Column("experiment_id", Key, ForeignKey("experiment.id"), nullable=False),
    # NULL for one that no run of ours trained.
    Column("run_id", Key, ForeignKey("run.id")),
    # A run that its client named and that is not here.
    Column("claimed_run", Text, nullable=False, server_default=""),
    Column("name", Text, nullable=False),
    # `pending` until its files are there, then `ready`; `failed` if they never came.
    Column("state", Text, nullable=False),
    Column("type", Text, nullable=False),
    # Empty for the models of other tools: no engine of ours loads them.
    Column("engine", Text, nullable=False),
    Column("task", Text, nullable=False),
    # Over all its files, from the moment that it is ready.
    Column("digest", Text),
    Column("signature", Json, nullable=False),
    Column("files", Json, nullable=False),
    Column("params", Json, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("updated_at", Moment),
    Column("deleted_at", Moment),
    UniqueConstraint("workspace_id", "public_id"),
    Index("ix_trained_model_run_id", "run_id"),
    Index("ix_trained_model_experiment_id", "experiment_id"),
)
trained_model_tag_table = Table(
    "trained_model_tag",
    metadata,
    Column("trained_model_id", Key, ForeignKey("trained_model.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False, info=TAG),
    sqlite_with_rowid=False,
)
trained_model_metric_table = Table(
    # What a run measured of a trained model, and on which data.
    "trained_model_metric",
    metadata,
    Column("trained_model_id", Key, ForeignKey("trained_model.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("run_id", Key, ForeignKey("run.id"), primary_key=True),
    Column("value", Double),
    Column("dataset_name", Text, nullable=False),
    Column("dataset_digest", Text, nullable=False),
    Index("ix_trained_model_metric_run_id", "run_id"),
    sqlite_with_rowid=False,
)
run_model_table = Table(
    # The trained models that a run took in or brought out.
    "run_model",
    metadata,
    Column("run_id", Key, ForeignKey("run.id"), primary_key=True),
    Column("trained_model_id", Key, ForeignKey("trained_model.id"), primary_key=True),
    Column("direction", Text, primary_key=True),
    Column("step", BigInteger, nullable=False),
    Index("ix_run_model_trained_model_id", "trained_model_id"),
)
# What few rows have is indexed for those alone.
for _name, _column, _key in (
    ("run_parent", run_table.c.parent, run_table.c.parent),
    ("run_deleted", run_table.c.deleted_at, run_table.c.id),
    ("run_collected", run_table.c.collected_at, run_table.c.id),
    ("run_setup", run_table.c.setup, run_table.c.setup),
    ("trained_model_deleted", trained_model_table.c.deleted_at, trained_model_table.c.id),
):
    Index(
        f"ix_{_name}",
        _column.table.c.workspace_id,
        _key,
        sqlite_where=_column.is_not(None),
        postgresql_where=_column.is_not(None),
    )
# PostgreSQL's index entries end at 2,700 bytes: there, only the beginning of a value is indexed.
for _table in (param_table, tag_table):
    Index(f"ix_{_table.name}_value", _table.c.key, _table.c.value).ddl_if(dialect="sqlite")
    Index(f"ix_{_table.name}_beginning", _table.c.key, func.left(_table.c.value, 200)).ddl_if(
        dialect="postgresql"
    )
