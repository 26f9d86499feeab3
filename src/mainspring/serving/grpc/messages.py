"""The classes of the messages, made in a pool of their own.

A process that has tritonclient as well registers the same names in protobuf's common pool.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from mainspring.core.errors import Invalid
from mainspring.serving.grpc.schema import FILES, INFERENCE, File

FieldProto = descriptor_pb2.FieldDescriptorProto
Parent = Any
"""A message or a file, in which messages are defined."""


def _file(given: File) -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name=given.name, package=given.package, syntax="proto3"
    )
    made: dict[str, Any] = {}
    for name, fields in given.messages.items():
        made[name] = message = _within(file, made, name, "message_type")
        for field in fields.split():
            _add_field(message, f".{given.package}.", name, field)
    for name, values in given.enums.items():
        enum = _within(file, made, name, "enum_type")
        for number, value in enumerate(values.split()):
            enum.value.add(name=value, number=number)
    service = file.service.add(name=given.service)
    for name, ends in given.methods.items():
        asked, answered = ends.split()
        service.method.add(
            name=name,
            input_type=f".{given.package}.{asked.lstrip('*')}",
            output_type=f".{given.package}.{answered.lstrip('*')}",
            client_streaming=asked.startswith("*"),
            server_streaming=answered.startswith("*"),
        )
    return file


def _within(file: Any, made: dict[str, Any], name: str, kind: str) -> Any:
    """A new message or enum, in the message that its name says, or at the top."""
    outer, _, own = name.rpartition(".")
    if not outer:
        return getattr(file, kind).add(name=own)
    parent = made[outer]
    return (parent.nested_type if kind == "message_type" else parent.enum_type).add(name=own)


def _add_field(message: Any, package: str, owner: str, text: str) -> None:
    before, _, kind = text.partition(":")
    name, _, number = before.partition("=")
    choice, _, name = name.rpartition("|")
    field = message.field.add(name=name.lstrip("*"), number=int(number), label=1)
    if name.startswith("*"):
        field.label = FieldProto.LABEL_REPEATED
    if choice:
        if not message.oneof_decl:
            message.oneof_decl.add(name=choice)
        field.oneof_index = 0
    if kind.startswith("{"):
        field.label = FieldProto.LABEL_REPEATED
        kind = f"{owner}.{_map_entry(message, package, name, kind[1:-1])}"
    _set_type(field, package, kind)


def _map_entry(message: Any, package: str, name: str, kind: str) -> str:
    """A map is a list of such entries, under the name that protobuf gives them."""
    entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
    entry.options.map_entry = True
    _set_type(entry.field.add(name="key", number=1, label=1), package, "string")
    _set_type(entry.field.add(name="value", number=2, label=1), package, kind)
    return str(entry.name)


def _set_type(field: Any, package: str, kind: str) -> None:
    if kind.startswith("enum:"):
        field.type, field.type_name = FieldProto.TYPE_ENUM, package + kind.removeprefix("enum:")
    elif kind[0].isupper():
        field.type, field.type_name = FieldProto.TYPE_MESSAGE, package + kind
    else:
        field.type = FieldProto.Type.Value(f"TYPE_{kind.upper()}")


POOL = descriptor_pool.DescriptorPool()
for _each in FILES:
    POOL.AddSerializedFile(_file(_each).SerializeToString())


def message_class(name: str) -> Any:
    """The class of a message, by its full name."""
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))


def ends(service: str, method: str) -> tuple[Any, Any]:
    """The classes of what a method is asked with, and of what it answers."""
    found = POOL.FindServiceByName(service).FindMethodByName(method)
    return message_class(found.input_type.full_name), message_class(found.output_type.full_name)


ModelInferRequest, ModelInferResponse = ends(INFERENCE, "ModelInfer")
ModelStreamInferResponse = ends(INFERENCE, "ModelStreamInfer")[1]


def parsed(kind: Any, body: bytes) -> Any:
    """A message of the bytes that came."""
    try:
        return kind.FromString(body)
    except DecodeError:
        raise Invalid(f"the bytes are no message {kind.DESCRIPTOR.full_name}") from None
