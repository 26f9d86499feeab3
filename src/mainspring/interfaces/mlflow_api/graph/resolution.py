"""Where the fields of a query come from: the routes of the REST API answer them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import msgspec
from graphql import (
    GraphQLError,
    GraphQLList,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    get_named_type,
)

from mainspring.interfaces.mlflow_api.dispatch import ROUTES, Call, read_params
from mainspring.interfaces.mlflow_api.graph.language import SCHEMA

_API = "/api/2.0/mlflow/"
SEARCH_RUNS = ("POST", f"{_API}runs/search")
SHOW_EXPERIMENT = ("GET", f"{_API}experiments/get")
SEARCH_VERSIONS = ("GET", f"{_API}model-versions/search")
ANSWERS = {
    "Query": {
        "mlflowGetExperiment": SHOW_EXPERIMENT,
        "mlflowGetMetricHistoryBulkInterval": ("GET", f"{_API}metrics/get-history-bulk-interval"),
        "mlflowGetRun": ("GET", f"{_API}runs/get"),
        "mlflowListArtifacts": ("GET", f"{_API}artifacts/list"),
        "mlflowSearchModelVersions": SEARCH_VERSIONS,
        "mlflowSearchRuns": SEARCH_RUNS,
    },
    "Mutation": {
        "mlflowSearchDatasets": ("POST", f"{_API}experiments/search-datasets"),
        "mlflowSearchRuns": SEARCH_RUNS,
    },
}
"""Which route answers which field."""
MAX_LOOKUPS = 1_000
"""Requests to the routes in one query: its runs may each ask for their experiment and versions."""
_EMPTY: dict[str, object] = {"String": "", "LongString": 0, "Boolean": False}
"""What pages expect where nothing is said."""


@dataclass(slots=True)
class Asked:
    """One query, with the means to answer it."""

    call: Call
    experiments: dict[str, Any] = field(default_factory=dict)
    lookups: int = 0

    def ask(self, route: tuple[str, str], fields: Mapping[str, object]) -> Any:
        """What the route answers to the fields."""
        self.lookups += 1
        if self.lookups > MAX_LOOKUPS:
            raise GraphQLError(
                f"Query needs more than {MAX_LOOKUPS} lookups; ask for fewer runs at a time"
            )
        endpoint = ROUTES[route]
        params = read_params(endpoint, msgspec.json.encode(fields), {}, {})
        return endpoint.function(self.call, params)


@cache
def schema() -> GraphQLSchema:
    """Everything that may be asked, each field with where it comes from."""
    made = build_schema(SCHEMA)
    for name, fields in ANSWERS.items():
        for key, route in fields.items():
            _object(made, name).fields[key].resolve = partial(_answered, route)
    _object(made, "Query").fields["test"].resolve = _echo
    _object(made, "Mutation").fields["testMutation"].resolve = _echo
    run = _object(made, "MlflowRunExtension")
    run.fields["experiment"].resolve = _experiment_of
    run.fields["modelVersions"].resolve = _versions_of
    long = made.type_map["LongString"]
    assert isinstance(long, GraphQLScalarType)
    long.coerce_output_value, long.coerce_input_value = str, _whole
    return made


def said(source: Any, info: GraphQLResolveInfo[Any]) -> object:
    """A field of what a route answered, which names it in snake case."""
    name = _snake(info.field_name)
    found = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
    kind = info.return_type
    if found is None or found is msgspec.UNSET:
        return [] if isinstance(kind, GraphQLList) else _EMPTY.get(get_named_type(kind).name)
    if get_named_type(kind).name == "Float" and not math.isfinite(float(found)):
        return None  # JSON has no word for it
    return found


def _object(made: GraphQLSchema, name: str) -> GraphQLObjectType:
    found = made.type_map[name]
    assert isinstance(found, GraphQLObjectType)
    return found


def _answered(
    route: tuple[str, str], _source: Any, info: GraphQLResolveInfo[Any], **arguments: Any
) -> Any:
    given = arguments.get("input") or {}
    return info.context.ask(route, {_snake(name): value for name, value in given.items()})


def _echo(_source: Any, _info: GraphQLResolveInfo[Any], **arguments: Any) -> dict[str, object]:
    return {"output": arguments.get("inputString")}


def _experiment_of(run: Any, info: GraphQLResolveInfo[Any]) -> Any:
    asked: Asked = info.context
    key = run.info.experiment_id
    if key not in asked.experiments:
        asked.experiments[key] = asked.ask(SHOW_EXPERIMENT, {"experiment_id": key})["experiment"]
    return asked.experiments[key]


def _versions_of(run: Any, info: GraphQLResolveInfo[Any]) -> Any:
    found = info.context.ask(SEARCH_VERSIONS, {"filter": f"run_id='{run.info.run_id}'"})
    return found.get("model_versions", [])


def _whole(value: Any) -> int:
    """A long integer that stands in a query as a number or as text."""
    plain = isinstance(value, int | str) and not isinstance(value, bool)
    if not plain or re.fullmatch("-?[0-9]{1,40}", str(value), re.ASCII) is None:
        raise GraphQLError(f"LongString cannot represent {value!r}")
    return int(value)


@cache
def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
