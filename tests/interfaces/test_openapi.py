"""The OpenAPI document tells the truth: whatever it allows or forbids, the server agrees."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test

from mainspring.app import OPERATIONS, SERVICE, App
from mainspring.core.settings import Settings
from mainspring.interfaces.http.api import path_of
from mainspring.interfaces.http.openapi import openapi
from tests.conftest import Template
from tests.house import Clock, Front
from tests.world import World, built, in_workspace

DOCUMENT = openapi(one for one in OPERATIONS.values() if not one.inside)
LONG = 5000
"""Texts may be longer; to make up some that are just too long takes seconds for each field."""


def with_short_texts(part: Any) -> Any:
    """The same document without limits that only very long texts reach."""
    if isinstance(part, list):
        return [with_short_texts(one) for one in part]
    if isinstance(part, dict):
        return {
            key: with_short_texts(value)
            for key, value in part.items()
            if not (key == "maxLength" and value > LONG)
        }
    return part


SCHEMA = schemathesis.openapi.from_dict(with_short_texts(DOCUMENT))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
FEW = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Errors(logging.Handler):
    """Remembers the tracebacks that were logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(self.format(record))


@pytest.fixture(scope="module")
def place(
    sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory, front: Front
) -> Iterator[tuple[str, World, dict[str, str]]]:
    """A real server with something of everything in it."""
    home = tmp_path_factory.mktemp("openapi")
    shutil.copy(sqlite_template.place, home / "mainspring.db")
    clock = Clock()
    app = App(Settings(home=home), clock)
    world = built(in_workspace(app, sqlite_template.tokens, "default"), clock)
    yield front.show(app), world, sqlite_template.tokens
    app.close()


@pytest.fixture(scope="module")
def tracebacks() -> Iterator[list[str]]:
    """What the server logs as an error."""
    handler = Errors()
    logging.getLogger().addHandler(handler)
    yield handler.told
    logging.getLogger().removeHandler(handler)


def point_at(case: schemathesis.Case[Any], world: World) -> None:
    """Let a valid request be about something that there is."""
    names: dict[str, Any] = world.names()
    case.path_parameters.update(
        {name: names[name] for name in case.path_parameters if name in names}
    )
    if isinstance(case.body, dict):
        case.body.update({name: names[name] for name in case.body if name in names})


def names_its_trouble(error: dict[str, Any]) -> bool:
    """Whether an error says which field it is about, or lists its reasons."""
    return error["field"] is not None or bool(error["reasons"])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(n for n, one in OPERATIONS.items() if not one.inside))
def test_the_server_keeps_to_its_document(
    name: str, place: tuple[str, World, dict[str, str]], tracebacks: list[str]
) -> None:
    url, world, tokens = place
    who = SERVICE if OPERATIONS[name].allow == "operate" else "ada"
    headers = {"Authorization": f"Bearer {tokens[who]}"}

    @FEW
    def keeps_to_it(case: schemathesis.Case[Any]) -> None:
        if case.meta is not None and case.meta.generation.mode.is_positive:
            point_at(case, world)

        response = case.call(base_url=url, headers=headers)

        case.validate_response(response, checks=CHECKS)
        if not any(isinstance(value, list | dict) for value in case.query.values()):
            # A value, a list of it and an object with that one name are the same text in a query.
            case.validate_response(response, checks=[negative_data_rejection])
        assert response.status_code in (200, 401, 403) or names_its_trouble(response.json())

    # `SCHEMA.parametrize` does the same while tests are collected, in each process: a minute of each.
    build_operation_test(
        config=SCHEMA.config,
        operation=SCHEMA.find_operation_by_id(name),
        test_func=keeps_to_it,
        given_kwargs={},
        feedback=FeedbackSources(),
    )()

    assert tracebacks == []


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_operation_but_inner_ones_has_its_route(name: str) -> None:
    operation = OPERATIONS[name]
    described = DOCUMENT["paths"].get(path_of(operation), {})

    assert (operation.verb.lower() in described) == (not operation.inside)


def test_the_served_document_is_this_one(place: tuple[str, World, dict[str, str]]) -> None:
    served: dict[str, Any] = httpx2.get(
        f"{place[0]}/api/v1/openapi.json", trust_env=False, verify=False
    ).json()

    assert sorted(served["paths"]) == sorted(DOCUMENT["paths"])


def test_every_described_answer_is_in_one_form(tmp_path: Path) -> None:
    errors = {
        content["application/json"]["schema"]["$ref"]
        for path in DOCUMENT["paths"].values()
        for operation in path.values()
        for status, answer in operation["responses"].items()
        if status != "200" and (content := answer["content"])
    }

    assert errors == {"#/components/schemas/Error"}
