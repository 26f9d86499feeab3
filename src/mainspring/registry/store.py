"""The rows of models, versions, aliases and stages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from mainspring.core.errors import Conflict, NotFound
from mainspring.core.signature import Signature
from mainspring.core.text import closest
from mainspring.registry.contract import Model, ModelVersion
from mainspring.registry.tables import (
    alias_table,
    model_table,
    stage_table,
    version_table,
)
from mainspring.tracking.contract import FileEntry


class RegistryStore:
    """Models of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def find_model(self, name: str) -> Row[Any] | None:
        """The model's row, if there is such a model here."""
        return self._connection.execute(
            select(model_table).where(
                model_table.c.workspace_id == self._workspace_id, model_table.c.name == name
            )
        ).one_or_none()

    def model_row(self, name: str) -> Row[Any]:
        """The model's row; the error names the nearest."""
        row = self.find_model(name)
        if row is None:
            names = self._connection.scalars(
                select(model_table.c.name).where(model_table.c.workspace_id == self._workspace_id)
            ).all()
            raise NotFound(f"no model named {name!r}{closest(name, names)}", field="model")
        return row

    def add_model(self, name: str, owner: str, now: dt.datetime) -> int:
        """A new model."""
        key = self._connection.execute(
            insert(model_table).values(
                workspace_id=self._workspace_id,
                name=name,
                owner=owner,
                team="",
                risk_tier="low",
                description="",
                recorded_at=now,
            )
        ).inserted_primary_key
        assert key is not None
        return int(key[0])

    def update_model(self, key: int, values: Mapping[str, Any]) -> None:
        """Change what is said of a model."""
        self._connection.execute(
            update(model_table).where(model_table.c.id == key).values(**values)
        )

    def models(self, limit: int, name: str | None = None) -> list[Model]:
        """Models by name, with what is in production."""
        query = (
            select(
                model_table,
                select(func.count())
                .where(version_table.c.model_id == model_table.c.id)
                .scalar_subquery()
                .label("versions"),
                select(func.max(version_table.c.number))
                .where(
                    version_table.c.model_id == model_table.c.id,
                    version_table.c.stage == "production",
                )
                .scalar_subquery()
                .label("production"),
            )
            .where(model_table.c.workspace_id == self._workspace_id)
            .order_by(model_table.c.name)
            .limit(limit)
        )
        if name is not None:
            query = query.where(model_table.c.name == name)
        return [
            Model(
                name=row.name,
                owner=row.owner,
                team=row.team,
                risk_tier=row.risk_tier,
                description=row.description,
                versions=row.versions,
                production=row.production,
                aliases=self.aliases(row.id),
                recorded_at=row.recorded_at,
            )
            for row in self._connection.execute(query)
        ]

    def aliases(self, model: int) -> dict[str, int]:
        """The model's aliases."""
        rows = self._connection.execute(
            select(alias_table).where(alias_table.c.model_id == model).order_by(alias_table.c.name)
        )
        return {row.name: row.version for row in rows}

    def set_alias(self, model: int, alias: str, version: int) -> None:
        """Point an alias."""
        self.drop_alias(model, alias)
        values = {"model_id": model, "name": alias, "version": version}
        self._connection.execute(insert(alias_table).values(values))

    def drop_alias(self, model: int, alias: str) -> bool:
        """Forget an alias; answers whether it was there."""
        same = (alias_table.c.model_id == model) & (alias_table.c.name == alias)
        return self._connection.execute(delete(alias_table).where(same)).rowcount > 0

    def next_number(self, model: int) -> int:
        """The number that the next version gets."""
        last = self._connection.execute(
            select(func.max(version_table.c.number)).where(version_table.c.model_id == model)
        ).scalar_one()
        return int(last or 0) + 1

    def add_version(self, row: Mapping[str, Any]) -> None:
        """A new version."""
        self._connection.execute(insert(version_table).values(**row))

    def version_row(self, model: str, number: int) -> Row[Any]:
        """A version's row with its model's name and risk tier."""
        self.model_row(model)
        row = self._version_rows(model, version_table.c.number == number)
        if not row:
            raise NotFound(f"model {model!r} has no version {number}", field="version")
        return row[0]

    def version_by_key(self, key: int) -> Row[Any]:
        """A version's row by its integer key."""
        return self._version_rows(None, version_table.c.id == key)[0]

    def staged(self, model: str, stage: str) -> Row[Any] | None:
        """The version that is in a stage now."""
        rows = self._version_rows(model, version_table.c.stage == stage)
        return rows[0] if rows else None

    def trained_as(self, model: str, trained_model: str) -> Row[Any] | None:
        """The version that a trained model became."""
        rows = self._version_rows(model, version_table.c.trained_model == trained_model)
        return rows[0] if rows else None

    def versions(self, model: str, limit: int) -> list[ModelVersion]:
        """Versions, newest first."""
        self.model_row(model)
        return [version_of(row) for row in self._version_rows(model, limit=limit)]

    def _version_rows(
        self, model: str | None, condition: Any = None, limit: int = 1
    ) -> list[Row[Any]]:
        query = (
            select(
                version_table,
                model_table.c.name.label("model"),
                model_table.c.risk_tier,
            )
            .join(model_table, model_table.c.id == version_table.c.model_id)
            .where(model_table.c.workspace_id == self._workspace_id)
            .order_by(version_table.c.number.desc())
            .limit(limit)
        )
        if model is not None:
            query = query.where(model_table.c.name == model)
        if condition is not None:
            query = query.where(condition)
        return list(self._connection.execute(query).all())

    def was_in_stage(self, version: int, stage: str) -> bool:
        """Whether a version was ever in the stage."""
        same = (stage_table.c.version_id == version) & (stage_table.c.stage == stage)
        return self._connection.execute(select(stage_table.c.id).where(same)).first() is not None

    def move(
        self, version: Row[Any], stage: str, by: str, at: dt.datetime, **more: Any
    ) -> int | None:
        """Put a version into a stage and archive the one there before; answers that one's number."""
        before = self.staged(version.model, stage)
        moves = [(version.id, stage)]
        if before is not None and before.id != version.id:
            moves.insert(0, (before.id, "archived"))
        for key, target in moves:
            self._connection.execute(
                update(version_table).where(version_table.c.id == key).values(stage=target)
            )
            values = {"version_id": key, "stage": target, "by": by, "recorded_at": at, **more}
            self._connection.execute(insert(stage_table).values(values))
        return None if before is None or before.id == version.id else int(before.number)


def checked_move(version: Any, stage: str) -> None:
    """Refuse to move a version where it is, or out of production with nothing in its place."""
    if version.stage == stage:
        raise Conflict(f"{version.model}@{version.number} is in {stage} already", field="version")
    if version.stage == "production":
        raise Conflict(
            f"{version.model}@{version.number} is in production, which would be left empty",
            field="version",
            fix=f"promote another version of {version.model} to production first",
        )


def version_of(row: Any) -> ModelVersion:
    """The version that a row holds."""
    return ModelVersion(
        model=row.model,
        version=row.number,
        stage=row.stage,
        digest=row.digest,
        engine=row.engine,
        task=row.task,
        signature=msgspec.convert(row.signature, Signature),
        files=msgspec.convert(row.files, list[FileEntry]),
        run=row.run,
        trained_model=row.trained_model,
        description=row.description,
        registered_by=row.registered_by,
        recorded_at=row.recorded_at,
    )
