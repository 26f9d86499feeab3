"""The model repository extension, with the reference client and without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import tritonclient.http as triton

from .data_plane import PREDICT, Plane, row

SERVED = [("tumour", "1"), ("tumour", "2"), ("brittle", "1"), ("echo", "1")]


@pytest.fixture
def client(plane: Plane) -> Iterator[Any]:
    client = triton.InferenceServerClient(f"127.0.0.1:{plane.port}")
    yield client
    client.close()


@pytest.mark.parametrize(
    "body", [b"", b" ", b"{}", b'{"ready": true}', b'{"ready": false, "x": 1}']
)
def test_the_index_lists_every_version(plane: Plane, body: bytes) -> None:
    response = plane.client.post("/v2/repository/index", content=body)

    assert response.status_code == 200, response.text
    assert [(entry["name"], entry["version"]) for entry in response.json()] == SERVED
    assert {entry["state"] for entry in response.json()} == {"READY"}


def test_the_reference_client_reads_it_and_loads(client: Any) -> None:
    assert len(client.get_model_repository_index(headers=dict(PREDICT))) == 4
    client.load_model("tumour", headers=dict(PREDICT))
    with pytest.raises(triton.InferenceServerException, match="'tumour' stays loaded"):
        client.unload_model("tumour", headers=dict(PREDICT))


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("index", b"{", 400, "not valid JSON"),
        ("index", b'{"ready": 1}', 400, "Expected `bool`, got `int`"),
        ("index", b"[" * 100_000, 400, "not"),
        ("models/nope/load", b"", 404, "decided by the stage that its deployment follows"),
        ("models/nope/unload", b"", 404, "no model named 'nope'"),
        ("models/tumour/unload", b"{}", 409, "stop the deployment"),
        ("models/tumour/load", b'{"parameters": {"config": "{}"}}', 409, "another 'config'"),
        ("models/tumour/load", b'{"parameters": 5}', 400, "does not follow the protocol"),
        ("models/tumour/stop", b"", 404, "nothing is at"),
        ("models//load", b"", 404, "nothing is at"),
        ("", b"", 404, "nothing is at"),
    ],
)
def test_what_cannot_be_is_refused_and_says_why(
    plane: Plane, path: str, body: bytes, status: int, message: str
) -> None:
    response = plane.client.post(f"/v2/repository/{path}", content=body)

    assert response.status_code == status, response.text
    assert message in response.json()["error"]
    assert plane.infer(row()).status_code == 200


def test_the_index_is_asked_with_post_and_a_token(plane: Plane) -> None:
    assert plane.client.get("/v2/repository/index").status_code == 405
    bare = httpx2.post(f"{plane.client.base_url}/v2/repository/index", verify=False)
    assert bare.status_code == 401
