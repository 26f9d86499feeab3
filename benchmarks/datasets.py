"""How fast data is digested, and described: digest and summary of each column in one pass.

`python -m benchmarks.datasets [MILLION_ROWS]`. Needs pandas and polars beside the extra `loop`.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from mainspring.datasets.digest import digest_of_batches
from mainspring.datasets.reading import describe
from mainspring.datasets.recognition import read

COLUMNS = 8
REPEATS = 5
RANDOM = np.random.default_rng(0)

Case = tuple[str, Any, int]
"""What it is, the data, and its bytes."""


def matrix(rows: int, kind: str) -> np.ndarray:
    """Random numbers, rows by columns."""
    shape = (rows, COLUMNS)
    if kind == "int64":
        return RANDOM.integers(-(2**40), 2**40, shape)
    return RANDOM.random(shape, dtype=np.float64 if kind == "float64" else np.float32)


def with_gaps(values: np.ndarray) -> tuple[pa.Table, np.ndarray]:
    """The same with a tenth of it missing: as nulls, and as NaN where there is one."""
    gaps = RANDOM.random(values.shape) < 0.1
    columns = [pa.array(values[:, at].copy(), mask=gaps[:, at]) for at in range(COLUMNS)]
    table = pa.Table.from_arrays(columns, names=[str(at) for at in range(COLUMNS)])
    return table, np.where(gaps, np.nan, values) if values.dtype.kind == "f" else values


def numeric_cases(rows: int, kind: str) -> list[Case]:
    """Numbers of one type in each library."""
    values = matrix(rows, kind)
    plain = {str(at): values[:, at].copy() for at in range(COLUMNS)}
    nulls, nans = with_gaps(values)
    cases: list[tuple[str, Any]] = [
        ("Arrow", pa.table(plain)),
        ("Arrow, 10 % null", nulls),
        ("Arrow, one column", pa.table({"0": plain["0"]})),
        ("Arrow, chunks of 1,000", pa.Table.from_batches(pa.table(plain).to_batches(1000))),
        ("pandas", pd.DataFrame(plain)),
        ("pandas of a matrix", pd.DataFrame(values)),
        ("polars", pl.DataFrame(plain)),
        ("NumPy matrix, rows together", values),
    ]
    if kind != "int64":
        cases.append(("NumPy matrix, 10 % NaN", nans))
    wide = values.nbytes
    one = wide // COLUMNS
    return [
        (f"{kind}  {name}", thing, one if "one column" in name else wide) for name, thing in cases
    ]


def other_cases(rows: int) -> list[Case]:
    """Text, moments, booleans, lists."""
    words = np.array([f"word {at}" for at in range(1000)])
    texts = pa.array(words[RANDOM.integers(0, 1000, rows)])
    unique = pa.array([f"customer {at}" for at in range(rows)])
    moments = pa.array(RANDOM.integers(0, 2**60, rows)).cast(pa.timestamp("ns"))
    lists = RANDOM.random((rows // 16, 128), dtype=np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(lists.reshape(-1)), 128)
    arrays = {
        "text, 1,000 words": texts,
        "text, all different": unique,
        "categories": texts.dictionary_encode(),
        "timestamp[ns]": moments,
        "list of 128 float32": vectors,
    }
    return [(name, pa.table({"a": array}), array.nbytes) for name, array in arrays.items()]


def rate(act: Callable[[], object], size: int) -> float:
    """Median GB a second."""
    act()
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return size / statistics.median(taken) / 1e9


def digested(thing: Any) -> str:
    """The digest alone."""
    rows = read(thing)
    return digest_of_batches(rows.schema, rows.batches())


def main() -> None:
    """Print the table."""
    rows = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 2_000_000
    print(f"{rows:,} rows of {COLUMNS} columns; GB/s of values, median of {REPEATS}")
    print(f"{'':<38}{'digest':>8}{'describe':>10}")
    for cases in (*(numeric_cases(rows, kind) for kind in ("int64", "float64", "float32")),
                  other_cases(rows)):  # fmt: skip
        for name, thing, size in cases:
            found, both = rate(partial(digested, thing), size), rate(partial(describe, thing), size)
            print(f"{name:<38}{found:>8.2f}{both:>10.2f}", flush=True)
    table = pa.table({"a": RANDOM.random(rows), "b": RANDOM.integers(0, 9, rows)})
    began = time.perf_counter()
    digest_of_batches(table.schema, table.to_batches(), ordered=False)
    print(f"rows in any order: {rows / (time.perf_counter() - began) / 1e6:.2f} million rows/s")


if __name__ == "__main__":
    main()
