"""GraphQL, which MLflow's pages speak for some of what they show."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import msgspec

from mainspring.administration import contract as administration
from mainspring.interfaces.mlflow_api.asking import ask
from mainspring.interfaces.mlflow_api.dispatch import Call, Params, whole
from mainspring.interfaces.mlflow_api.failure import missing_value

ANSWERING = "mainspring.interfaces.mlflow_api.graph.answering"
"""Loaded when it is first asked for: it takes as long as all else of the translation."""


class Query(Params, frozen=True, kw_only=True):
    """A query in the GraphQL language."""

    query: str | None = None
    variables: dict[str, Any] | None = None
    operation_name: str | None = msgspec.field(default=None, name="operationName")


@whole("GET", "/graphql", Query)
@whole("POST", "/graphql", Query)
def graphql(call: Call, params: Query) -> dict[str, Any]:
    """What the query asks for; a bad query is told so in the answer's `errors`."""
    if not params.query:
        raise missing_value("query")
    # Some queries look nothing up: who asks is checked all the same.
    ask(call, administration.whoami)
    answering: Any = import_module(ANSWERING)
    found: dict[str, Any] = answering.answer(
        call, params.query, params.variables or {}, params.operation_name
    )
    return found
