"""The protocol's reference client, unmodified."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

from .data_plane import PREDICT, Plane, echo

COLUMNS: dict[str, Any] = {
    "flag": np.array([True, False]),
    "count": np.array([-(2**63), 2**63 - 1]),
    "small": np.array([0.5, -1.5], dtype=np.float32),
    "big": np.array([1e300, 1 / 3]),
    "word": np.array(["w\u00f6rd", ""], dtype=object),
}
DATATYPES = {tensor["name"]: tensor["datatype"] for tensor in echo()["inputs"]}


def _token() -> dict[str, str]:
    # A copy for each call: the client writes the headers of its request into it.
    return dict(PREDICT)


@pytest.fixture
def client(plane: Plane) -> Iterator[Any]:
    client = triton.InferenceServerClient(f"127.0.0.1:{plane.port}")
    yield client
    client.close()


def _inputs(*, binary: bool) -> list[Any]:
    inputs = []
    for name, values in COLUMNS.items():
        tensor = triton.InferInput(name, [2], DATATYPES[name])
        tensor.set_data_from_numpy(values, binary_data=binary)
        inputs.append(tensor)
    return inputs


def test_it_sees_the_server_and_the_models(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata()["extensions"][0] == "binary_tensor_data"
    assert client.is_model_ready("echo", headers=_token())
    assert client.is_model_ready("echo", "1", headers=_token())
    assert not client.is_model_ready("echo", "7", headers=_token())
    assert client.get_model_metadata("echo", "1", headers=_token())["platform"] == "mainspring_onnx"


@pytest.mark.parametrize("sent", [True, False])
@pytest.mark.parametrize("wanted", [True, False, None])
@pytest.mark.parametrize("coding", [None, "gzip", "deflate"])
def test_it_infers(client: Any, *, sent: bool, wanted: bool | None, coding: str | None) -> None:
    outputs = None
    if wanted is not None:
        outputs = [triton.InferRequestedOutput(f"same_{n}", binary_data=wanted) for n in COLUMNS]

    result = client.infer(
        "echo",
        _inputs(binary=sent),
        outputs=outputs,
        request_id="two",
        headers=_token(),
        request_compression_algorithm=coding,
        response_compression_algorithm=coding,
        parameters={"mine": 1},
    )

    assert result.get_response()["id"] == "two"
    for name, values in COLUMNS.items():
        found = result.as_numpy(f"same_{name}").tolist()
        texts = [value.decode() if isinstance(value, bytes) else value for value in found]
        assert texts == values.tolist()


def test_it_is_told_what_is_wrong(client: Any) -> None:
    with pytest.raises(triton.InferenceServerException, match="no model named 'nope'") as refused:
        client.infer("nope", _inputs(binary=True), headers=_token())

    assert refused.value.status() == "404"
