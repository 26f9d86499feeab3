"""Numbered series with roll-ups, soft deletes, files of models, tags of everything."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PATH = sa.Text(collation="C").with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Apply."""
    _experiments_and_runs()
    _series()
    _datasets()
    _artifacts()
    _trained_models()
    _registry()
    _value_indexes()


def _tags(owner: str) -> None:
    op.create_table(
        f"{owner}_tag",
        sa.Column(f"{owner}_id", KEY, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            [f"{owner}_id"], [f"{owner}.id"], name=f"fk_{owner}_tag_{owner}_id_{owner}"
        ),
        sa.PrimaryKeyConstraint(f"{owner}_id", "key", name=f"pk_{owner}_tag"),
        sqlite_with_rowid=False,
    )


def _experiments_and_runs() -> None:
    location = sa.Column("artifact_location", sa.Text(), nullable=False, server_default="")
    op.add_column("experiment", location)
    op.add_column("experiment", sa.Column("updated_at", sa.BigInteger()))
    op.add_column("experiment", sa.Column("deleted_at", sa.BigInteger()))
    _tags("experiment")
    op.add_column("run", sa.Column("user", sa.Text(), nullable=False, server_default=""))
    op.add_column("run", sa.Column("ended_at", sa.BigInteger()))
    op.add_column(
        "run", sa.Column("watched", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.add_column("run", sa.Column("deleted_at", sa.BigInteger()))
    op.execute("update run set ended_at = finished_at")
    op.execute(
        "insert into experiment (workspace_id, public_id, name, artifact_location, recorded_at) "
        "select w.id, '0', 'Default', '', w.recorded_at from workspace w where not exists "
        "(select 1 from experiment e where e.workspace_id = w.id and e.public_id = '0')"
    )
    op.create_index("ix_run_started", "run", ["workspace_id", "started_at"])
    op.create_index("ix_run_experiment", "run", ["experiment_id", "started_at"])


def _series() -> None:
    op.rename_table("metric", "metric_before")
    op.rename_table("point", "point_before")
    _drop_names("metric", "pk_metric", "uq_metric_run_id_key", "fk_metric_run_id_run")
    _drop_names("point", "pk_point", "fk_point_metric_id_metric")
    op.create_table(
        "metric",
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.Double()),
        sa.Column("last", sa.Double()),
        sa.Column("minimum", sa.Double()),
        sa.Column("maximum", sa.Double()),
        sa.Column("best", sa.Double()),
        sa.Column("best_step", sa.BigInteger(), nullable=False),
        sa.Column("first_step", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("bucket_size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_metric_run_id_run"),
        sa.PrimaryKeyConstraint("run_id", "key", name="pk_metric"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_metric_current", "metric", ["key", "last"])
    op.create_table(
        "point",
        *_place("point"),
        sa.Column("value", sa.Double()),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "bucket",
        *_place("bucket"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("minimum", sa.Double()),
        sa.Column("minimum_step", sa.BigInteger(), nullable=False),
        sa.Column("minimum_at", sa.BigInteger(), nullable=False),
        sa.Column("maximum", sa.Double()),
        sa.Column("maximum_step", sa.BigInteger(), nullable=False),
        sa.Column("maximum_at", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    # Earlier rows kept no direction: higher was better, as it is for a name that says nothing.
    op.execute(_METRICS)
    op.execute(_POINTS)
    op.drop_table("point_before")
    op.drop_table("metric_before")


_METRICS = """
insert into metric (run_id, key, number, count, first, last, minimum, maximum, best, best_step,
    first_step, first_at, last_step, last_at, bucket_size)
select m.run_id, m.key, row_number() over (partition by m.run_id order by m.id) - 1, m.count,
    m.first, m.last, m.minimum, m.maximum, m.maximum,
    coalesce((select min(p.step) from point_before p
        where p.metric_id = m.id and p.value = m.maximum), m.last_step),
    (select min(p.step) from point_before p where p.metric_id = m.id),
    (select min(p.at) from point_before p where p.metric_id = m.id),
    m.last_step,
    (select max(p.at) from point_before p where p.metric_id = m.id),
    0
from metric_before m
"""
_POINTS = """
insert into point (run_id, number, step, at, value)
select m.run_id, n.number, p.step, p.at, p.value
from point_before p
join metric_before m on m.id = p.metric_id
join metric n on n.run_id = m.run_id and n.key = m.key
"""


def _place(table: str) -> list[sa.Column[int] | sa.Constraint]:
    return [
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=f"fk_{table}_run_id_run"),
        sa.PrimaryKeyConstraint("run_id", "number", "step", "at", name=f"pk_{table}"),
    ]


def _drop_names(table: str, *names: str) -> None:
    """PostgreSQL keeps the names of constraints when a table is renamed; the new table wants them."""
    if op.get_bind().dialect.name == "postgresql":
        for name in names:
            op.execute(f'alter table {table}_before rename constraint "{name}" to "{name}_before"')


def _datasets() -> None:
    with op.batch_alter_table("dataset") as batch:
        batch.alter_column("rows", existing_type=sa.BigInteger(), nullable=True)
        batch.add_column(sa.Column("scope", sa.Text(), nullable=False, server_default=""))
        batch.add_column(sa.Column("source_type", sa.Text(), nullable=False, server_default=""))
        batch.add_column(sa.Column("schema", sa.Text()))
        batch.add_column(sa.Column("profile", sa.Text()))
        batch.drop_constraint("uq_dataset_workspace_id_digest_name", type_="unique")
        batch.create_unique_constraint(
            "uq_dataset_workspace_id_digest_name_scope", ["workspace_id", "digest", "name", "scope"]
        )
    op.add_column("run_dataset", sa.Column("tags", sa.Text(), nullable=False, server_default="{}"))


def _artifacts() -> None:
    op.rename_table("artifact", "artifact_before")
    _drop_names("artifact", "pk_artifact", "fk_artifact_run_id_run")
    op.create_table(
        "artifact",
        sa.Column("workspace_id", KEY, nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("path", PATH, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frozen", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("recorded_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name="fk_artifact_workspace_id_workspace"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "place", "path", name="pk_artifact"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_artifact_digest", "artifact", ["digest"])
    op.execute(
        "insert into artifact (workspace_id, place, path, digest, size) "
        "select r.workspace_id, 'runs/' || r.public_id, a.path, a.digest, a.size "
        "from artifact_before a join run r on r.id = a.run_id"
    )
    op.drop_table("artifact_before")
    _artifacts_of_models()


def _artifacts_of_models() -> None:
    rows = op.get_bind().execute(
        sa.text("select workspace_id, public_id, files, recorded_at from trained_model")
    )
    columns = ("workspace_id", "place", "path", "digest", "size", "recorded_at")
    artifact = sa.table("artifact", *map(sa.column, columns))
    files = [
        {
            "workspace_id": row.workspace_id,
            "place": f"models/{row.public_id}",
            "recorded_at": row.recorded_at,
            **{name: file[name] for name in ("path", "digest", "size")},
        }
        for row in rows
        for file in json.loads(row.files)
    ]
    if files:
        op.bulk_insert(artifact, files)


def _trained_models() -> None:
    with op.batch_alter_table("trained_model") as batch:
        batch.add_column(sa.Column("experiment_id", KEY))
        claimed = sa.Column("claimed_run", sa.Text(), nullable=False, server_default="")
        batch.add_column(claimed)
        batch.alter_column("run_id", existing_type=KEY, nullable=True)
        batch.alter_column("digest", existing_type=sa.Text(), nullable=True)
        batch.add_column(sa.Column("state", sa.Text(), nullable=False, server_default="ready"))
        batch.add_column(sa.Column("type", sa.Text(), nullable=False, server_default=""))
        batch.add_column(sa.Column("params", sa.Text(), nullable=False, server_default="{}"))
        batch.add_column(sa.Column("updated_at", sa.BigInteger()))
        batch.add_column(sa.Column("deleted_at", sa.BigInteger()))
    op.execute(
        "update trained_model set experiment_id = "
        "(select experiment_id from run where run.id = trained_model.run_id)"
    )
    with op.batch_alter_table("trained_model") as batch:
        batch.alter_column("experiment_id", existing_type=KEY, nullable=False)
        for name in ("state", "type", "params"):
            batch.alter_column(name, existing_type=sa.Text(), server_default=None)
        batch.create_foreign_key(
            "fk_trained_model_experiment_id_experiment", "experiment", ["experiment_id"], ["id"]
        )
    op.create_index("ix_trained_model_experiment_id", "trained_model", ["experiment_id"])
    _tags("trained_model")
    _runs_of_trained_models()


def _runs_of_trained_models() -> None:
    op.create_table(
        "trained_model_metric",
        sa.Column("trained_model_id", KEY, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("value", sa.Double()),
        sa.Column("dataset_name", sa.Text(), nullable=False),
        sa.Column("dataset_digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trained_model_id"],
            ["trained_model.id"],
            name="fk_trained_model_metric_trained_model_id_trained_model",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_trained_model_metric_run_id_run"),
        sa.PrimaryKeyConstraint(
            "trained_model_id", "key", "at", "step", "run_id", name="pk_trained_model_metric"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "run_model",
        sa.Column("run_id", KEY, nullable=False),
        sa.Column("trained_model_id", KEY, nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_run_model_run_id_run"),
        sa.ForeignKeyConstraint(
            ["trained_model_id"],
            ["trained_model.id"],
            name="fk_run_model_trained_model_id_trained_model",
        ),
        sa.PrimaryKeyConstraint("run_id", "trained_model_id", "direction", name="pk_run_model"),
    )
    op.create_index("ix_run_model_trained_model_id", "run_model", ["trained_model_id"])


def _registry() -> None:
    op.add_column("model", sa.Column("kind", sa.Text(), nullable=False, server_default="model"))
    op.add_column("model", sa.Column("updated_at", sa.BigInteger()))
    _tags("model")
    with op.batch_alter_table("version") as batch:
        batch.alter_column("digest", existing_type=sa.Text(), nullable=True)
        batch.alter_column("trained_model", existing_type=sa.Text(), nullable=True)
        batch.add_column(sa.Column("source", sa.Text(), nullable=False, server_default=""))
        batch.add_column(sa.Column("location", sa.Text(), nullable=False, server_default=""))
        batch.add_column(sa.Column("run_link", sa.Text(), nullable=False, server_default=""))
        batch.add_column(sa.Column("updated_at", sa.BigInteger()))
        batch.add_column(sa.Column("deleted_at", sa.BigInteger()))
        batch.drop_constraint("uq_version_model_id_trained_model", type_="unique")
    op.create_index("ix_version_trained_model", "version", ["model_id", "trained_model"])
    op.create_index("ix_version_run", "version", ["run"])
    op.drop_index("ix_version_stage", table_name="version")
    op.create_index("ix_version_stage", "version", ["model_id", "stage", "number"])
    _tags("version")


def _value_indexes() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    for table in ("param", "tag", "model_tag", "version_tag"):
        if sqlite:
            op.create_index(f"ix_{table}_value", table, ["key", "value"])
        else:
            beginning = sa.text("left(value, 200)")
            op.create_index(f"ix_{table}_beginning", table, ["key", beginning])
