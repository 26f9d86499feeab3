"""Comparisons of a filter as SQL that means the same on SQLite and PostgreSQL."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from mainspring.core.grammar import Comparison
from mainspring.core.name_patterns import Patterns, literal

_SIZES: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NEGATIVE = frozenset({"!=", "NOT IN"})
"""The comparators that all words of a thing must satisfy; of the others, any."""
BEGINNING = 200
"""Letters of a value that PostgreSQL indexes."""
_AT_ONCE = 50
_FARTHEST_MILLIS = 9e15


class Matching:
    """Writes conditions for one kind of database."""

    def __init__(self, dialect: str) -> None:
        self._sqlite = dialect == "sqlite"

    def text(
        self, column: ColumnElement[Any], comparison: Comparison, *, indexed: bool = False
    ) -> ColumnElement[bool]:
        """Whether a text compares so; `indexed` if its beginning has an index on PostgreSQL."""
        comparator, value = comparison.comparator, comparison.value
        if comparator == "LIKE":
            return self._like(column, str(value))
        if comparator == "ILIKE":
            return self._ilike(column, str(value))
        if comparator in ("IN", "NOT IN"):
            assert isinstance(value, tuple)
            found = column.in_(sorted(set(value)))
            return ~found if comparator == "NOT IN" else found
        condition: ColumnElement[bool] = _SIZES[comparator](column, value)
        if indexed and comparator == "=" and not self._sqlite:
            return and_(func.left(column, BEGINNING) == str(value)[:BEGINNING], condition)
        return condition

    def _like(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        if not self._sqlite:
            return column.like(pattern, escape="")
        # SQLite's LIKE takes no heed of case; its GLOB does.
        return column.op("GLOB", is_comparison=True)(_glob(pattern))

    def _ilike(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        if not self._sqlite:
            return column.ilike(pattern, escape="")
        return column.op("LIKE", is_comparison=True)(pattern)


def number(column: ColumnElement[Any], comparison: Comparison) -> ColumnElement[bool]:
    """Whether a number compares so; NULL is NaN, which is different from everything."""
    assert isinstance(comparison.value, int | float)
    condition: ColumnElement[bool] = _SIZES[comparison.comparator](column, float(comparison.value))
    return or_(condition, column.is_(None)) if comparison.comparator == "!=" else condition


def millis(column: ColumnElement[Any], comparison: Comparison) -> ColumnElement[bool]:
    """Whether a column of microseconds compares so with a number of whole milliseconds."""
    assert isinstance(comparison.value, int | float)
    value = min(max(comparison.value, -_FARTHEST_MILLIS), _FARTHEST_MILLIS)
    begins, ends = math.ceil(value) * 1000, (math.floor(value) + 1) * 1000
    conditions: dict[str, ColumnElement[bool]] = {
        "<": column < begins,
        "<=": column < ends,
        ">": column >= ends,
        ">=": column >= begins,
        "=": and_(column >= begins, column < ends),
        "!=": or_(column < begins, column >= ends),
    }
    return conditions[comparison.comparator]


def chosen(words: Sequence[str], comparison: Comparison) -> bool:
    """Whether a thing that goes by these words is meant."""
    matches = [_matches(word, comparison) for word in words]
    return all(matches) if comparison.comparator in NEGATIVE else any(matches)


def _matches(word: str, comparison: Comparison) -> bool:
    comparator, value = comparison.comparator, comparison.value
    if comparator in ("LIKE", "ILIKE"):
        flags = re.IGNORECASE if comparator == "ILIKE" else 0
        return re.fullmatch(_regex(str(value)), word, flags | re.DOTALL) is not None
    if comparator in ("IN", "NOT IN"):
        assert isinstance(value, tuple)
        return (word in value) == (comparator == "IN")
    matches: bool = _SIZES[comparator](word, value)
    return matches


def fitting(column: ColumnElement[Any], patterns: Patterns, dialect: str) -> ColumnElement[bool]:
    """The condition that one of the patterns matches."""
    if patterns is None:
        return true()
    if dialect == "sqlite":  # whose LIKE takes no heed of case
        return or_(*(column.op("GLOB", is_comparison=True)(literal(one)) for one in patterns))
    return or_(*(column.like(_pattern_like(one), escape="\\") for one in patterns))


def all_of(conditions: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """All conditions, nested: SQLite takes no chain of a thousand."""
    if not conditions:
        return true()
    groups = [
        together(and_(*conditions[place : place + _AT_ONCE]))
        for place in range(0, len(conditions), _AT_ONCE)
    ]
    return groups[0] if len(groups) == 1 else and_(*groups)


def _glob(pattern: str) -> str:
    escaped = re.sub(r"[*?\[]", lambda found: f"[{found.group()}]", pattern)
    return escaped.replace("%", "*").replace("_", "?")


def _pattern_like(pattern: str) -> str:
    for special in "\\%_":
        pattern = pattern.replace(special, f"\\{special}")
    return pattern.replace("*", "%").replace("?", "_")


def _regex(pattern: str) -> str:
    # Neighbouring wildcards would make the search slow.
    escaped = re.escape(re.sub("%+", "%", pattern))
    return escaped.replace("%", ".*").replace("_", ".")


class together(FunctionElement[bool]):  # noqa: N801
    """Conditions in brackets that SQLAlchemy does not take off."""

    # No Boolean: SQLAlchemy would write `= 1` behind it, and SQLite would use no index.
    inherit_cache = True


@compiles(together)
def _together(element: FunctionElement[bool], compiler: Any, **given: Any) -> str:
    return f"({compiler.process(element.clauses, **given)})"
