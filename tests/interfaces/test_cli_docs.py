"""What must agree: the operations, the table of first words, and the pages about them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from mainspring import stages
from mainspring.core.errors import KINDS
from mainspring.core.operation import Operation, Page
from mainspring.interfaces.cli.columns import COLUMNS, columns_of
from mainspring.interfaces.cli.explain import ALL, WHAT_TO_DO, entry
from mainspring.interfaces.cli.program import root
from mainspring.interfaces.cli.table import DAILY, EXIT_CODES, NOUNS, VERBS

DOCS = Path(__file__).parents[2] / "docs"
OPERATIONS = stages.operations()


def command(*words: str) -> tuple[click.Command, click.Context]:
    """A command and the context that its help is made in."""
    found: click.Command = root
    context = click.Context(root, info_name="mainspring")
    for word in words:
        assert isinstance(found, click.Group)
        below = found.get_command(context, word)
        assert below is not None, f"there is no command {' '.join(words)}"
        found, context = below, click.Context(below, parent=context, info_name=word)
    return found, context


def usage(*words: str) -> str:
    """The command with what it takes, as the page shows it."""
    found, _ = command(*words)
    arguments = [one for one in found.params if isinstance(one, click.Argument)]
    needed = [one for one in found.params if isinstance(one, click.Option) and one.required]
    named = ((one, str(one.metavar or one.human_readable_name)) for one in arguments)
    pieces = [name if one.required or name.startswith("[") else f"[{name}]" for one, name in named]
    pieces += [f"{one.opts[-1]} {(one.name or '').upper()}" for one in needed]
    return " ".join(["mainspring", *words, *pieces]).replace("|", "\\|")


def is_ours(operation: Operation[Any, Any]) -> bool:
    """Whether only Mainspring itself asks for it."""
    return operation.allow == "operate" or operation.inside


def rows_of_operations() -> Iterator[str]:
    """A row for each operation that people use, then for those of our own services."""
    for mine in (False, True):
        for operation in OPERATIONS.values():
            if is_ours(operation) is mine:
                row = f"`{usage(*operation.name.split('.'))}` | {operation.summary}"
                yield f"| {row} | `{operation.allow}` |"


def rows_of_daily() -> Iterator[str]:
    """A row for each command that is written by hand."""
    for name, daily in DAILY.items():
        yield f"| `{usage(name)}` | {daily.help} |"
    for noun, verbs in VERBS.items():
        for verb, by_hand in verbs.items():
            if f"{noun}.{verb}" not in OPERATIONS:
                yield f"| `{usage(noun, verb)}` | {by_hand.help} |"


def rows_of_codes() -> Iterator[str]:
    """A row for each error code."""
    for kind in ALL:
        one = entry(kind.code)
        cells = (f"`{one['code']}`", one["name"], one["when"], one["fix"])
        yield f"| {' | '.join(cells)} | {one['http_status']} | {one['exit_code']} |"


def rows_of_exits() -> Iterator[str]:
    """A row for each exit code."""
    for code, text in EXIT_CODES.items():
        yield f"| `{code}` | {text} |"


def rows_in(page: str, beginning: str) -> list[str]:
    """The rows of a page's tables that begin so."""
    lines = (DOCS / page).read_text().splitlines()
    return [line for line in lines if line.startswith(beginning)]


def test_the_page_lists_every_command() -> None:
    assert rows_in("cli.md", "| `mainspring") == [*rows_of_daily(), *rows_of_operations()]


def test_the_page_lists_every_error_code() -> None:
    assert rows_in("errors.md", "| `MS-") == list(rows_of_codes())


def test_the_page_lists_every_exit_code() -> None:
    assert rows_in("errors.md", "| `") == [*rows_of_exits(), *rows_of_codes()]


def test_every_error_has_a_way_out_and_an_exit_code_that_is_documented() -> None:
    assert sorted(WHAT_TO_DO) == sorted(kind.code for kind in ALL)
    assert {kind.exit_code for kind in KINDS} <= EXIT_CODES.keys()


def test_the_table_of_nouns_is_the_one_of_the_operations() -> None:
    declared = {
        name.partition(".")[0]: operation.request.__module__.split(".")[1]
        for name, operation in OPERATIONS.items()
        if operation.path_fields or operation.request.__module__.endswith("contract")
    }

    assert {name: noun.stage for name, noun in NOUNS.items()} == declared
    assert not NOUNS.keys() & DAILY.keys()


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda one: str(one.name))
def test_every_operation_is_a_command_with_help(operation: Operation[Any, Any]) -> None:
    found, context = command(*operation.name.split("."))

    text = found.get_help(context)

    assert operation.summary in " ".join(text.split())
    assert found.hidden is is_ours(operation)


BY_HAND = [f"{noun} {verb}" for noun, verbs in VERBS.items() for verb in verbs]


@pytest.mark.parametrize("name", [*DAILY, "admin migrate", "admin audit verify", *BY_HAND])
def test_every_command_by_hand_has_help(name: str) -> None:
    found, context = command(*name.split())

    assert found.get_help(context).startswith(f"Usage: mainspring {name}")


def test_what_lists_show_are_fields_of_what_they_list() -> None:
    listed = {
        item.__name__: item
        for operation in OPERATIONS.values()
        if (item := _item(operation.response)) is not None
    }

    for item in listed.values():
        shown = {name.partition(".")[0] for name in columns_of(item)}
        assert shown <= {field.name for field in msgspec.structs.fields(item)}
    assert listed.keys() >= COLUMNS.keys()


def _item(response: Any) -> Any:
    listed = getattr(response, "__origin__", None) in (list, Page)
    return response.__args__[0] if listed else None
