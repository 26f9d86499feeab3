"""Fields are declared by administrators, and hold for whoever tags a model or version."""

from __future__ import annotations

from mainspring.core.errors import Invalid, NotFound
from mainspring.core.operation import Done
from mainspring.core.text import closest
from mainspring.core.work import Work, performs
from mainspring.registry import field_contract as contract
from mainspring.registry.field import Field
from mainspring.registry.field_contract import DeclaredField
from mainspring.registry.field_store import FieldStore


def _store(work: Work) -> FieldStore:
    return FieldStore(work.connection, work.workspace_id)


@performs(contract.list_fields)
def list_fields(work: Work, request: contract.ListFields) -> list[DeclaredField]:
    """By what they are of, and their names."""
    names = DeclaredField.__struct_fields__
    return [
        DeclaredField(**{name: getattr(row, name) for name in names}) for row in _store(work).rows()
    ]


@performs(contract.declare_field)
def declare_field(work: Work, request: contract.DeclareField) -> list[DeclaredField]:
    """Declare it; what was said before stays, and counts if it is of the type."""
    if (request.type == "choice") != bool(request.choices):
        raise Invalid(
            f"the field {request.name!r} has the type {request.type!r} and {len(request.choices)} "
            "choices; choices belong to the type 'choice', which needs some",
            field="choices",
        )
    field = Field(request.of, request.name, request.type, tuple(request.choices), request.required)
    store = _store(work)
    if field not in store.fields():
        store.put(field, work.actor.name, work.now)
        subject = ("field", f"{request.of}/{request.name}")
        work.announce("field.declared", subject, type=request.type, required=request.required)
    return list_fields(work, contract.ListFields())


@performs(contract.drop_field)
def drop_field(work: Work, request: contract.NameField) -> Done:
    """Ask for it no more."""
    store = _store(work)
    if not store.drop(request.of, request.name):
        names = [field.name for field in store.fields() if field.of == request.of]
        raise NotFound(
            f"no field {request.name!r} of a {request.of}{closest(request.name, names)}",
            field="name",
        )
    work.announce("field.dropped", ("field", f"{request.of}/{request.name}"))
    return Done()
