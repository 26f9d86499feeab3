"""Rows that are given in any form, as one Arrow table."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from mainspring.datasets.recognition import read
from mainspring.datasets.storage import write_rows

__all__ = ["as_table", "write_rows"]


def as_table(rows: Any) -> pa.Table:
    """An Arrow table of whatever holds rows."""
    return rows if isinstance(rows, pa.Table) else read(rows).table()
