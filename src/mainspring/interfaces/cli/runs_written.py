"""Runs written as JSON, CSV and Parquet, one at a time, so that many fit into little memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import IO, Any, Protocol

import msgspec

from mainspring.core.clock import from_micros
from mainspring.core.extras import require
from mainspring.core.operation import Client
from mainspring.interfaces.sdk.runs import History
from mainspring.tracking.contract import Run, to_wire

COLUMNS = ("run", "key", "step", "at", "value")


class Writer(Protocol):
    """Writes one run after the other."""

    def run(self, client: Client, run: Run) -> None:
        """Write the run."""
        ...

    def close(self) -> None:
        """Write what belongs at the end."""
        ...


class JsonWriter:
    """`{"runs": [...]}`: each as the API tells it, and its `history`: columns by metric."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._before = b'{"runs": [\n'

    def run(self, client: Client, run: Run) -> None:
        """All of it."""
        series = {}
        for metric in run.metrics:
            columns = History(client, run.id, [metric.key], None).columns
            series[metric.key] = {
                "step": list(columns["step"].values),
                "at": [from_micros(at) for at in columns["at"].values],
                "value": [to_wire(value) for value in columns["value"].values],
            }
        document = {**msgspec.structs.asdict(run), "history": series}
        self._target.write(self._before + msgspec.json.encode(document))
        self._before = b",\n"

    def close(self) -> None:
        """The end of the list, which may be empty."""
        begun = b"" if self._before == b",\n" else self._before
        self._target.write(begun + b"\n]}\n")


class CsvWriter:
    """A line a point."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._line(COLUMNS)

    def run(self, client: Client, run: Run) -> None:
        """Its points, metric by metric."""
        for metric in run.metrics:
            columns = History(client, run.id, [metric.key], None).columns
            names = ("step", "at", "value")
            for step, at, value in zip(*(columns[name].values for name in names), strict=True):
                moment = from_micros(at).isoformat().replace("+00:00", "Z")
                self._line((run.id, metric.key, step, moment, to_wire(value)))

    def _line(self, cells: tuple[Any, ...]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(cells)
        self._target.write(text.getvalue().encode())

    def close(self) -> None:
        """Nothing follows."""


ROW_GROUP = 200_000
"""Points that are kept until they are written together: many small groups are a large file."""


class ParquetWriter:
    """A row a point."""

    def __init__(self, target: IO[bytes]) -> None:
        self._arrow = require("pyarrow", "loop")
        parquet = require("pyarrow.parquet", "loop")
        kinds = (
            self._arrow.string(),
            self._arrow.string(),
            self._arrow.int64(),
            self._arrow.timestamp("us", tz="UTC"),
            self._arrow.float64(),
        )
        self._schema = self._arrow.schema(list(zip(COLUMNS, kinds, strict=True)))
        self._parquet = parquet.ParquetWriter(target, self._schema)
        self._waiting: list[Any] = []
        self._rows = 0

    def run(self, client: Client, run: Run) -> None:
        """Its points, metric by metric."""
        for metric in run.metrics:
            table = History(client, run.id, [metric.key], None).to_arrow()
            ids = self._arrow.array([run.id] * table.num_rows, self._arrow.string())
            self._waiting.append(table.add_column(0, "run", ids).cast(self._schema))
            self._rows += table.num_rows
            if self._rows >= ROW_GROUP:
                self._write()

    def _write(self) -> None:
        if self._waiting:
            table = self._arrow.concat_tables(self._waiting)
            self._parquet.write_table(table, row_group_size=ROW_GROUP)
        self._waiting, self._rows = [], 0

    def close(self) -> None:
        """What waits, and the footer, without which a file cannot be read."""
        self._write()
        self._parquet.close()


WRITERS: dict[str, Callable[[IO[bytes]], Writer]] = {
    "json": JsonWriter,
    "csv": CsvWriter,
    "parquet": ParquetWriter,
}
