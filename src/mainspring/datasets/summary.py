"""What is told of each column of a dataset: a bounded document that JSON can say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mainspring.datasets.blocks import BLOCK, Block, column_of, look_at_columns
from mainspring.datasets.glance import Glance, Moments, glance, thinned
from mainspring.datasets.kinds import is_binary, is_list, is_text, plain, type_of

Summary = dict[str, Any]

SAMPLE = 131_072
"""Rows of the sample that quantiles, distinct and most frequent values are taken from."""
CELLS = 8_388_608
"""Of the samples of all columns together: wide tables have shorter ones."""
MOST_COLUMNS = 10_000
"""Described; the digest is over all."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
TOP = 10
FEW = 20
"""So many different numbers are counted one by one."""
LONGEST = 100
"""Characters of a value that is shown."""

_tests = pa.types


class ColumnSummary:
    """One column, block after block."""

    def __init__(self, field: pa.Field, sample: int) -> None:
        self.name = field.name
        self.kind = type_of(field.type, field.name)
        self.every = 1
        self._room = sample
        self._rows = 0
        self._missing = 0
        self._infinite = 0
        self._true = 0
        self._low: Any = None
        self._high: Any = None
        self._moments = Moments()
        self._sample: list[tuple[int, pa.Array]] = []

    def add(self, seen: Glance, every: int) -> None:
        """Add what the next block showed, whose sample took every so many rows."""
        self._rows += seen.rows
        self._missing += seen.missing
        self._infinite += seen.infinite
        self._true += seen.true
        self._moments = self._moments.joined(seen.moments)
        if seen.low is not None:
            self._low = seen.low if self._low is None else min(self._low, seen.low)
            self._high = seen.high if self._high is None else max(self._high, seen.high)
        self._sample.append((every, seen.sample))
        self._fit()

    def _fit(self) -> None:
        self._thin()
        while self.every < BLOCK and sum(len(one) for _, one in self._sample) > self._room:
            self.every *= 2
            self._thin()

    def _thin(self) -> None:
        # Blocks that were looked at in threads meanwhile may be more than one step behind.
        while any(every < self.every for every, _ in self._sample):
            self._sample = [
                (every * 2, thinned(one)) if every < self.every else (every, one)
                for every, one in self._sample
            ]

    def told(self) -> Summary:
        """What there is to tell."""
        count = self._rows - self._missing
        found: Summary = {
            "name": self.name, "type": self.kind, "count": count, "missing": self._missing,
        }  # fmt: skip
        if count and self._sample:
            sample = pa.concat_arrays([plain(one) for _, one in self._sample])
            if len(sample) < self._rows:
                found["sample"] = len(sample)
            found |= self._of_kind(sample)
        return found

    def _of_kind(self, sample: pa.Array) -> Summary:
        kind = sample.type
        if _tests.is_integer(kind) or _tests.is_floating(kind):
            return self._of_numbers(sample)
        if is_text(kind) or is_binary(kind):
            most = frequent(sample) if is_text(kind) else {}
            return {"distinct": distinct(sample), "length": self._spread(), **most}
        if is_list(kind):
            return {"length": self._spread()}
        if _tests.is_boolean(kind):
            return {"distinct": distinct(sample), "true": self._true}
        if _tests.is_temporal(kind) or _tests.is_decimal(kind):
            ends = {"min": written(self._low, kind), "max": written(self._high, kind)}
            return {"distinct": distinct(sample), **ends}
        return {}

    def _of_numbers(self, sample: pa.Array) -> Summary:
        ordered = np.sort(sample.drop_null().to_numpy())
        different = int(np.count_nonzero(ordered[1:] != ordered[:-1])) + bool(len(ordered))
        found: Summary = {"distinct": different, **self._spread()}
        if self._infinite:
            found["infinite"] = self._infinite
        finite = ordered[np.isfinite(ordered)] if self._infinite else ordered
        if len(finite):
            found["quantiles"] = quantiles(finite)
        if _tests.is_integer(sample.type) and different <= FEW:
            found |= frequent(sample)
        return found

    def _spread(self) -> Summary:
        """Least, greatest, mean; and the deviation, with one degree of freedom taken off."""
        found = self._moments
        freedom = found.count - 1
        deviation = math.sqrt(found.squares / freedom) if freedom > 0 else None
        return {
            "min": number(self._low),
            "max": number(self._high),
            "mean": number(found.mean) if found.count else None,
            "std": number(deviation),
        }


def quantiles(ordered: np.ndarray) -> dict[str, float | None]:
    """The quantiles of values in their order, between two neighbours on the line through them."""
    found = {}
    for share in QUANTILES:
        below, part = divmod(share * (len(ordered) - 1), 1)
        low, high = (
            float(one) for one in ordered[[int(below), min(int(below) + 1, len(ordered) - 1)]]
        )
        found[f"{share:g}"] = number(low * (1 - part) + high * part)
    return found


def number(value: float | None) -> float | None:
    """A number that JSON can say; None for others."""
    return None if value is None or not math.isfinite(value) else value


def distinct(sample: pa.Array) -> int:
    """How many different values there are."""
    if _tests.is_float16(sample.type):
        sample = sample.cast(pa.float32())
    return int(pc.count_distinct(sample, mode="only_valid").as_py())


def frequent(sample: pa.Array) -> Summary:
    """The most frequent values and how often they are in the sample, the least first of equals.

    Nothing of a long column in which none is there twice: such are the names of rows.
    """
    counted = pc.value_counts(sample.drop_null())
    values, counts = counted.field("values"), counted.field("counts").to_numpy()
    if len(counts) > TOP:
        enough = max(2, np.partition(counts, -TOP)[-TOP])
        values, counts = values.filter(pa.array(counts >= enough)), counts[counts >= enough]
    found = sorted(zip(values.to_pylist(), counts.tolist(), strict=True), key=_by_count)
    top = [{"value": shortened(value), "count": count} for value, count in found[:TOP]]
    return {"top": top} if top else {}


def _by_count(one: tuple[Any, int]) -> tuple[int, Any]:
    return -one[1], one[0]


def shortened(value: Any) -> Any:
    """A text cut to a length that is good to read."""
    if isinstance(value, str) and len(value) > LONGEST:
        return value[: LONGEST - 1] + "…"
    return value


def written(value: Any, kind: pa.DataType) -> Any:
    """A moment in ISO 8601, a duration in seconds, a decimal number in digits."""
    if value is None or _tests.is_decimal(kind):
        return None if value is None else str(value)
    if _tests.is_duration(kind):
        return value / {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
    moment = pa.timestamp(kind.unit) if _tests.is_timestamp(kind) else kind
    whole = pa.int32() if kind.bit_width == 32 else pa.int64()
    text = pa.array([value], whole).view(moment).cast(pa.string())[0].as_py()
    if _tests.is_date(kind):
        return text.partition(" ")[0]
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace(" ", "T") + ("Z" if _tests.is_timestamp(kind) and kind.tz else "")


class TableSummary:
    """All columns of a table, block after block."""

    def __init__(self, schema: pa.Schema) -> None:
        described = list(schema)[:MOST_COLUMNS]
        room = min(SAMPLE, max(1024, CELLS // max(1, len(described))))
        self.columns = [ColumnSummary(field, room) for field in described]

    def look(self, block: Block, place: int) -> tuple[int, Glance]:
        """Look at one column of a block; may be done in a thread of its own."""
        every = self.columns[place].every if place < len(self.columns) else BLOCK
        return every, glance(column_of(block, place), every)

    def add(self, seen: Sequence[tuple[int, Glance]]) -> None:
        """Add what a block showed."""
        for column, (every, one) in zip(self.columns, seen, strict=False):
            column.add(one, every)

    def told(self) -> list[Summary]:
        """What there is to tell of each column, in their order."""
        return [column.told() for column in self.columns]


def describe_columns(table: pa.Table) -> list[Summary]:
    """The summary of each column."""
    summary = TableSummary(table.schema)
    for _, seen in look_at_columns(table.to_batches(), len(table.schema), summary.look):
        summary.add(seen)
    return summary.told()
