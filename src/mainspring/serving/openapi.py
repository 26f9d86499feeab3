"""The OpenAPI document of a data plane's own HTTP interface."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

from mainspring import __version__
from mainspring.core.signature import Datatype

Schema = dict[str, Any]


def _object(required: list[str] | None = None, **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": required or list(properties)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


TEXT: Schema = {"type": "string"}
PARAMETERS: Schema = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
}
SHAPE = _list({"type": "integer"})
DATATYPE: Schema = {"type": "string", "enum": list(get_args(Datatype))}
SCHEMAS: dict[str, Schema] = {
    "Error": _object(error=TEXT),
    "Tensor": {
        **_object(
            ["name", "shape", "datatype"],
            name=TEXT,
            shape=SHAPE,
            datatype=DATATYPE,
            parameters=PARAMETERS,
            data={"type": "array", "description": "Flat in row-major order, or nested."},
        ),
        "additionalProperties": False,
    },
    "TensorMetadata": _object(name=TEXT, datatype=DATATYPE, shape=SHAPE),
    "InferRequest": {
        **_object(
            ["inputs"],
            id={"type": "string", "maxLength": 200},
            parameters=PARAMETERS,
            inputs=_list(_ref("Tensor")),
            outputs=_list(
                {
                    **_object(["name"], name=TEXT, parameters=PARAMETERS),
                    "additionalProperties": False,
                }
            ),
        ),
        "additionalProperties": False,
    },
    "InferResponse": _object(
        ["id", "model_name", "model_version", "outputs"],
        id=TEXT,
        model_name=TEXT,
        model_version=TEXT,
        outputs=_list(_ref("Tensor")),
    ),
    "Model": _object(
        name=TEXT,
        versions=_list(TEXT),
        platform=TEXT,
        inputs=_list(_ref("TensorMetadata")),
        outputs=_list(_ref("TensorMetadata")),
    ),
    "Ready": _object(name=TEXT, ready={"type": "boolean"}),
    "Server": _object(name=TEXT, version=TEXT, extensions=_list(TEXT)),
    "Statistics": _object(
        model_stats=_list(
            _object(
                name=TEXT,
                version=TEXT,
                last_inference={"type": "integer"},
                inference_count={"type": "integer"},
                execution_count={"type": "integer"},
                inference_stats={"type": "object"},
                batch_stats=_list({"type": "object"}),
            )
        )
    ),
    "Version": _object(
        name=TEXT,
        version=TEXT,
        state={"type": "string", "enum": ["READY", "UNAVAILABLE"]},
        reason=TEXT,
    ),
    "Rows": _object(model_name=TEXT, model_version=TEXT, rows=_list({"type": "object"})),
    "Predictions": _object(["predictions"], predictions={"type": "array"}),
}
REFUSED = {
    "400": "The request breaks a rule that the error names.",
    "401": "No token, or one that may not predict.",
    "403": "A web page of another host asks, where no token is needed.",
    "404": "No such model or version, or it is not loaded.",
    "405": "Another method is wanted.",
    "408": "The body did not come in time.",
    "409": "The model is in a state that does not allow this.",
    "413": "The body is larger than a limit.",
    "415": "A body of this kind is not read here.",
    "429": "As many requests wait as may; Retry-After says when to come again.",
    "500": "The model failed on these inputs.",
    "503": "Too much is under way, or the log cannot be written.",
    "504": "The deadline of the request passed.",
}


def _answer(schema: Schema, text: str) -> Schema:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _operation(name: str, text: str, schema: Schema, body: Schema | None = None) -> Schema:
    refused = {code: _answer(_ref("Error"), said) for code, said in REFUSED.items()}
    found: Schema = {
        "operationId": name,
        "summary": text,
        "responses": {"200": _answer(schema, "Done."), **refused},
    }
    if body is not None:
        required = body.pop("required", True) if "content" in body else True
        content = body.get("content", {"application/json": {"schema": body}})
        found["requestBody"] = {"required": required, "content": content}
    return found


def _open(name: str, text: str, schema: Schema) -> Schema:
    return {
        "get": {
            "operationId": name,
            "summary": text,
            "security": [],
            "responses": {"200": _answer(schema, "Done.")},
        }
    }


def _path(*names: str, **operations: Schema) -> Schema:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {**TEXT, "minLength": 1}}
        for name in names
    ]
    return {"parameters": parameters, **operations}


def _infer(suffix: str) -> Schema:
    body: Schema = {
        "content": {
            "application/json": {"schema": _ref("InferRequest")},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        }
    }
    return _operation(f"infer{suffix}", "Predict.", _ref("InferResponse"), body)


def _change(verb: str) -> Schema:
    body: Schema = {
        "content": {"application/json": {"schema": _object([], parameters=PARAMETERS)}},
        "required": False,
    }
    return _path(
        "model", post=_operation(verb, f"{verb.capitalize()} a model.", {"type": "object"}, body)
    )


def _index() -> Schema:
    body: Schema = {
        "content": {"application/json": {"schema": _object([], ready={"type": "boolean"})}},
        "required": False,
    }
    text = "List every version that is known."
    return {"post": _operation("repositoryIndex", text, _list(_ref("Version")), body)}


def _rows(suffix: str) -> Schema:
    return _operation(
        f"predict{suffix}", "Predict plain rows.", _ref("Rows"), {"type": ["object", "array"]}
    )


@cache
def document() -> Schema:
    """OpenAPI 3.1: every path that callers may use."""
    model, version = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"
    both = ("model", "version")
    described = _operation("modelMetadata", "What a model takes and gives.", _ref("Model"))
    counted = _operation("statistics", "What models have done.", _ref("Statistics"))
    ready = _operation("modelReady", "Whether a model is ready.", _ref("Ready"))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mainspring data plane",
            "version": __version__,
            "description": "The Open Inference Protocol v2, plain rows, and MLflow's forms.",
        },
        "security": [{"token": []}, {}],
        "paths": {
            "/v2": _open("serverMetadata", "The server.", _ref("Server")),
            "/v2/health/live": _open("live", "Lives.", _object(live={"type": "boolean"})),
            "/v2/health/ready": _open("ready", "Is ready.", _object(ready={"type": "boolean"})),
            model: _path("model", get=described),
            version: _path(*both, get={**described, "operationId": "versionMetadata"}),
            f"{model}/ready": _path("model", get=ready),
            f"{version}/ready": _path(*both, get={**ready, "operationId": "versionReady"}),
            "/v2/models/stats": {"get": counted},
            f"{model}/stats": _path("model", get={**counted, "operationId": "modelStatistics"}),
            f"{version}/stats": _path(*both, get={**counted, "operationId": "versionStatistics"}),
            f"{model}/infer": _path("model", post=_infer("")),
            f"{version}/infer": _path(*both, post=_infer("Version")),
            "/v2/repository/index": _index(),
            "/v2/repository/models/{model}/load": _change("load"),
            "/v2/repository/models/{model}/unload": _change("unload"),
            "/predict/{model}": _path("model", post=_rows("")),
            "/predict/{model}/versions/{version}": _path(*both, post=_rows("Version")),
            "/invocations": {
                "post": _operation(
                    "invocations",
                    "Predict in MLflow's forms.",
                    _ref("Predictions"),
                    {"type": "object"},
                )
            },
        },
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
