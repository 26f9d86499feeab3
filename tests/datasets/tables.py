"""Tables at random, of all types, each in some of the ways that Arrow can store it."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from tests.datasets.definition import NUMBERS, Columns, Kind

Draw = Callable[[st.SearchStrategy[Any]], Any]
UNITS = ("s", "ms", "us", "ns")
SINGLE = {name: getattr(pa, name)() for name in (*NUMBERS, "null", "date32")}
SINGLE |= {"bool": pa.bool_(), "date": SINGLE["date32"]}
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@dataclass(frozen=True)
class Drawn:
    """A table by its values, and by Arrow."""

    columns: Columns
    rows: int
    table: pa.Table


def kinds() -> st.SearchStrategy[Kind]:
    """Any type."""
    single = [st.just(Kind(name)) for name in [*NUMBERS, "bool", "text", "binary", "date", "null"]]
    moments = st.builds(
        Kind, st.just("timestamp"), unit=st.sampled_from(UNITS),
        zone=st.sampled_from(["", "UTC", "Europe/Paris", "+02:00"]),
    )  # fmt: skip
    spans = st.builds(Kind, st.sampled_from(["time", "duration"]), unit=st.sampled_from(UNITS))
    decimals = st.builds(Kind, st.just("decimal"), scale=st.integers(0, 9))
    return st.recursive(
        st.one_of(*single, moments, spans, decimals),
        lambda inner: st.one_of(
            st.builds(Kind, st.just("list"), items=inner),
            st.builds(
                Kind,
                st.just("struct"),
                fields=st.lists(st.tuples(NAMES, inner), min_size=1, max_size=3, unique_by=_name)
                .map(tuple),
            ),
        ),
        max_leaves=3,
    )  # fmt: skip


def _name(field: tuple[str, Kind]) -> str:
    return field[0]


def values_of(kind: Kind) -> st.SearchStrategy[Any]:
    """Any value of a type, or none."""
    if kind.name in NUMBERS:
        return st.none() | _numbers(kind.name)
    if kind.items is not None:
        return st.none() | st.lists(values_of(kind.items), max_size=4)
    if kind.name == "struct":
        fields = {name: values_of(of) for name, of in kind.fields}
        return st.none() | st.fixed_dictionaries(fields)
    day = 86_400 * (10**9 // {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}.get(kind.unit, 1))
    single = {
        "bool": st.booleans(),
        "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
        "binary": st.binary(max_size=12),
        "date": st.integers(-(2**31), 2**31 - 1),
        "time": st.integers(0, day - 1),
        "timestamp": st.integers(-(2**63), 2**63 - 1),
        "duration": st.integers(-(2**63), 2**63 - 1),
        "decimal": st.integers(-(10**18) + 1, 10**18 - 1),
        "null": st.none(),
    }
    return st.none() | single[kind.name]


def _numbers(name: str) -> st.SearchStrategy[Any]:
    width = int("".join(filter(str.isdigit, name)))
    if name.startswith("float"):
        return st.floats(width=width)  # type: ignore[arg-type]
    low = 0 if name.startswith("u") else -(2 ** (width - 1))
    return st.integers(low, low + 2**width - 1)


def stored_as(draw: Draw, kind: Kind) -> pa.DataType:
    """One of the ways in which Arrow stores the type."""
    if kind.items is not None:
        lists = (pa.list_, pa.large_list, pa.list_view, pa.large_list_view)
        return draw(st.sampled_from(lists))(stored_as(draw, kind.items))
    if kind.name == "struct":
        return pa.struct([pa.field(name, stored_as(draw, of)) for name, of in kind.fields])
    return draw(st.sampled_from(_ways(kind)))


def _ways(kind: Kind) -> list[pa.DataType]:
    if kind.unit:
        time = pa.time32 if kind.unit in ("s", "ms") else pa.time64
        made = {"time": time, "duration": pa.duration}.get(kind.name)
        return [made(kind.unit) if made else pa.timestamp(kind.unit, kind.zone or None)]
    if kind.name == "decimal":
        return [of(18, kind.scale) for of in (pa.decimal64, pa.decimal128, pa.decimal256)]
    ways = {
        "text": [pa.string(), pa.large_string(), pa.string_view()],
        "binary": [pa.binary(), pa.large_binary(), pa.binary_view()],
    }
    return ways.get(kind.name) or [SINGLE[kind.name]]


def arrow(kind: Kind, value: Any) -> Any:
    """A value as Arrow wants to be given it."""
    if value is None:
        return None
    if kind.name == "decimal":
        digits = tuple(int(digit) for digit in str(abs(value)))
        return decimal.Decimal((int(value < 0), digits, -kind.scale))
    if kind.items is not None:
        return [arrow(kind.items, item) for item in value]
    if kind.name == "struct":
        return {name: arrow(of, value[name]) for name, of in kind.fields}
    return value


def array(draw: Draw, kind: Kind, values: list[Any]) -> pa.ChunkedArray:
    """The values in chunks."""
    of = stored_as(draw, kind)
    whole = pa.array([arrow(kind, value) for value in values], of)
    cut = draw(st.integers(0, len(values)))
    return pa.chunked_array([whole.slice(0, cut), whole.slice(cut)], of)


@st.composite
def tables(draw: Draw, most_rows: int = 20) -> Drawn:
    """Any table."""
    rows = draw(st.integers(0, most_rows))
    columns = [
        (name, kind, draw(st.lists(values_of(kind), min_size=rows, max_size=rows)))
        for name, kind in draw(st.lists(st.tuples(NAMES, kinds()), min_size=1, max_size=4))
    ]
    return Drawn(columns, rows, stored(draw, columns))


def stored(draw: Draw, columns: Columns) -> pa.Table:
    """The columns as a table of Arrow's, in one of many ways."""
    arrays = [array(draw, kind, list(values)) for _, kind, values in columns]
    return pa.Table.from_arrays(arrays, names=[name for name, _, _ in columns])
