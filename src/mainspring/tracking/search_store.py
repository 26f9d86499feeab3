"""Finding the runs that fit a filter, in order, a page at a time.

Every filter and every order can be answered from the runs of the experiments, one by one. That is slow
where there are many; so it is first looked (in indexes, and not far) how many rows the parts of the
question have. Then either the smallest part is gathered and sorted, or an index that is in the wanted
order is read until the page is full.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    case,
    func,
    literal,
    null,
    select,
)

from mainspring.core.grammar import Comparison, Order
from mainspring.core.keyset import Slot, Values, beyond, order_of, still
from mainspring.core.listed import among, keys_text
from mainspring.core.matching import Matching, all_of
from mainspring.tracking.run_condition_store import Conditions, Group, Scope
from mainspring.tracking.run_sorting_store import (
    MISSING,
    NOT_A_NUMBER,
    VALUED,
    Sorting,
    sorting,
    table_of,
    value_of,
)
from mainspring.tracking.search_contract import View
from mainspring.tracking.tables import experiment_table, run_table

_R = run_table.c
Found = tuple[int, Values]
"""A run's key and what it is sorted by."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How many rows are worth what."""

    gathered: int = 5_000
    """So many are gathered and sorted without ado."""
    listed: int = 20_000
    """So many runs are listed once, and not looked up one by one."""
    looked_through: int = 200_000
    """So many values are looked through to see which are like a pattern."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked."""

    scope: Scope
    comparisons: Sequence[Comparison]
    orders: Sequence[Order]


class SearchStore:
    """Searches the runs of one workspace."""

    def __init__(
        self, connection: Connection, workspace_id: int, effort: Effort | None = None
    ) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._effort = effort or Effort()

    def scope(self, experiments: Sequence[str], view: View) -> Scope | None:
        """The scope of the experiments with the ids; None if there are none such."""
        if not experiments:
            return Scope(self._workspace_id, None, view)
        table = experiment_table.c
        keys = self._connection.scalars(
            select(table.id).where(
                table.workspace_id == self._workspace_id,
                among(table.public_id, keys_text(sorted(set(experiments)))),
            )
        ).all()
        return Scope(self._workspace_id, tuple(keys), view) if keys else None

    def slots(self, orders: Sequence[Order]) -> list[Slot]:
        """What a page's token holds the values of."""
        return sorting(orders).slots

    def page(self, question: Question, after: Values | None, limit: int) -> list[Found]:
        """The keys of at most so many runs after the one with the values, each with its own."""
        search = _Search(self._connection, question, after, self._effort)
        found: list[Found] = []
        for statement, rank in search.statements():
            cursor = self._connection.execute(statement.limit(limit - len(found))).cursor
            assert cursor is not None
            rows = cursor.fetchall()
            found += [(row[0], row[1:] if rank is None else (rank, *row[1:])) for row in rows]
            if len(found) >= limit:
                break
        return found

    def count(self, question: Question) -> int:
        """How many runs fit, on whatever page."""
        return _Search(self._connection, question, None, self._effort).count()


class _Search:
    """One question, and the way in which it is answered."""

    def __init__(
        self, connection: Connection, question: Question, after: Values | None, effort: Effort
    ) -> None:
        self._connection = connection
        self._effort = effort
        self._question = question
        self._scope = question.scope
        self._after = after
        self._sorting: Sorting = sorting(question.orders)
        self._conditions = Conditions(
            Matching(connection.dialect.name), question.scope.workspace, question.comparisons
        )
        self._counts: dict[Group, int | None] = {}

    def statements(self) -> Iterator[tuple[Select[Any], int | None]]:
        """The statements whose rows, one after another, are the answer; each with its rank."""
        groups = self._conditions.groups
        if any(group.impossible for group in groups):
            return
        if self._conditions.names_runs:
            yield self._from_runs(leading=False), None
            return
        if self._few_runs():
            yield self._from_runs(leading=True), None
            return
        self._counts = {group: self._count(group) for group in groups if not group.absent}
        known = [
            (count, place)
            for place, group in enumerate(groups)
            if (count := self._counts.get(group)) is not None
        ]
        if known and min(known)[0] <= self._effort.gathered:
            yield self._from_group(groups[min(known)[1]]), None
            return
        orders = self._question.orders
        if orders and orders[0].kind in ("metric", "param", "tag"):
            yield from self._in_order(orders[0])
            return
        yield self._from_runs(leading=True), None

    def count(self) -> int:
        """How many runs there are on all pages."""
        groups = self._conditions.groups
        if any(group.impossible for group in groups):
            return 0
        self._counts = {group: self._count(group) for group in groups if not group.absent}
        leading = not self._conditions.names_runs
        conditions = [*self._scope.conditions(leading=leading), *self._rest(())]
        start = self._sorting.joined(run_table)
        return self._number(select(func.count()).select_from(start).where(all_of(conditions)))

    def _few_runs(self) -> bool:
        owner = self._scope.conditions(leading=True)[0]
        some = (
            select(literal(1)).select_from(run_table).where(owner).limit(self._effort.gathered + 1)
        )
        return (
            self._number(select(func.count()).select_from(some.subquery())) <= self._effort.gathered
        )

    def _count(self, group: Group) -> int | None:
        """How many rows a group has, if that is soon found out."""
        table = group.table
        rest = self._conditions.on_row(group, table, in_order=False)
        most = self._effort.looked_through if rest else self._effort.listed + 1
        fits = case((all_of(rest), 1), else_=0) if rest else literal(1)
        some = (
            select(fits.label("fits"))
            .select_from(table)
            .where(
                table.c.key == group.key,
                *self._conditions.on_row(group, table, in_order=True),
            )
            .limit(most)
            .subquery()
        )
        total, fitting = self._connection.execute(
            select(func.count(), func.sum(some.c.fits)).select_from(some)
        ).one()
        return None if total >= most else int(fitting or 0)

    def _number(self, query: Select[Any]) -> int:
        return int(self._connection.execute(query).scalar_one())

    def _select(self, start: FromClause, conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
        slots = self._sorting.slots
        query = (
            select(_R.id, *(slot.expression for slot in slots))
            .select_from(self._sorting.joined(start))
            .where(all_of(conditions))
            .order_by(*order_of(slots))
        )
        return query if self._after is None else query.where(beyond(slots, self._after))

    def _from_runs(self, *, leading: bool) -> Select[Any]:
        """All runs of the scope, each looked at; in the order of an index if that is asked for."""
        return self._select(run_table, [*self._scope.conditions(leading=leading), *self._rest(())])

    def _from_group(self, group: Group) -> Select[Any]:
        """The few runs that have a row of the group, sorted."""
        source = group.table.alias("chosen")
        conditions = [
            source.c.key == group.key,
            *self._conditions.on_row(group, source),
            *self._scope.conditions(leading=False),
            *self._rest((group,)),
        ]
        return self._select(source.join(run_table, _R.id == source.c.run_id), conditions)

    def _rest(self, done: Sequence[Group]) -> list[ColumnElement[bool]]:
        found = self._conditions.on_runs()
        for group in self._conditions.groups:
            if group in done:
                continue
            count = self._counts.get(group)
            few = count is not None and count <= self._effort.listed
            found.append(
                self._conditions.listed(group) if few else self._conditions.looked_up(group)
            )
        return found

    def _in_order(self, order: Order) -> Iterator[tuple[Select[Any], int]]:
        """First the runs with a value, as the index has them; then NaN; then those without a row."""
        same = [
            group
            for group in self._conditions.groups
            if (group.table, group.key) == (table_of(order.kind), order.key)
        ]
        start = VALUED if self._after is None else self._after[0]
        absent = any(group.absent for group in same)
        ranks = [VALUED] if order.kind != "metric" else [VALUED, NOT_A_NUMBER]
        for rank in ranks:
            if rank >= start and not absent:
                yield self._with_row(order, rank, same), rank
        if absent or not same:
            yield self._without_row(order, same), MISSING

    def _with_row(self, order: Order, rank: int, same: Sequence[Group]) -> Select[Any]:
        source = self._sorting.sources[0][1]
        value = value_of(order.kind, source)
        conditions = [
            source.c.key == order.key,
            value.is_not(None) if rank == VALUED else value.is_(None),
            *(one for group in same for one in self._conditions.on_row(group, source)),
            *self._scope.conditions(leading=False),
            *self._rest(same),
        ]
        return self._ranked(source.join(run_table, _R.id == source.c.run_id), conditions, rank)

    def _without_row(self, order: Order, same: Sequence[Group]) -> Select[Any]:
        table = table_of(order.kind)
        having = select(table.c.run_id).where(table.c.key == order.key)
        some = having.limit(self._effort.looked_through + 1).subquery()
        if self._number(select(func.count()).select_from(some)) <= self._effort.looked_through:
            without: ColumnElement[bool] = still(_R.id).not_in(having)
        else:
            without = ~having.where(table.c.run_id == _R.id).correlate(run_table).exists()
        conditions = [*self._scope.conditions(leading=True), without, *self._rest(same)]
        return self._ranked(run_table, conditions, MISSING)

    def _ranked(
        self, start: FromClause, conditions: Sequence[ColumnElement[bool]], rank: int
    ) -> Select[Any]:
        """As `_select`, for rows that are all of one rank in the first order."""
        slots = self._sorting.slots
        ordered = slots[1:] if rank == VALUED else slots[2:]
        value = slots[1].expression if rank == VALUED else null()
        query = (
            select(_R.id, value, *(slot.expression for slot in slots[2:]))
            .select_from(self._sorting.joined(start, 1))
            .where(all_of(conditions))
            .order_by(*order_of(ordered))
        )
        if self._after is None or self._after[0] != rank:
            return query
        return query.where(beyond(ordered, self._after[-len(ordered) :]))
