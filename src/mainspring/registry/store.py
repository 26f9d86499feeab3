"""The rows of models, versions, aliases and stages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from mainspring.core.errors import Blocked, Conflict, NotFound
from mainspring.core.matching import fitting
from mainspring.core.name_patterns import Patterns
from mainspring.core.signature import Signature
from mainspring.core.text import closest
from mainspring.registry.model import Model, ModelKind, ModelVersion
from mainspring.registry.promotion import standing_blockers
from mainspring.registry.protection_store import ProtectionStore
from mainspring.registry.tables import (
    alias_table,
    model_table,
    model_tag_table,
    promotion_table,
    stage_table,
    version_table,
    version_tag_table,
)
from mainspring.tracking.contract import FileEntry

_MODEL = select(model_table).where(
    model_table.c.workspace_id == bindparam("workspace"), model_table.c.name == bindparam("model")
)
_LAST_NUMBER = select(func.max(version_table.c.number)).where(
    version_table.c.model_id == bindparam("model_id")
)
_VERSIONS = (
    select(
        version_table,
        model_table.c.name.label("model"),
        model_table.c.risk_tier,
        model_table.c.lowered_from,
        model_table.c.lowered_at,
        model_table.c.kind.label("model_kind"),
        model_table.c.owner,
    )
    .join(model_table, model_table.c.id == version_table.c.model_id)
    .where(model_table.c.workspace_id == bindparam("workspace"))
    .order_by(version_table.c.number.desc())
)
_THERE = _VERSIONS.where(version_table.c.deleted_at.is_(None))
_OF_MODEL = _THERE.where(model_table.c.name == bindparam("model"))
_BY_NUMBER = _OF_MODEL.where(version_table.c.number == bindparam("number"))
_BY_ALIAS = _OF_MODEL.join(
    alias_table,
    (alias_table.c.model_id == version_table.c.model_id)
    & (alias_table.c.version == version_table.c.number),
).where(alias_table.c.name == bindparam("alias"))
_STAGED = _OF_MODEL.where(version_table.c.stage == bindparam("stage")).limit(1)
_TRAINED_AS = _OF_MODEL.where(version_table.c.trained_model == bindparam("trained_model")).limit(1)
_BY_KEY = _VERSIONS.where(version_table.c.id == bindparam("key"))
_ALIASES = (
    select(alias_table.c.model_id, alias_table.c.name, alias_table.c.version)
    .where(alias_table.c.model_id.in_(bindparam("models", expanding=True)))
    .order_by(alias_table.c.name)
)
_TAGS = (
    select(version_tag_table.c.version_id, version_tag_table.c.key, version_tag_table.c.value)
    .where(version_tag_table.c.version_id.in_(bindparam("versions", expanding=True)))
    .order_by(version_tag_table.c.key)
)
_MODEL_TAGS = (
    select(model_tag_table.c.key, model_tag_table.c.value)
    .where(model_tag_table.c.model_id == bindparam("model_id"))
    .order_by(model_tag_table.c.key)
)


class RegistryStore:
    """Models of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def find_model(self, name: str) -> Row[Any] | None:
        """The model's row, if there is such a model here."""
        given = {"workspace": self._workspace_id, "model": name}
        return self._connection.execute(_MODEL, given).one_or_none()

    def model_row(self, name: str) -> Row[Any]:
        """The model's row; the error names the nearest."""
        row = self.find_model(name)
        if row is None:
            names = self._connection.scalars(
                select(model_table.c.name)
                .where(model_table.c.workspace_id == self._workspace_id)
                .limit(1000)
            ).all()
            raise NotFound(f"no model named {name!r}{closest(name, names)}", field="model")
        return row

    def add_model(
        self, name: str, owner: str, now: dt.datetime, kind: ModelKind = "model", said: str = ""
    ) -> int:
        """A new model."""
        key = self._connection.execute(
            insert(model_table).values(
                workspace_id=self._workspace_id,
                name=name,
                kind=kind,
                owner=owner,
                team="",
                on_call=[],
                escalation="",
                risk_tier="low",
                description=said,
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

    def models(self, limit: int, patterns: Patterns = None) -> list[Model]:
        """Models by name, with what is in production."""
        rows = self._connection.execute(
            select(model_table)
            .where(
                model_table.c.workspace_id == self._workspace_id,
                fitting(model_table.c.name, patterns, self._connection.dialect.name),
            )
            .order_by(model_table.c.name)
            .limit(limit)
        )
        return [self.model_of(row) for row in rows]

    def model_of(self, row: Any) -> Model:
        """The model that a row holds."""
        production = self.staged(row.name, "production")
        tags = self._connection.execute(_MODEL_TAGS, {"model_id": row.id})
        return Model(
            name=row.name,
            kind=row.kind,
            owner=row.owner,
            team=row.team,
            on_call=row.on_call,
            escalation=row.escalation,
            risk_tier=row.risk_tier,
            description=row.description,
            versions=self.next_number(row.id) - 1,
            production=None if production is None else production.number,
            unconfirmed=None if production is None else self._override(production, "production"),
            aliases=self.aliases(row.id),
            tags={tag.key: tag.value for tag in tags},
            recorded_at=row.recorded_at,
            updated_at=row.updated_at,
        )

    def aliases(self, model: int) -> dict[str, int]:
        """The model's aliases."""
        rows = self._connection.execute(_ALIASES, {"models": [model]})
        return {name: version for _, name, version in rows}

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
        """The number that the next version gets; that of a deleted one is never given again."""
        last = self._connection.execute(_LAST_NUMBER, {"model_id": model}).scalar_one()
        return int(last or 0) + 1

    def add_version(self, row: Mapping[str, Any]) -> int:
        """A new version; answers its key."""
        key = self._connection.execute(insert(version_table).values(**row)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def version_row(self, model: str, number: int) -> Row[Any]:
        """A version's row with its model's name and risk tier."""
        row = self._first(_BY_NUMBER, model=model, number=number)
        if row is None:
            self.model_row(model)
            raise NotFound(f"model {model!r} has no version {number}", field="version")
        return row

    def version_by_key(self, key: int) -> Row[Any]:
        """A version's row by its integer key; a deleted one too."""
        row = self._first(_BY_KEY, key=key)
        assert row is not None
        return row

    def version_by_alias(self, model: str, alias: str) -> Row[Any] | None:
        """The version that an alias points at."""
        return self._first(_BY_ALIAS, model=model, alias=alias)

    def staged(self, model: str, stage: str) -> Row[Any] | None:
        """The version that is in a stage now; the newest, where a stage holds several."""
        return self._first(_STAGED, model=model, stage=stage)

    def trained_as(self, model: str, trained_model: str) -> Row[Any] | None:
        """The version that a trained model became."""
        return self._first(_TRAINED_AS, model=model, trained_model=trained_model)

    def versions(self, model: str, limit: int) -> list[ModelVersion]:
        """Versions, newest first."""
        self.model_row(model)
        given = {"workspace": self._workspace_id, "model": model}
        return self.versions_of(self._connection.execute(_OF_MODEL.limit(limit), given).all())

    def _first(self, query: Any, **given: Any) -> Row[Any] | None:
        given["workspace"] = self._workspace_id
        return self._connection.execute(query, given).first()

    def version_of(self, row: Any) -> ModelVersion:
        """The version that a row holds."""
        return self.versions_of([row])[0]

    def versions_of(self, rows: Sequence[Any]) -> list[ModelVersion]:
        """The versions that rows hold, with their tags and aliases."""
        if not rows:
            return []
        tags: dict[int, dict[str, str]] = {}
        for version, key, value in self._connection.execute(
            _TAGS, {"versions": [row.id for row in rows]}
        ):
            tags.setdefault(version, {})[key] = value
        aliases: dict[tuple[int, int], list[str]] = {}
        for model, name, number in self._connection.execute(
            _ALIASES, {"models": list({row.model_id for row in rows})}
        ):
            aliases.setdefault((model, number), []).append(name)
        return [
            _version_of(row, tags.get(row.id, {}), aliases.get((row.model_id, row.number), []))
            for row in rows
        ]

    def passed_into(self, version: int, stage: str) -> bool:
        """Whether a version ever entered the stage through its gate."""
        table = stage_table
        same = (table.c.version_id == version) & (table.c.stage == stage)
        query = select(table.c.id).where(same, table.c.promotion_id.is_not(None)).limit(1)
        return self._connection.execute(query).first() is not None

    def admitted(self, version: Row[Any], stage: str) -> bool:
        """Whether a version is in the stage by its gate, or past it until that is confirmed."""
        return self.passed_into(version.id, stage) or self._override(version, stage) is not None

    def _override(self, version: Row[Any], stage: str) -> str | None:
        table = promotion_table
        query = select(table.c.public_id).where(
            table.c.version_id == version.id, table.c.stage == stage, table.c.state == "overridden"
        )
        return self._connection.scalars(query.limit(1)).first()

    def prove(self, version: int, stage: str, promotion: int) -> None:
        """Count the version's last move into the stage as one through its gate."""
        table = stage_table
        last = select(func.max(table.c.id)).where(
            table.c.version_id == version, table.c.stage == stage
        )
        self._connection.execute(
            update(table).where(table.c.id == last.scalar_subquery()).values(promotion_id=promotion)
        )

    def passed(self, model: str, stage: str) -> list[Row[Any]]:
        """The versions that passed the stage's gate and may be used, the last to enter it first."""
        entered = (
            select(stage_table.c.version_id, func.max(stage_table.c.id).label("last"))
            .where(stage_table.c.stage == stage, stage_table.c.promotion_id.is_not(None))
            .group_by(stage_table.c.version_id)
            .subquery()
        )
        query = (
            _OF_MODEL.join(entered, entered.c.version_id == version_table.c.id)
            .where(version_table.c.state == "active")
            .order_by(None)
            .order_by(entered.c.last.desc())
        )
        given = {"workspace": self._workspace_id, "model": model}
        return list(self._connection.execute(query, given).all())

    def set_state(self, version: int, state: str, reason: str, at: dt.datetime) -> None:
        """Block a version, let it go or revoke it."""
        values = {"state": state, "state_reason": reason, "updated_at": at}
        self._connection.execute(
            update(version_table).where(version_table.c.id == version).values(values)
        )

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
                update(version_table)
                .where(version_table.c.id == key)
                .values(stage=target, updated_at=at)
            )
            values = {"version_id": key, "stage": target, "by": by, "recorded_at": at, **more}
            self._connection.execute(insert(stage_table).values(values))
        for alias in ProtectionStore(self._connection, self._workspace_id).following(stage):
            self.set_alias(version.model_id, alias, version.number)
        self.update_model(version.model_id, {"updated_at": at})
        return None if before is None or before.id == version.id else int(before.number)


def checked_standing(version: Any) -> None:
    """Refuse what gives a version to somebody while it is blocked, or once it is revoked."""
    name = f"{version.model}@{version.number}"
    reasons = standing_blockers(name, version.state, version.state_reason)
    if reasons:
        fix = f"mainspring model unblock {name}" if version.state == "blocked" else None
        raise Blocked(reasons[0], reasons, field="version", fix=fix)


def checked_move(version: Any, stage: str) -> None:
    """Refuse to move a version where it is, or out of production with nothing in its place."""
    checked_standing(version)
    if version.stage == stage:
        raise Conflict(f"{version.model}@{version.number} is in {stage} already", field="version")
    if version.stage == "production":
        raise Conflict(
            f"{version.model}@{version.number} is in production, which would be left empty",
            field="version",
            fix=f"promote another version of {version.model} to production first",
        )


def _version_of(row: Any, tags: dict[str, str], aliases: list[str]) -> ModelVersion:
    return ModelVersion(
        model=row.model,
        version=row.number,
        stage=row.stage,
        state=row.state,
        state_reason=row.state_reason,
        digest=row.digest,
        engine=row.engine,
        task=row.task,
        signature=msgspec.convert(row.signature, Signature),
        files=msgspec.convert(row.files, list[FileEntry]),
        run=row.run,
        trained_model=row.trained_model,
        source=row.source,
        location=row.location,
        run_link=row.run_link,
        description=row.description,
        registered_by=row.registered_by,
        aliases=aliases,
        tags=tags,
        recorded_at=row.recorded_at,
        updated_at=row.updated_at,
    )
