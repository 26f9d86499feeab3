"""Our operations, asked with what came over the wire: every rule of their fields is checked."""

from __future__ import annotations

from typing import Any, TypeVar

from mainspring.core.operation import Operation, checked
from mainspring.interfaces.mlflow_api.dispatch import Call

R = TypeVar("R")


def ask(call: Call, operation: Operation[Any, R], **fields: object) -> R:
    """Perform the operation with the plain fields, refusing what breaks a rule of its request."""
    return call.perform(operation, checked(operation, fields))
