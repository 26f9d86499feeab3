"""The OpenAPI document, read off the operations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from mainspring import __version__
from mainspring.core.errors import KINDS
from mainspring.core.operation import Operation

ERROR_SCHEMA = {
    "type": "object",
    "required": ["error", "code", "message"],
    "properties": {
        "error": {"type": "string"},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "field": {"type": ["string", "null"]},
        "reasons": {"type": "array", "items": {"type": "string"}},
        "fix": {"type": ["string", "null"]},
    },
}


def openapi(operations: Iterable[Operation[Any, Any]]) -> dict[str, Any]:
    """The document of all operations."""
    listed = list(operations)
    types = [one for o in listed for one in (o.request, o.response)]
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, Any] = {}
    for place, operation in enumerate(listed):
        request = _resolved(schemas[2 * place], components)
        below = "" if operation.scope == "system" else "/workspaces/{workspace}"
        item = paths.setdefault(f"/api/v1{below}{operation.path}", {})
        item[operation.verb.lower()] = _described(operation, request, schemas[2 * place + 1])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mainspring", "version": __version__},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": ERROR_SCHEMA},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _resolved(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = components.get(name, schema)
    return found


def _described(
    operation: Operation[Any, Any], request: dict[str, Any], response: dict[str, Any]
) -> dict[str, Any]:
    properties = request.get("properties", {})
    required = request.get("required", [])
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.name.partition(".")[0]],
        "summary": operation.summary,
        "description": f"Needs the permission `{operation.allow}`.",
        "parameters": _parameters(operation, properties, required),
        "responses": _responses(response),
    }
    if operation.verb not in ("GET", "DELETE"):
        inside = [name for name in properties if name not in operation.path_fields]
        body = {
            "type": "object",
            "properties": {name: properties[name] for name in inside},
            "required": [name for name in required if name in inside],
            "additionalProperties": False,
        }
        content = {"application/json": {"schema": body}}
        described["requestBody"] = {"required": bool(body["required"]), "content": content}
    return described


def _parameters(
    operation: Operation[Any, Any], properties: dict[str, Any], required: list[str]
) -> list[dict[str, Any]]:
    found = []
    if operation.scope != "system":
        schema = {"type": "string", "enum": ["default"], "description": "or another that you see"}
        found.append({"name": "workspace", "in": "path", "required": True, "schema": schema})
    for name, schema in properties.items():
        if name in operation.path_fields:
            found.append({"name": name, "in": "path", "required": True, "schema": schema})
        elif operation.verb in ("GET", "DELETE"):
            found.append(
                {
                    "name": name,
                    "in": "query",
                    "required": name in required,
                    "schema": _without_null(schema),
                }
            )
    return found


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query has no null: what is not said is left out."""
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if not kinds:
        return schema
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return {**rest, "anyOf": kinds} if len(kinds) > 1 else {**rest, **kinds[0]}


def _responses(response: dict[str, Any]) -> dict[str, Any]:
    done = {"description": "done", "content": {"application/json": {"schema": response}}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    refused = {
        str(kind.status): {"description": (kind.__doc__ or "").strip(), "content": error}
        for kind in KINDS
        if kind.status < 500
    }
    return {"200": done, **dict(sorted(refused.items()))}
