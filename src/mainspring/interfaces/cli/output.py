"""Answers on stdout: a table for people, tab-separated lines for programs, or JSON as it came."""

from __future__ import annotations

import datetime as dt
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args, get_origin

import click
import msgspec

from mainspring.core.event import Event
from mainspring.core.operation import Operation, Page
from mainspring.interfaces.cli import story
from mainspring.interfaces.cli.cells import (
    breadth,
    facts_of,
    fitting,
    printable,
    short,
    shortened_id,
    whole,
)
from mainspring.interfaces.cli.columns import columns_of
from mainspring.interfaces.cli.frame import chosen, note

NARROWEST = 8
GAP = "  "
_KEPT: Any = (dt.datetime,)
SHOWN_ITEMS = 12
"""Of a list inside an object, on a terminal."""


def on_terminal() -> bool:
    """Whether a person reads along."""
    return sys.stdout.isatty()


def show(operation: Operation[Any, Any], answer: Any, request: Any = None) -> None:
    """Print the answer of an operation."""
    if chosen().as_json:
        show_json(answer)
        return
    item = _item_of(operation.response)
    if item is None:
        show_object(answer)
        return
    paged = isinstance(answer, Page)
    rows: list[Any] = answer.items if paged else answer
    show_rows(item, rows)
    if paged and answer.next is not None:
        note(f"there are more: go on with --after {answer.next}")
    elif not paged and len(rows) == getattr(request, "limit", None):
        note(f"these are the first {len(rows)}: --limit N shows more")


def show_json(answer: Any) -> None:
    """Print the answer exactly as the API gives it; a person gets it indented."""
    text = msgspec.json.encode(answer)
    click.echo((msgspec.json.format(text, indent=2) if on_terminal() else text).decode())


def _item_of(response: Any) -> Any:
    """What a list is a list of; None if the answer is one object."""
    return get_args(response)[0] if get_origin(response) in (list, Page) else None


def show_rows(item: type, rows: Sequence[Any]) -> None:
    """Print a list."""
    names = columns_of(item)
    if chosen().quiet:
        click.echo("".join(f"{whole(getattr(row, _key(item)))}\n" for row in rows), nl=False)
    elif on_terminal() and item is Event:
        show_story(*story.told(rows))
    else:
        show_cells(names, [[_at(row, name) for name in names] for row in rows])


def _at(row: Any, name: str) -> Any:
    """The field, or with dots what lies inside it; None if it is not there."""
    first, *rest = name.split(".")
    found = getattr(row, first)
    for part in rest:
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _key(item: type) -> str:
    fields = [field.name for field in msgspec.structs.fields(item)]
    return "id" if "id" in fields else columns_of(item)[0]


def show_cells(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows of values under their names."""
    rows = [[msgspec.to_builtins(cell, builtin_types=_KEPT) for cell in row] for row in rows]
    if not on_terminal():
        lines = [names, *([whole(cell) for cell in row] for row in rows)]
        click.echo("".join("\t".join(line) + "\n" for line in lines), nl=False)
    elif rows:
        heads = [" ".join(name.split(".")[-2:]).replace("_", " ") for name in names]
        show_table(heads, [[short(cell) for cell in row] for row in rows])
    else:
        note("none")


def show_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns, no wider than the terminal."""
    widths = [max(breadth(line[at]) for line in (heads, *rows)) for at in range(len(heads))]
    widths = fitted(widths, shutil.get_terminal_size().columns)
    head = _line(heads, widths)
    click.echo(head if chosen().no_color else click.style(head, bold=True))
    click.echo("".join(_line(row, widths) + "\n" for row in rows), nl=False)


def show_story(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns but for the last, which is prose and may run over the line."""
    widths = [max(breadth(line[at]) for line in (heads, *rows)) for at in range(len(heads) - 1)]
    for *cells, prose in (heads, *rows):
        click.echo(GAP.join([*map(fitting, cells, widths), prose]))


def fitted(widths: Sequence[int], room: int) -> list[int]:
    """Make the widest columns narrower until the line fits; times are cut last of all."""
    found = list(widths)
    over = sum(found) + len(GAP) * (len(found) - 1) - room
    for least in (len("2013-03-01T12:00:00Z"), NARROWEST):
        while over > 0 and max(found) > least:
            found[found.index(max(found))] -= 1
            over -= 1
    return found


def _line(cells: Iterable[str], widths: Sequence[int]) -> str:
    return GAP.join(map(fitting, cells, widths)).rstrip()


def show_object(answer: Any) -> None:
    """Print one thing as `key: value` lines; what is nested is indented below its key."""
    document = msgspec.to_builtins(answer, builtin_types=_KEPT)
    if not isinstance(document, dict):
        click.echo(short(document))
    elif chosen().quiet:
        key = next((name for name in ("token", "id", "name", "model") if name in document), None)
        click.echo(whole(document[key]) if key else "", nl=key is not None)
    else:
        click.echo("".join(f"{line}\n" for line in lines_of(document)), nl=False)


def lines_of(document: Mapping[str, Any], indent: str = "") -> Iterable[str]:
    """The lines of a document."""
    for key, value in document.items():
        name = printable(key)
        if isinstance(value, dict) and value:
            yield f"{indent}{name}:"
            yield from lines_of(value, indent + "  ")
        elif isinstance(value, list) and value:
            yield f"{indent}{name}:"
            yield from (f"{indent}  - {text}" for text in _items(value))
        elif isinstance(value, str) and "\n" in value:
            yield f"{indent}{name}:"
            yield from (f"{indent}  {printable(line)}" for line in value.splitlines())
        else:
            yield f"{indent}{name}: {_full(value)}"


def _items(values: list[Any]) -> Iterable[str]:
    shown = values[:SHOWN_ITEMS] if on_terminal() else values
    for value in shown:
        if isinstance(value, dict):
            yield " ".join(facts_of(value))
        else:
            yield _full(value)
    if len(values) > len(shown):
        yield f"… {len(values) - len(shown)} more; --json shows all"


def _full(value: Any) -> str:
    """As in a table, but ids are whole: this is where they are copied from."""
    is_id = isinstance(value, str) and shortened_id(value) != value
    return value if is_id else short(value)
