"""The rows of the catalogue: tags, sources, stages without gates, and what is deleted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from mainspring.registry.promotion import UNDONE_STATES
from mainspring.registry.tables import (
    alias_table,
    model_table,
    model_tag_table,
    policy_table,
    promotion_table,
    stage_table,
    suite_table,
    version_engine_table,
    version_table,
    version_tag_table,
)
from mainspring.tracking.contract import FileEntry
from mainspring.tracking.tables import (
    artifact_table,
    experiment_table,
    run_table,
    trained_model_table,
)

_FILES = (
    select(artifact_table.c.path, artifact_table.c.digest, artifact_table.c.size)
    .where(
        artifact_table.c.workspace_id == bindparam("workspace"),
        artifact_table.c.place == bindparam("place"),
        or_(
            bindparam("prefix") == "",
            artifact_table.c.path == bindparam("prefix"),
            # '0' follows '/': between them lie the paths below the folder, and the key finds them.
            and_(
                artifact_table.c.path >= bindparam("below"),
                artifact_table.c.path < bindparam("beyond"),
            ),
        ),
    )
    .order_by(artifact_table.c.path)
)
_TRAINED = (
    select(
        trained_model_table,
        run_table.c.public_id.label("run"),
        experiment_table.c.artifact_location.label("kept"),
    )
    .join(experiment_table, experiment_table.c.id == trained_model_table.c.experiment_id)
    .outerjoin(run_table, run_table.c.id == trained_model_table.c.run_id)
    .where(
        trained_model_table.c.workspace_id == bindparam("workspace"),
        trained_model_table.c.public_id == bindparam("public_id"),
        trained_model_table.c.deleted_at.is_(None),
    )
)
_RUN = (
    select(experiment_table.c.artifact_location)
    .join(run_table, run_table.c.experiment_id == experiment_table.c.id)
    .where(
        run_table.c.workspace_id == bindparam("workspace"),
        run_table.c.public_id == bindparam("public_id"),
    )
)
_GATES = (
    select(suite_table.c.stage)
    .where(
        suite_table.c.workspace_id == bindparam("workspace"),
        suite_table.c.model == bindparam("model"),
    )
    .distinct()
)


class CatalogStore:
    """The catalogue of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def files(self, place: str, prefix: str) -> list[FileEntry]:
        """The files below a folder of a place as they are now, by their paths in that folder."""
        folder = prefix.strip("/")
        given = {"place": place, "prefix": folder, "below": f"{folder}/", "beyond": f"{folder}0"}
        rows = self._connection.execute(_FILES, {"workspace": self._workspace_id, **given})
        return [
            FileEntry(path=_below(path, folder), digest=digest, size=size)
            for path, digest, size in rows
        ]

    def freeze(self, place: str, prefix: str) -> None:
        """Keep the files below a folder of a place as they are from now on."""
        table, folder = artifact_table.c, prefix.strip("/")
        within = (table.workspace_id == self._workspace_id) & (table.place == place)
        if folder:
            below = (table.path >= f"{folder}/") & (table.path < f"{folder}0")
            within &= (table.path == folder) | below
        self._connection.execute(update(artifact_table).where(within).values(frozen=True))

    def trained_model(self, public_id: str) -> Row[Any] | None:
        """A trained model with the run that made it."""
        given = {"workspace": self._workspace_id, "public_id": public_id}
        return self._connection.execute(_TRAINED, given).one_or_none()

    def kept(self, run: str) -> str | None:
        """Where the run's experiment keeps files, empty for our own store; None if no run is here."""
        given = {"workspace": self._workspace_id, "public_id": run}
        return self._connection.execute(_RUN, given).scalar_one_or_none()

    def tag(self, table: Table, owner: int, key: str, value: str) -> None:
        """Set a tag of a model or version."""
        column = next(iter(table.primary_key.columns))
        same = (column == owner) & (table.c.key == key)
        done = self._connection.execute(update(table).where(same).values(value=value))
        if done.rowcount == 0:
            self.add_tags(table, owner, {key: value})

    def add_tags(self, table: Table, owner: int, tags: Mapping[str, str]) -> None:
        """The first tags of a model or version."""
        column = next(iter(table.primary_key.columns)).name
        if tags:
            rows = [{column: owner, "key": key, "value": value} for key, value in tags.items()]
            self._connection.execute(insert(table), rows)

    def untag(self, table: Table, owner: int, key: str) -> bool:
        """Take a tag off; answers whether it was there."""
        column = next(iter(table.primary_key.columns))
        same = (column == owner) & (table.c.key == key)
        return self._connection.execute(delete(table).where(same)).rowcount > 0

    def latest(self, model: int, stages: Sequence[str]) -> list[int]:
        """The keys of the newest version in each of the stages."""
        found: list[int] = []
        for stage in stages:
            query = (
                select(version_table.c.id)
                .where(
                    version_table.c.model_id == model,
                    version_table.c.stage == stage,
                    version_table.c.deleted_at.is_(None),
                )
                .order_by(version_table.c.number.desc())
                .limit(1)
            )
            found += self._connection.scalars(query).all()
        return found

    def gates(self, model: str) -> list[str]:
        """The stages for which a suite was declared under the model's name."""
        given = {"workspace": self._workspace_id, "model": model}
        return sorted(self._connection.scalars(_GATES, given).all())

    def policies(self, model: str) -> list[str]:
        """The standing policies that name the model."""
        query = select(policy_table.c.name).where(
            policy_table.c.workspace_id == self._workspace_id, policy_table.c.model == model
        )
        return sorted(self._connection.scalars(query).all())

    def promotions(
        self, model: int, version: int | None = None, *, all_of_them: bool
    ) -> list[Row[Any]]:
        """Promotions of a model's versions, or of one: all, or those that are open or were done."""
        query = (
            select(promotion_table, version_table.c.number)
            .join(version_table, version_table.c.id == promotion_table.c.version_id)
            .where(version_table.c.model_id == model)
            .order_by(promotion_table.c.id)
            .limit(20)
        )
        if version is not None:
            query = query.where(promotion_table.c.version_id == version)
        if not all_of_them:
            binding = {*UNDONE_STATES, "promoted", "confirmed", "returned"}
            query = query.where(promotion_table.c.state.in_(binding))
        return [*self._connection.execute(query)]

    def staged_everywhere(self, stage: str) -> list[tuple[str, int, int]]:
        """What is in a stage, of every model: its name, its key, the version's number."""
        rows = self._connection.execute(
            select(model_table.c.name, model_table.c.id, version_table.c.number)
            .join(version_table, version_table.c.model_id == model_table.c.id)
            .where(
                model_table.c.workspace_id == self._workspace_id,
                version_table.c.stage == stage,
                version_table.c.deleted_at.is_(None),
            )
            .order_by(model_table.c.name, version_table.c.number)
        )
        return [(name, key, number) for name, key, number in rows]

    def aliased_outside(self, alias: str, stage: str) -> list[str]:
        """The versions of any model that an alias points at and that are not in the stage."""
        rows = self._connection.execute(
            select(model_table.c.name, alias_table.c.version)
            .join(alias_table, alias_table.c.model_id == model_table.c.id)
            .join(
                version_table,
                (version_table.c.model_id == model_table.c.id)
                & (version_table.c.number == alias_table.c.version),
            )
            .where(
                model_table.c.workspace_id == self._workspace_id,
                model_table.c.kind == "model",
                alias_table.c.name == alias,
                version_table.c.stage != stage,
            )
            .order_by(model_table.c.name)
            .limit(10)
        )
        return [f"{name}@{number}" for name, number in rows]

    def aliased(self, alias: str) -> list[str]:
        """The versions that an alias of any model points at."""
        query = (
            select(model_table.c.name, alias_table.c.version)
            .join(alias_table, alias_table.c.model_id == model_table.c.id)
            .where(
                model_table.c.workspace_id == self._workspace_id,
                model_table.c.kind == "model",
                alias_table.c.name == alias,
            )
            .order_by(model_table.c.name)
            .limit(10)
        )
        return [f"{name}@{number}" for name, number in self._connection.execute(query)]

    def unproven(
        self, stage: str, model: str | None = None, risk_tier: str | None = None
    ) -> list[tuple[str, int]]:
        """The versions that are in a stage without having passed its gate, by model and number."""
        passed = exists().where(
            stage_table.c.version_id == version_table.c.id,
            stage_table.c.stage == stage,
            stage_table.c.promotion_id.is_not(None),
        )
        query = (
            select(model_table.c.name, version_table.c.number)
            .join(model_table, model_table.c.id == version_table.c.model_id)
            .where(
                model_table.c.workspace_id == self._workspace_id,
                version_table.c.stage == stage,
                version_table.c.deleted_at.is_(None),
                ~passed,
            )
            .order_by(model_table.c.name, version_table.c.number)
            .limit(10)
        )
        if model is not None:
            query = query.where(model_table.c.name == model)
        if risk_tier is not None:
            query = query.where(model_table.c.risk_tier == risk_tier)
        return [(name, number) for name, number in self._connection.execute(query)]

    def others_in(self, version: Any, stage: str) -> list[Row[Any]]:
        """The other versions of the model that are in a stage."""
        query = (
            select(version_table.c.id, version_table.c.number)
            .where(
                version_table.c.model_id == version.model_id,
                version_table.c.stage == stage,
                version_table.c.id != version.id,
                version_table.c.deleted_at.is_(None),
            )
            .order_by(version_table.c.number)
        )
        return [*self._connection.execute(query)]

    def put_into(self, keys: Sequence[int], stage: str, by: str, at: dt.datetime) -> None:
        """Move versions to a stage without a gate, and write that down."""
        if not keys:
            return
        table = version_table
        self._connection.execute(
            update(table).where(table.c.id.in_(keys)).values(stage=stage, updated_at=at)
        )
        row = {"stage": stage, "by": by, "recorded_at": at}
        self._connection.execute(insert(stage_table), [{"version_id": key, **row} for key in keys])

    def update_version(self, key: int, **values: Any) -> None:
        """Change what is said of a version."""
        self._connection.execute(
            update(version_table).where(version_table.c.id == key).values(**values)
        )

    def drop_aliases(self, version: Any) -> list[str]:
        """Forget what points at a version; answers the aliases."""
        same = (alias_table.c.model_id == version.model_id) & (
            alias_table.c.version == version.number
        )
        names = self._connection.scalars(select(alias_table.c.name).where(same)).all()
        if names:
            self._connection.execute(delete(alias_table).where(same))
        return sorted(names)

    def count_versions(self, model: int) -> int:
        """How many versions there are that nobody deleted."""
        query = select(func.count()).where(
            version_table.c.model_id == model, version_table.c.deleted_at.is_(None)
        )
        return int(self._connection.execute(query).scalar_one())

    def erase(self, model: int) -> None:
        """Remove a model with all its versions."""
        versions = select(version_table.c.id).where(version_table.c.model_id == model)
        for table in (version_tag_table, version_engine_table, stage_table):
            self._connection.execute(delete(table).where(table.c.version_id.in_(versions)))
        for table in (alias_table, model_tag_table, version_table):
            self._connection.execute(delete(table).where(table.c.model_id == model))
        self._connection.execute(delete(model_table).where(model_table.c.id == model))


def _below(path: str, folder: str) -> str:
    if not folder:
        return path
    return path.rpartition("/")[2] if path == folder else path[len(folder) + 1 :]
