"""A query, answered: parsed, measured, checked against the schema, looked up."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from graphql import (
    ExecutionResult,
    GraphQLError,
    MaxIntrospectionDepthRule,
    execute_sync,
    parse,
    specified_rules,
    validate,
)

from mainspring.core.errors import MainspringError, Unauthenticated
from mainspring.core.ids import new_id
from mainspring.interfaces.mlflow_api.dispatch import Call
from mainspring.interfaces.mlflow_api.failure import MlflowError, translated
from mainspring.interfaces.mlflow_api.graph.limits import MAX_LENGTH, MAX_TOKENS, check_size
from mainspring.interfaces.mlflow_api.graph.resolution import Asked, said, schema

MAX_ERRORS = 20
RULES = (*specified_rules, MaxIntrospectionDepthRule)

log = logging.getLogger("mainspring.mlflow")


def answer(
    call: Call, query: str, variables: Mapping[str, Any], operation: str | None
) -> dict[str, Any]:
    """The data that the query asks for, and what went wrong in words."""
    try:
        done = _done(call, query, variables, operation)
    except GraphQLError as error:
        done = ExecutionResult(None, [error])
    except RecursionError:
        done = ExecutionResult(None, [GraphQLError("Query is nested too deeply")])
    return {"data": done.data, "errors": _messages(done.errors or ()) or None}


def _done(
    call: Call, query: str, variables: Mapping[str, Any], operation: str | None
) -> ExecutionResult:
    if len(query) > MAX_LENGTH:
        raise GraphQLError(f"Query exceeds maximum length of {MAX_LENGTH} characters")
    document = parse(query, no_location=True, max_tokens=MAX_TOKENS)
    check_size(document)
    faults = validate(schema(), document, RULES, MAX_ERRORS)
    if faults:
        return ExecutionResult(None, faults)
    return execute_sync(
        schema(),
        document,
        context_value=Asked(call),
        variable_values=dict(variables),
        operation_name=operation,
        field_resolver=said,
    )


def _messages(errors: Sequence[GraphQLError]) -> list[str]:
    return [_message(error) for error in errors]


def _message(error: GraphQLError) -> str:
    cause = error.original_error
    if cause is None or isinstance(cause, GraphQLError):
        return error.message
    if isinstance(cause, Unauthenticated):
        raise cause
    if isinstance(cause, MlflowError):
        return cause.message
    if isinstance(cause, MainspringError):
        return translated(cause).message
    reference = new_id()[:8]
    log.error("fault %s at %s of /graphql", reference, error.path, exc_info=cause)
    return f"a fault of the server; its log tells more under {reference}"
