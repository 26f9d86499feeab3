"""Figures, images and tables as files: what can draw itself is asked to, nothing is imported for it."""

from __future__ import annotations

import csv
import io
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mainspring.core.errors import Invalid
from mainspring.recording.values import plain


class Image:
    """A picture to log among metrics.

    >>> run.log({"samples": ms.Image([[0, 128], [255, 0]], caption="four pixels")})
    """

    def __init__(self, data: Any, caption: str = "") -> None:
        self.data = data
        self.caption = caption


class Table:
    """Rows to log among metrics.

    >>> run.log({"errors": ms.Table(columns=["row", "loss"], data=[[3, 0.7]])})
    """

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        data: Any = None,
        dataframe: Any = None,
    ) -> None:
        rows = dataframe if dataframe is not None else data
        self.columns, self.rows = _as_rows(rows if rows is not None else [], columns)

    def add_data(self, *row: Any) -> None:
        """Add a row.

        >>> table = ms.Table(columns=["row", "loss"])
        >>> table.add_data(3, 0.7)
        >>> table.rows
        [[3, 0.7]]
        """
        if len(row) != len(self.columns):
            raise Invalid(
                f"the table has {len(self.columns)} columns, found {len(row)} values", field="row"
            )
        self.rows.append(list(row))


def is_figure(thing: Any) -> bool:
    """Whether it can write itself as a picture or a page: matplotlib, plotly, altair, bokeh."""
    return any(
        callable(getattr(thing, name, None)) for name in ("savefig", "write_html", "to_html")
    ) and not hasattr(thing, "columns")


def is_image(thing: Any) -> bool:
    """Whether it is a picture: one of ours, of PIL, or an array of two or three dimensions."""
    if isinstance(thing, Image):
        return True
    return hasattr(thing, "getbands") and callable(getattr(thing, "save", None))


def is_table(thing: Any) -> bool:
    """Whether it has rows and named columns."""
    return isinstance(thing, Table) or (
        hasattr(thing, "columns") and callable(getattr(thing, "to_dict", None))
    )


def write_figure(figure: Any, path: Path) -> Path:
    """Write a figure; a path without a suffix gets the one of what the figure can write."""
    if hasattr(figure, "figure") and not hasattr(figure, "savefig"):
        figure = figure.figure  # matplotlib's axes, seaborn's grids
    if callable(getattr(figure, "savefig", None)):
        path = path if path.suffix else path.with_suffix(".png")
        figure.savefig(path)
    elif callable(getattr(figure, "write_html", None)):
        path = path if path.suffix == ".html" else path.with_suffix(".html")
        figure.write_html(str(path), include_plotlyjs=True)  # read without a network
    elif callable(getattr(figure, "to_html", None)):
        path = path if path.suffix == ".html" else path.with_suffix(".html")
        path.write_text(figure.to_html(), "utf-8")
    else:
        raise Invalid(
            f"a {type(figure).__name__} cannot draw itself; wanted a matplotlib, plotly or altair "
            "figure",
            field="figure",
            fix="save it to a file and log_artifact that",
        )
    return path


def write_image(image: Any, path: Path) -> Path:
    """Write a picture: a file, bytes of one, PIL's, a figure, or an array (rows, columns[, 1, 3 or 4])."""
    thing = image.data if isinstance(image, Image) else image
    path = path if path.suffix else path.with_suffix(".png")
    if isinstance(thing, (str, Path)):
        path = path.with_suffix(Path(thing).suffix or path.suffix)
        path.write_bytes(Path(thing).read_bytes())
    elif isinstance(thing, bytes):
        path.write_bytes(thing)
    elif callable(getattr(thing, "save", None)) and hasattr(thing, "getbands"):
        thing.save(path)
    elif is_figure(thing):
        return write_figure(thing, path)
    else:
        path = path.with_suffix(".png")
        path.write_bytes(_png(thing))
    return path


def write_table(rows: Any, path: Path, columns: Sequence[str] | None = None) -> Path:
    """Write rows as JSON (`columns` and `data`), or as CSV if the name says so."""
    names, data = (rows.columns, rows.rows) if isinstance(rows, Table) else _as_rows(rows, columns)
    if path.suffix == ".csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([[plain(value) for value in row] for row in data])
        path.write_text(text.getvalue(), "utf-8")
        return path
    path = path if path.suffix == ".json" else path.with_name(f"{path.name}.json")
    body = {"columns": list(names), "data": [[plain(value) for value in row] for row in data]}
    path.write_bytes(msgspec.json.encode(body))
    return path


def _as_rows(rows: Any, columns: Sequence[str] | None = None) -> tuple[list[str], list[list[Any]]]:
    if hasattr(rows, "columns") and hasattr(rows, "to_dict"):
        names = [str(name) for name in rows.columns]
        return names, [
            [*row] for row in zip(*(list(rows[name]) for name in rows.columns), strict=True)
        ]
    if isinstance(rows, Mapping):
        names = [str(name) for name in rows]
        return names, [list(row) for row in zip(*rows.values(), strict=True)]
    data: list[Any] = [row if isinstance(row, Mapping) else list(row) for row in rows]
    if data and all(isinstance(row, Mapping) for row in data):
        names = list(dict.fromkeys(str(key) for row in data for key in row))
        return names, [[row.get(name) for name in names] for row in data]
    width = max((len(row) for row in data), default=0)
    given = list(columns or (str(place) for place in range(width)))
    return given, [list(row) for row in data]


def _png(array: Any) -> bytes:
    """Numbers as a PNG: floats from 0 to 1, or integers from 0 to 255 (PNG specification, 3rd edition)."""
    rows, scale = _pixels(array)
    height, width = len(rows), len(rows[0])
    bands = len(rows[0][0])
    kind = {1: 0, 2: 4, 3: 2, 4: 6}.get(bands)
    if kind is None:
        raise Invalid(f"a picture has 1 to 4 bands, found {bands}", field="image")
    lines = b"".join(
        b"\x00" + bytes(_byte(value * scale) for pixel in row for value in pixel) for row in rows
    )
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


def _pixels(array: Any) -> tuple[list[list[list[float]]], int]:
    if hasattr(array, "detach"):  # torch: bands come first
        array = array.detach().cpu()
        array = array.permute(1, 2, 0) if array.ndim == 3 and array.shape[0] in (1, 3, 4) else array
    whole = "int" in str(getattr(array, "dtype", "int"))
    nested = array.tolist() if hasattr(array, "tolist") else array
    if not (isinstance(nested, list) and nested and isinstance(nested[0], list) and nested[0]):
        raise Invalid(
            f"no picture can be made of a {type(array).__name__}; wanted a file, a PIL image, a "
            "figure, or an array of rows and columns",
            field="image",
        )
    if not isinstance(nested[0][0], list):
        nested = [[[value] for value in row] for row in nested]
    return nested, 1 if whole else 255


def _byte(value: float) -> int:
    return 0 if math.isnan(value) else round(min(max(value, 0), 255))
