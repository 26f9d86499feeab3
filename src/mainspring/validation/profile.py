"""What a reference data set looks like, column by column, small enough to keep with a version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np

from mainspring.core.errors import Invalid
from mainspring.validation.data import missing_in

BINS = 10
LEAST_SHARE = 0.01  # rarer levels are pooled: their counts in a window are too small to compare
PSEUDO_COUNT = 0.5  # a row, added to each bin of the reference, so that no bin is impossible
DAY_MICROS = 86_400_000_000
LEAST_PERIODS = 5  # fewer tell nothing about how periods differ
WHOLE_PERIOD = 0.5  # of the median rows; less is a day cut off by the ends of the reference


class Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far the reference's own periods (days) stand from the whole of it, as PSI.

    `between` and `between_sd` are what is left of mean and sd once the noise of counting is taken
    off: the part that does not shrink when a window has more rows.
    """

    periods: int
    mean: float
    sd: float
    max: float
    between: float
    between_sd: float


NO_SPREAD = Spread(0, 0.0, 0.0, 0.0, 0.0, 0.0)


class ColumnProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One column of the reference; `counts` are those of its bins, the last one for missing."""

    name: str
    kind: Literal["numeric", "categorical"]
    n: int
    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    """Numeric: bin i holds edges[i-1] < x <= edges[i]; the outer bins lie outside the reference."""
    levels: tuple[str, ...] = ()
    """Categorical: one bin each, then one for all the others."""
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    sd: float | None = None
    spread: Spread = NO_SPREAD

    @property
    def missing_share(self) -> float:
        return self.counts[-1] / self.n

    @property
    def proportions(self) -> np.ndarray:
        """The shares of the bins, with pseudo-counts, so that none is 0."""
        counts = np.array(self.counts, dtype=np.float64) + PSEUDO_COUNT
        shares: np.ndarray = counts / counts.sum()
        return shares

    @property
    def degrees_of_freedom(self) -> int:
        """Of the PSI's null distribution: bins that the reference fills, less one."""
        return max(1, sum(count > 0 for count in self.counts) - 1)


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The reference that later windows are compared with."""

    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile:
        for column in self.columns:
            if column.name == name:
                return column
        known = ", ".join(repr(column.name) for column in self.columns)
        raise Invalid(f"the profile has no column {name!r}, only {known}", field=name)


def build_profile(
    columns: Mapping[str, np.ndarray],
    event_times: np.ndarray | None = None,
    period: int = DAY_MICROS,
) -> Profile:
    """Profile the reference; with event times (microseconds) also how its periods differ.

    Make the period as long as the windows that will be compared, with the same boundaries: shift
    the times where a window does not begin at midnight UTC.
    """
    periods = None if event_times is None else event_times.astype(np.int64) // period
    return Profile(tuple(_column(name, columns[name], periods) for name in columns))


def to_json(profile: Profile) -> bytes:
    return msgspec.json.encode(profile)


def from_json(text: bytes | str) -> Profile:
    try:
        return msgspec.json.decode(text, type=Profile)
    except msgspec.DecodeError as error:
        raise Invalid(f"this is not a profile: {error}", field="profile") from error


def bins_of(column: ColumnProfile, values: np.ndarray) -> np.ndarray:
    """The bin of each value; missing (NaN, None) is the last."""
    missing = missing_in(values)
    last = len(column.counts) - 1
    if column.kind == "categorical":
        code = {level: at for at, level in enumerate(column.levels)}
        other = len(column.levels)
        bins = np.array([code.get(str(value), other) for value in values.tolist()], dtype=np.int64)
    elif is_numeric(values):
        bins = np.searchsorted(np.array(column.edges), values.astype(np.float64), side="left")
    else:
        raise Invalid(
            f"the column {column.name!r} is numeric in the profile, found {values.dtype}",
            field=column.name,
        )
    return np.where(missing, last, bins)


def psi(reference: np.ndarray, counts: np.ndarray) -> float:
    """The population stability index, in nats, of counts against the reference's proportions.

    A bin of the window gets half a row as well, or its expected count where that is less: a rare
    bin that stays empty is no surprise, and one that the reference never filled adds no bias.
    """
    smooth = counts + np.minimum(PSEUDO_COUNT, counts.sum() * reference)
    shares = smooth / smooth.sum()
    return float(((shares - reference) * np.log(shares / reference)).sum())


def is_numeric(values: np.ndarray) -> bool:
    return values.dtype.kind in "biuf"


def _column(name: str, values: np.ndarray, periods: np.ndarray | None) -> ColumnProfile:
    if len(values) == 0:
        raise Invalid(f"the column {name!r} has no rows, a profile needs some", field=name)
    if periods is not None and len(periods) != len(values):
        raise Invalid(
            f"the column {name!r} has {len(values)} rows, the event times {len(periods)}",
            field="event_times",
        )
    empty = _numeric(name, values) if is_numeric(values) else _categorical(name, values)
    bins = bins_of(empty, values)
    counts = np.bincount(bins, minlength=len(empty.counts))
    column = msgspec.structs.replace(empty, counts=tuple(counts.tolist()))
    if periods is None:
        return column
    return msgspec.structs.replace(column, spread=_spread(column, bins, periods))


def _numeric(name: str, values: np.ndarray) -> ColumnProfile:
    present = values[~missing_in(values)].astype(np.float64)
    if len(present) == 0:
        return ColumnProfile(name=name, kind="numeric", n=len(values), counts=(0, 0))
    if not np.isfinite(present).all():
        raise Invalid(f"the column {name!r} holds infinite values", field=name)
    low, high = float(present.min()), float(present.max())
    inner = np.quantile(present, np.arange(1, BINS) / BINS, method="inverted_cdf")
    edges = np.unique([np.nextafter(low, -np.inf), *inner, high])
    return ColumnProfile(
        name=name,
        kind="numeric",
        n=len(values),
        counts=(0,) * (len(edges) + 2),
        edges=tuple(edges.tolist()),
        minimum=low,
        maximum=high,
        mean=float(present.mean()),
        sd=float(present.std()),
    )


def _categorical(name: str, values: np.ndarray) -> ColumnProfile:
    present = values[~missing_in(values)]
    counts = Counter(str(value) for value in present.tolist())
    levels = tuple(sorted(k for k, count in counts.items() if count >= LEAST_SHARE * len(values)))
    return ColumnProfile(
        name=name,
        kind="categorical",
        n=len(values),
        counts=(0,) * (len(levels) + 2),
        levels=levels,
    )


def _spread(column: ColumnProfile, bins: np.ndarray, periods: np.ndarray) -> Spread:
    names, at = np.unique(periods, return_inverse=True)
    table = np.zeros((len(names), len(column.counts)))
    np.add.at(table, (at, bins), 1)
    rows = table.sum(axis=1)
    table = table[rows >= WHOLE_PERIOD * np.median(rows)]
    if len(table) < LEAST_PERIODS:
        return NO_SPREAD
    distances = np.array([psi(column.proportions, counts) for counts in table])
    # A day of n rows out of N stands (k-1)(1/n - 1/N) away from the whole by counting alone.
    noise = np.maximum(1 / table.sum(axis=1) - 1 / column.n, 0.0)
    degrees = column.degrees_of_freedom
    mean, sd = float(distances.mean()), float(distances.std(ddof=1))
    excess = distances - degrees * noise
    variance = float(excess.var(ddof=1) - 2 * degrees * (noise**2).mean())
    return Spread(
        periods=len(table),
        mean=mean,
        sd=sd,
        max=float(distances.max()),
        between=max(0.0, float(excess.mean())),
        between_sd=max(0.0, variance) ** 0.5,
    )
