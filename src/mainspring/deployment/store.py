"""The rows of deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Integer,
    Row,
    Table,
    Text,
    UniqueConstraint,
    insert,
    select,
    update,
)

from mainspring.core.database import WORDS, Json, Key, Moment, metadata
from mainspring.core.errors import NotFound
from mainspring.core.matching import fitting
from mainspring.core.name_patterns import Patterns
from mainspring.core.text import closest
from mainspring.deployment.contract import Deployment, Process, Serving

deployment_table = Table(
    "deployment",
    metadata,
    Column("id", Key, primary_key=True),
    Column("workspace_id", Key, ForeignKey("workspace.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("wanted", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("served", Integer),
    Column("process", Json),
    Column("serving", Json, nullable=False, server_default="{}"),
    Column("restarts", Integer, nullable=False),
    Column("message", Text, nullable=False, info=WORDS),
    Column("recorded_at", Moment, nullable=False),
    UniqueConstraint("workspace_id", "name"),
)


class DeploymentStore:
    """Deployments of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def rows(self, limit: int = 1000, patterns: Patterns = None) -> list[Row[Any]]:
        """Deployments by name."""
        return list(
            self._connection.execute(
                select(deployment_table)
                .where(
                    deployment_table.c.workspace_id == self._workspace_id,
                    fitting(deployment_table.c.name, patterns, self._connection.dialect.name),
                )
                .order_by(deployment_table.c.name)
                .limit(limit)
            )
        )

    def find(self, name: str) -> Row[Any] | None:
        """A deployment's row, if there is such a one here."""
        return self._connection.execute(
            select(deployment_table).where(
                deployment_table.c.workspace_id == self._workspace_id,
                deployment_table.c.name == name,
            )
        ).one_or_none()

    def row(self, name: str) -> Row[Any]:
        """A deployment's row; the error names the nearest."""
        row = self.find(name)
        if row is None:
            names = [other.name for other in self.rows()]
            raise NotFound(
                f"no deployment named {name!r}{closest(name, names)}", field="deployment"
            )
        return row

    def add(self, values: Mapping[str, Any]) -> None:
        """A new deployment."""
        self._connection.execute(
            insert(deployment_table).values(**values, workspace_id=self._workspace_id)
        )

    def update(self, key: int, values: Mapping[str, Any]) -> None:
        """Change a deployment."""
        self._connection.execute(
            update(deployment_table).where(deployment_table.c.id == key).values(**values)
        )


def process_of(row: Any) -> Process | None:
    """The process that a row names."""
    return None if row.process is None else msgspec.convert(row.process, Process)


def serving_of(row: Any) -> Serving:
    """How it serves; a deployment from before there was a choice serves as it did."""
    return msgspec.convert(row.serving or {}, Serving)


def deployment_of(row: Any) -> Deployment:
    """The deployment as it is shown."""
    process = process_of(row)
    return Deployment(
        name=row.name,
        model=row.model,
        stage=row.stage,
        wanted=row.wanted,
        state=row.state,
        version=row.version,
        served=row.served,
        serving=serving_of(row),
        grpc_url=f"127.0.0.1:{process.grpc_port}" if process and process.grpc_port else None,
        url=f"http://127.0.0.1:{process.port}" if process else None,
        pid=process.pid if process else None,
        log_folder=process.log_folder if process else None,
        restarts=row.restarts,
        message=row.message,
        recorded_at=row.recorded_at,
    )
