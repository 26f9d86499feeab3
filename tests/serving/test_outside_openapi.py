"""The document of a data plane tells the truth: whatever it allows or forbids, the server agrees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test

from mainspring.serving.openapi import document

from .data_plane import PREDICT, Plane, row, served
from .test_group import moody, state

SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = sorted(
    operation["operationId"]
    for path in document()["paths"].values()
    for verb, operation in path.items()
    if verb in ("get", "post")
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SOME = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, first_model: Path) -> Iterator[Plane]:
    """A model that takes anything, and one that declares all that it takes."""
    models = [moody("Echo"), served(first_model)]
    with Plane(tmp_path_factory.mktemp("described"), models, is_steered=False) as plane:
        yield plane


@pytest.mark.slow
@pytest.mark.parametrize("model", ["echo", "tumour"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_the_data_plane_keeps_to_its_document(name: str, model: str, described: Plane) -> None:
    @SOME
    def keeps_to_it(case: schemathesis.Case[Any]) -> None:
        if case.meta is not None and case.meta.generation.mode.is_positive:
            names = {"model": model, "version": "1"}
            case.path_parameters.update({key: names[key] for key in case.path_parameters})

        response = case.call(base_url=str(described.client.base_url), headers=PREDICT)

        case.validate_response(response, checks=CHECKS)

    build_operation_test(
        config=SCHEMA.config,
        operation=SCHEMA.find_operation_by_id(name),
        test_func=keeps_to_it,
        given_kwargs={},
        feedback=FeedbackSources(),
    )()

    for one in ("echo", "tumour"):  # which may have been unloaded
        assert described.client.post(f"/v2/repository/models/{one}/load").status_code == 200
    assert described.infer(row()).status_code == 200
    assert described.errors.read_text() == ""
    assert state(described).restarts == []


def test_the_served_document_is_this_one(plane: Plane) -> None:
    assert plane.client.get("/openapi.json").json() == document()
