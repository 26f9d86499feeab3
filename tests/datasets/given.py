"""The small table that tests give in many forms, and its digest."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from mainspring.datasets.reading import describe

COLUMNS: dict[str, list[Any]] = {
    "i": [1, -2, 3],
    "f": [1.5, None, -0.0],
    "t": ["a", None, 'ä,\n"x"'],
    "b": [True, False, True],
}
TABLE = pa.table(COLUMNS)
ROWS = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]
WANTED = describe(TABLE).digest


def digest(thing: Any, **how: Any) -> str:
    return describe(thing, **how).digest


def frame() -> pd.DataFrame:
    return pd.DataFrame(COLUMNS)
