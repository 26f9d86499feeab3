"""The fields of a request as arguments and options, by their types."""

from __future__ import annotations

import ast
import datetime as dt
import inspect
import sys
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import inspect as types

from mainspring.core.ids import new_id

SCALARS = (types.IntType, types.FloatType, types.StrType, types.LiteralType, types.DateTimeType)


class Moment(click.ParamType[dt.datetime]):
    """A moment in ISO 8601; without an offset it is UTC."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.datetime:
        """Read it, or say what was expected."""
        try:
            found = dt.datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is not a time; wanted for instance 2013-03-01T12:00:00Z", param, ctx
            )
        return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


class Document(click.ParamType[Any]):
    """JSON as text, or from a file: `@suite.json`, `@-` for standard input."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it, or say where it breaks."""
        try:
            return msgspec.json.decode(_text(value))
        except OSError as error:
            self.fail(f"{value[1:]} cannot be read: {error.strerror}", param, ctx)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.fail(f"not JSON: {error}; wanted JSON text or @FILE", param, ctx)


def _text(value: str) -> bytes:
    if value == "@-":
        return sys.stdin.buffer.read()
    return Path(value[1:]).read_bytes() if value.startswith("@") else value.encode()


def argument(field: types.Field) -> click.Argument:
    """A field that stands in the path."""
    kind = _bare(field.type)
    return click.Argument([field.name], type=_type(kind), metavar=field.name.upper())


def option(field: types.Field) -> click.Option:
    """A field that does not."""
    kind, flag = _bare(field.type), "--" + field.name.replace("_", "-")
    many = isinstance(kind, types.ListType) and isinstance(_bare(kind.item_type), SCALARS)
    if isinstance(kind, types.BoolType):
        flag = f"{flag}/--no-{flag[2:]}" if field.default is True else flag
        return click.Option([flag, field.name], default=None, is_flag=True, help=_preset(field))
    made_here = field.name == "id"
    return click.Option(
        [flag, field.name],
        type=_type(_bare(kind.item_type) if many else kind),
        multiple=many,
        required=field.required and not made_here,
        default=new_id if made_here else None,
        metavar=_metavar(kind.item_type if many else kind),
        help=_preset(field),
    )


def _preset(field: types.Field) -> str:
    if field.default in (msgspec.NODEFAULT, None, "", False):
        return ""
    return f"[default: {field.default}]"


def _bare(kind: types.Type) -> Any:
    """The type without what is said about it, and without `or None`."""
    while isinstance(kind, types.Metadata):
        kind = kind.type
    if isinstance(kind, types.UnionType):
        others = [part for part in kind.types if not isinstance(part, types.NoneType)]
        return _bare(others[0]) if len(others) == 1 else kind
    return kind


def _type(kind: Any) -> Any:
    if isinstance(kind, types.LiteralType):
        return click.Choice(kind.values)
    if isinstance(kind, types.IntType):
        return click.IntRange(kind.ge, kind.le)
    if isinstance(kind, types.FloatType):
        return click.FLOAT
    if isinstance(kind, types.DateTimeType):
        return Moment()
    return click.STRING if isinstance(kind, types.StrType) else Document()


def _metavar(kind: Any) -> str | None:
    bare = _bare(kind)
    if isinstance(bare, types.StrType):
        return "ID" if bare.pattern == "^[0-9a-f]{32}$" else "TEXT"
    return None if isinstance(bare, SCALARS) else "JSON|@FILE"


def documented(request: type) -> dict[str, str]:
    """What is written below each field of a request, for its help."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(request)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    found = {}
    for statement, after in pairwise(body):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            found[statement.target.id] = inspect.cleandoc(str(after.value.value))
    return found
