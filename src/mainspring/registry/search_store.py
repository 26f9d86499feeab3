"""Finding the models and versions that fit a filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Table,
    func,
    select,
    type_coerce,
)

from mainspring.core.clock import from_micros
from mainspring.core.grammar import Comparison, Order
from mainspring.core.keyset import Slot, Values, beyond, bytewise, order_of
from mainspring.core.listed import among, as_object, keys_text
from mainspring.core.matching import Matching, all_of, fitting, millis, number
from mainspring.core.name_patterns import Patterns
from mainspring.core.prepared import Prepared
from mainspring.registry.model import ModelKind
from mainspring.registry.search_contract import FoundModel, FoundVersion
from mainspring.registry.tables import (
    alias_table,
    model_table,
    model_tag_table,
    version_table,
    version_tag_table,
)

STAGES = ("development", "staging", "production", "archived")
_M, _V, _A = model_table.c, version_table.c, alias_table.c
_CHANGED: ColumnElement[int] = type_coerce(func.coalesce(_M.updated_at, _M.recorded_at), BigInteger)
_MODEL_TIMES: dict[str, ColumnElement[int]] = {
    "creation_timestamp": type_coerce(_M.recorded_at, BigInteger),
    "last_updated_timestamp": _CHANGED,
}
_VERSION_TIMES: dict[str, ColumnElement[int]] = {
    "creation_timestamp": type_coerce(_V.recorded_at, BigInteger),
    "last_updated_timestamp": type_coerce(func.coalesce(_V.updated_at, _V.recorded_at), BigInteger),
}
_VERSION_TEXTS: dict[str, ColumnElement[str]] = {
    "name": _M.name,
    "run_id": _V.run,
    "source_path": _V.source,
}
_BY_NAME = (Order("attribute", "name"),)
_LAST_CHANGED = (
    Order("attribute", "last_updated_timestamp", ascending=False),
    Order("attribute", "name"),
    Order("attribute", "version_number", ascending=False),
)
_decode_texts = msgspec.json.Decoder(dict[str, str]).decode
_decode_numbers = msgspec.json.Decoder(dict[str, int]).decode


def _tags_of(table: Table, owner: Any) -> Prepared:
    statement = select(owner, as_object(table.c.key, table.c.value))
    return Prepared(statement.where(among(owner)).group_by(owner), "keys")


_MODEL_TAGS = _tags_of(model_tag_table, model_tag_table.c.model_id)
_VERSION_TAGS = _tags_of(version_tag_table, version_tag_table.c.version_id)
_ALIASES = Prepared(
    select(_A.model_id, as_object(_A.name, _A.version))
    .where(among(_A.model_id))
    .group_by(_A.model_id),
    "keys",
)
_MODELS = Prepared(
    select(_M.id, _M.name, _M.kind, _M.owner, _M.description, _M.recorded_at, _M.updated_at).where(
        among(_M.id)
    ),
    "keys",
)
_VERSIONS = Prepared(
    select(
        _V.id, _V.model_id, _M.name, _V.number, _V.stage, _V.digest, _V.run, _V.trained_model,
        _V.source, _V.run_link, _V.description, _V.registered_by, _V.recorded_at, _V.updated_at,
    ).join(model_table, _M.id == _V.model_id).where(among(_V.id)),
    "keys",
)  # fmt: skip


def _newest(stage: str) -> ColumnElement[int]:
    return (
        select(_V.id)
        .where(_V.model_id == _M.id, _V.stage == stage, _V.deleted_at.is_(None))
        .order_by(_V.number.desc())
        .limit(1)
        .correlate(model_table)
        .scalar_subquery()
    )


_LATEST = Prepared(select(*(_newest(stage) for stage in STAGES)).where(among(_M.id)), "keys")


class RegistrySearchStore:
    """Searches the models and versions of one workspace."""

    def __init__(
        self, connection: Connection, workspace_id: int, patterns: Patterns = None
    ) -> None:
        self._connection = connection
        self._within = fitting(_M.name, patterns, connection.dialect.name)
        self._workspace_id = workspace_id
        self._matching = Matching(connection.dialect.name)

    def model_slots(self, orders: Sequence[Order]) -> list[Slot]:
        """What a page of models is sorted by."""
        found = [
            Slot(bytewise(_M.name), str, order.ascending)
            if order.key == "name"
            else Slot(_MODEL_TIMES[order.key], int, order.ascending)
            for order in orders or _BY_NAME
        ]
        if not any(order.key == "name" for order in orders or _BY_NAME):
            found.append(Slot(bytewise(_M.name), str))
        return found

    def version_slots(self, orders: Sequence[Order]) -> list[Slot]:
        """What a page of versions is sorted by."""
        orders = orders or _LAST_CHANGED
        named = {order.key for order in orders}
        more = [
            order
            for order in (
                Order("attribute", "name"),
                Order("attribute", "version_number", ascending=False),
            )
            if order.key not in named
        ]
        return [_version_slot(order) for order in [*orders, *more]]

    def models(
        self,
        kind: ModelKind,
        comparisons: Sequence[Comparison],
        slots: Sequence[Slot],
        after: Values | None,
        limit: int,
    ) -> list[tuple[int, Values]]:
        """The keys of at most so many models after the one with the values, each with its own."""
        conditions = [_M.workspace_id == self._workspace_id, _M.kind == kind, self._within]
        conditions += [
            millis(_MODEL_TIMES[one.key], one)
            if one.key in _MODEL_TIMES
            else self._matching.text(_M.name, one)
            for one in comparisons
            if one.kind == "attribute"
        ]
        conditions += self._tagged(comparisons, model_tag_table, _M.id)
        query = select(_M.id, *(slot.expression for slot in slots))
        return self._page(query.where(all_of(conditions)), slots, after, limit)

    def versions(
        self,
        kind: ModelKind,
        comparisons: Sequence[Comparison],
        slots: Sequence[Slot],
        after: Values | None,
        limit: int,
    ) -> list[tuple[int, Values]]:
        """The keys of at most so many versions after the one with the values, each with its own."""
        conditions = [
            _M.workspace_id == self._workspace_id, _M.kind == kind, self._within,
            _V.deleted_at.is_(None),
        ]  # fmt: skip
        conditions += [
            self._version_attribute(one) for one in comparisons if one.kind == "attribute"
        ]
        conditions += self._tagged(comparisons, version_tag_table, _V.id)
        query = select(_V.id, *(slot.expression for slot in slots))
        query = query.join(model_table, _M.id == _V.model_id)
        return self._page(query.where(all_of(conditions)), slots, after, limit)

    def found_models(self, keys: Sequence[int]) -> list[FoundModel]:
        """The models of the keys, in their order, each with its newest version in each stage."""
        if not keys:
            return []
        wanted = keys_text(keys)
        tags, aliases = self._texts(_MODEL_TAGS, wanted), self._aliases(wanted)
        newest = [
            key for row in _LATEST.rows(self._connection, wanted) for key in row if key is not None
        ]
        latest: dict[str, list[FoundVersion]] = {}
        for version in self.found_versions(newest):
            latest.setdefault(version.model, []).append(version)
        found = {
            row[0]: FoundModel(
                name=row[1],
                kind=row[2],
                owner=row[3],
                description=row[4],
                aliases=aliases.get(row[0], {}),
                tags=tags.get(row[0], {}),
                latest=latest.get(row[1], []),
                recorded_at=from_micros(row[5]),
                updated_at=None if row[6] is None else from_micros(row[6]),
            )
            for row in _MODELS.rows(self._connection, wanted)
        }
        return [found[key] for key in keys]

    def found_versions(self, keys: Sequence[int]) -> list[FoundVersion]:
        """The versions of the keys, in their order."""
        if not keys:
            return []
        wanted = keys_text(keys)
        tags = self._texts(_VERSION_TAGS, wanted)
        rows = _VERSIONS.rows(self._connection, wanted)
        names: dict[tuple[int, int], list[str]] = {}
        for model, aliases in self._aliases(keys_text(sorted({row[1] for row in rows}))).items():
            for alias, number_ in aliases.items():
                names.setdefault((model, number_), []).append(alias)
        found = {
            row[0]: FoundVersion(
                model=row[2],
                version=row[3],
                stage=row[4],
                digest=row[5],
                run=row[6],
                trained_model=row[7],
                source=row[8],
                run_link=row[9],
                description=row[10],
                registered_by=row[11],
                aliases=names.get((row[1], row[3]), []),
                tags=tags.get(row[0], {}),
                recorded_at=from_micros(row[12]),
                updated_at=None if row[13] is None else from_micros(row[13]),
            )
            for row in rows
        }
        return [found[key] for key in keys]

    def _page(
        self, query: Any, slots: Sequence[Slot], after: Values | None, limit: int
    ) -> list[tuple[int, Values]]:
        if after is not None:
            query = query.where(beyond(slots, after))
        rows = self._connection.execute(query.order_by(*order_of(slots)).limit(limit))
        return [(row[0], tuple(row[1:])) for row in rows]

    def _version_attribute(self, one: Comparison) -> ColumnElement[bool]:
        if one.key in _VERSION_TIMES:
            return millis(_VERSION_TIMES[one.key], one)
        if one.key == "version_number":
            return number(_V.number, one)
        return self._matching.text(_VERSION_TEXTS[one.key], one)

    def _tagged(
        self, comparisons: Sequence[Comparison], table: Table, key: ColumnElement[int]
    ) -> list[ColumnElement[bool]]:
        """Whether the thing has a tag that fits all that is said of it."""
        by_key: dict[str, list[Comparison]] = {}
        for one in comparisons:
            if one.kind == "tag":
                by_key.setdefault(one.key, []).append(one)
        owner = next(iter(table.c))
        return [
            key.in_(
                select(owner).where(
                    table.c.key == name,
                    all_of([self._matching.text(table.c.value, one, indexed=True) for one in said]),
                )
            )
            for name, said in by_key.items()
        ]

    def _texts(self, statement: Prepared, wanted: str) -> dict[int, dict[str, str]]:
        rows = statement.rows(self._connection, wanted)
        return {key: _decode_texts(text) for key, text in rows}

    def _aliases(self, wanted: str) -> dict[int, dict[str, int]]:
        rows = _ALIASES.rows(self._connection, wanted)
        return {key: _decode_numbers(text) for key, text in rows}


def _version_slot(order: Order) -> Slot:
    if order.key == "name":
        return Slot(bytewise(_M.name), str, order.ascending)
    if order.key == "version_number":
        return Slot(_V.number, int, order.ascending)
    return Slot(_VERSION_TIMES[order.key], int, order.ascending)
