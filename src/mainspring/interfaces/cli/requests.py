"""From fields to a request that keeps the contract, or to an error a person can act on."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect as types

from mainspring.core.errors import Invalid
from mainspring.core.operation import Operation, explained
from mainspring.interfaces.cli.references import LISTS


def build(operation: Operation[Any, Any], fields: dict[str, Any]) -> Any:
    """The request."""
    try:
        return msgspec.convert(fields, operation.request)
    except msgspec.ValidationError as error:
        raise _told(operation, fields, explained(error)) from error


def _told(operation: Operation[Any, Any], fields: dict[str, Any], error: Invalid) -> Invalid:
    """In the words of the contract, where it has some, instead of a regular expression."""
    name = error.field or ""
    wanted = descriptions(operation.request).get(name)
    if wanted is None or name not in fields:
        return error
    listing = LISTS.get(name)
    return Invalid(
        f"{name}: {fields[name]!r} found, wanted {wanted}",
        field=name,
        fix=f"mainspring {listing.replace('.', ' ')} shows them" if listing else None,
    )


def descriptions(request: type) -> dict[str, str]:
    """What the types of a request's fields say of themselves."""
    shape = types.type_info(request)
    assert isinstance(shape, types.StructType)
    found = {field.name: _description(field.type) for field in shape.fields}
    return {name: text for name, text in found.items() if text}


def _description(kind: types.Type) -> str | None:
    if isinstance(kind, types.Metadata):
        said = (kind.extra_json_schema or {}).get("description")
        return said or _description(kind.type)
    if isinstance(kind, types.UnionType):
        return next((text for part in kind.types if (text := _description(part))), None)
    return None
