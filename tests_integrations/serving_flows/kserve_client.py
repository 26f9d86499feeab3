"""KServe's own client of the protocol, in JSON and in binary."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

import httpx
import numpy as np
import pytest
from kserve import (
    InferenceRESTClient,
    InferInput,
    InferOutput,
    InferRequest,
    InferResponse,
    RESTConfig,
)
from kserve.protocol.infer_type import RequestedOutput

URL = os.environ["FLOW_URL"]
DATATYPES = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP32": np.float32,
    "FP64": np.float64,
    "FP16": np.float16,
}


def played(flow: Callable[[InferenceRESTClient], Awaitable[object]]) -> object:
    """What a flow with a client gives."""

    async def play() -> object:
        client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0, timeout=20))
        try:
            return await flow(client)
        finally:
            await client.close()

    return asyncio.run(play())


def inferred(request: InferRequest, model: str = "echo") -> dict[str, InferOutput]:
    """The outputs by their names."""
    response = played(lambda client: client.infer(URL, request, model_name=model))
    assert isinstance(response, InferResponse)
    return {output.name: output for output in response.outputs}


def test_it_sees_the_server_and_the_model() -> None:
    assert played(lambda client: client.is_server_live(URL))
    assert played(lambda client: client.is_server_ready(URL))
    assert played(lambda client: client.is_model_ready(URL, "echo"))
    assert not played(lambda client: client.is_model_ready(URL, "nope"))


@pytest.mark.parametrize("datatype", DATATYPES)
@pytest.mark.parametrize("binary", [True, False])
def test_numbers_come_back_as_they_went(datatype: str, *, binary: bool) -> None:
    if datatype == "FP16" and not binary:
        pytest.skip("JSON has no form for it")
    values = np.array([[0, 1, 1], [1, 0, 1]], dtype=DATATYPES[datatype])
    tensor = InferInput("x", [2, 3], datatype)
    tensor.set_data_from_numpy(values, binary_data=binary)
    wanted = [RequestedOutput("x", {"binary_data": binary})]
    request = InferRequest("echo", [tensor], request_id="one", request_outputs=wanted)

    found = inferred(request)["x"].as_numpy()

    assert (found.dtype, found.tolist()) == (values.dtype, values.tolist())


@pytest.mark.parametrize("binary", [True, False])
def test_texts_come_back_as_they_went(*, binary: bool) -> None:
    values = np.array(["w\u00f6rd", ""], dtype=object)
    tensor = InferInput("x", [2], "BYTES")
    tensor.set_data_from_numpy(values, binary_data=binary)

    found = inferred(InferRequest("echo", [tensor]))["x"].as_numpy().tolist()

    texts = [value.decode() if isinstance(value, bytes) else value for value in found]
    assert texts == values.tolist()


def test_a_wrong_request_is_said_to_be_wrong() -> None:
    tensor = InferInput("nothing", [1], "FP32", [1.0])

    with pytest.raises(httpx.HTTPStatusError, match="400"):
        inferred(InferRequest("sum", [tensor]), "sum")
