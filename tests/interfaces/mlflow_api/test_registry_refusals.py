"""Bad input for every route of the registry: refused in MLflow's words, and never a fault."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interfaces.mlflow_api.test_registry import (
    BAD,
    ELSEWHERE,
    MISSING,
    MODELS,
    VERSIONS,
    create,
    version,
)
from tests.interfaces.mlflow_api.wire import Wire, refused
from tests.story import MODEL

NAMED = {"name": "nobody"}
ONE = {"name": "nobody", "version": "1"}
ROUTES: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", f"{MODELS}/get", NAMED),
    ("PATCH", f"{MODELS}/update", NAMED),
    ("POST", f"{MODELS}/rename", {**NAMED, "new_name": "other"}),
    ("DELETE", f"{MODELS}/delete", NAMED),
    ("GET", f"{MODELS}/get-latest-versions", NAMED),
    ("POST", f"{MODELS}/get-latest-versions", NAMED),
    ("POST", f"{MODELS}/set-tag", {**NAMED, "key": "k", "value": "v"}),
    ("DELETE", f"{MODELS}/delete-tag", {**NAMED, "key": "k"}),
    ("POST", f"{MODELS}/alias", {**ONE, "alias": "best"}),
    ("DELETE", f"{MODELS}/alias", {**NAMED, "alias": "best"}),
    ("POST", f"{VERSIONS}/create", {**NAMED, "source": ELSEWHERE}),
    ("GET", f"{VERSIONS}/get", ONE),
    ("PATCH", f"{VERSIONS}/update", ONE),
    ("DELETE", f"{VERSIONS}/delete", ONE),
    ("POST", f"{VERSIONS}/transition-stage", {**ONE, "stage": "Staging"}),
    ("GET", f"{VERSIONS}/get-download-uri", ONE),
    ("POST", f"{VERSIONS}/set-tag", {**ONE, "key": "k", "value": "v"}),
    ("DELETE", f"{VERSIONS}/delete-tag", {**ONE, "key": "k"}),
]
EVERY = pytest.mark.parametrize(("method", "path", "body"), ROUTES, ids=lambda one: str(one)[-30:])


def send(wire: Wire, method: str, path: str, body: dict[str, Any]) -> Any:
    return wire(method, path, **body) if method == "GET" else wire(method, path, body)


@EVERY
def test_a_model_that_is_not_there_is_told(
    wire: Wire, method: str, path: str, body: dict[str, Any]
) -> None:
    refused(send(wire, method, path, body), 404, MISSING, "not found")


@EVERY
def test_a_name_that_nothing_can_have_is_not_there(
    wire: Wire, method: str, path: str, body: dict[str, Any]
) -> None:
    for name in ("a/b", "a@1", "1", "x" * 300, "nul\x00"):
        refused(send(wire, method, path, {**body, "name": name}), 404, MISSING, "not found")


@EVERY
def test_every_field_that_is_needed_is_asked_for(
    wire: Wire, method: str, path: str, body: dict[str, Any]
) -> None:
    for name in body.keys() - {"value"}:
        rest = {key: value for key, value in body.items() if key != name}
        words = f"Missing value for required parameter '{name}'"
        refused(send(wire, method, path, rest), 400, BAD, words)


@pytest.mark.parametrize(
    ("method", "path", "body"), [one for one in ROUTES if one[0] != "GET"], ids=str
)
def test_a_field_of_another_type_is_refused(
    wire: Wire, method: str, path: str, body: dict[str, Any]
) -> None:
    for name in body:
        assert wire(method, path, {**body, name: {"a": [1]}}).status == 400


@pytest.mark.parametrize("number", ["x", "1.5", "", "٣x", "1" * 200])
def test_a_version_that_is_no_number_is_refused(wire: Wire, number: str) -> None:
    answer = wire("GET", f"{VERSIONS}/get", name=MODEL, version=number)

    refused(answer, 400, BAD)


@pytest.mark.parametrize("number", ["0", "-1", "9" * 40, " 7 "])
def test_a_number_that_no_version_has_is_not_there(wire: Wire, number: str) -> None:
    create(wire)

    refused(wire("GET", f"{VERSIONS}/get", name=MODEL, version=number), 404, MISSING, "not found")


@pytest.mark.parametrize("name", ["a/b", "a:b", "a@b", "7", "x" * 251, "a\nb", ".a", "a "])
def test_a_bad_name_is_refused(wire: Wire, name: str) -> None:
    create(wire, "fine")

    refused(wire("POST", f"{MODELS}/create", {"name": name}), 400, BAD, "parameter 'name'")
    body = {"name": "fine", "new_name": name}
    refused(wire("POST", f"{MODELS}/rename", body), 400, BAD, "parameter 'new_name'")


@pytest.mark.parametrize(
    ("alias", "words"),
    [
        ("latest", "reserved"), ("Latest", "reserved"), ("v1", "reserved"), ("V12", "reserved"),
        ("a b", "Names may only contain"), ("a/b", "Names may only contain"),
        ("x" * 256, "exceeds the maximum length"), ("production", "reads as"), ("3", "alias"),
    ],
)  # fmt: skip
def test_a_bad_alias_is_refused(wire: Wire, alias: str, words: str) -> None:
    create(wire)
    version(wire)

    body = {"name": MODEL, "alias": alias, "version": "1"}
    refused(wire("POST", f"{MODELS}/alias", body), 400, BAD, words)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("a$", "v"),
        ("../a", "v"),
        ("/a", "v"),
        ("k" * 251, "v"),
        ("k", "v" * 100_001),
        ("k", "\x00"),
    ],
)
def test_a_bad_tag_is_refused(wire: Wire, key: str, value: str) -> None:
    create(wire)
    version(wire)
    tag = {"key": key, "value": value}
    named: dict[str, Any] = {"name": MODEL, "source": ELSEWHERE, "tags": [tag]}

    refused(wire("POST", f"{MODELS}/create", {"name": "other", "tags": [tag]}), 400, BAD)
    refused(wire("POST", f"{MODELS}/set-tag", {"name": MODEL, **tag}), 400, BAD)
    body = {"name": MODEL, "version": "1", **tag}
    refused(wire("POST", f"{VERSIONS}/set-tag", body), 400, BAD)
    refused(wire("POST", f"{VERSIONS}/create", named), 400, BAD)


@pytest.mark.parametrize("field", ["description", "source", "run_link", "run_id"])
def test_a_text_beyond_all_measure_is_refused(wire: Wire, field: str) -> None:
    create(wire)

    for text in ("s3:/" + "x" * 20_000, "s3:/\x00"):
        body = {"name": MODEL, "source": ELSEWHERE, field: text}
        refused(wire("POST", f"{VERSIONS}/create", body), 400, BAD)


def test_a_stage_that_nobody_knows_is_refused(wire: Wire) -> None:
    create(wire)
    version(wire)
    body = {"name": MODEL, "version": "1", "stage": "Nowhere"}

    refused(wire("POST", f"{VERSIONS}/transition-stage", body), 400, BAD, "Invalid Model Version")
    asked = {"name": MODEL, "stages": ["Nowhere"]}
    refused(wire("POST", f"{MODELS}/get-latest-versions", asked), 400, BAD, "Invalid Model Version")
    moved = {**body, "stage": "Archived", "archive_existing_versions": True}
    refused(wire("POST", f"{VERSIONS}/transition-stage", moved), 400, BAD, "not an Active stage")
