"""The reference client with everything that it can send, to a model that declares nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio

from mainspring.engines.tensor import DTYPES

from .data_plane import Plane
from .test_group import moody

SHAPES = [[], [0], [1], [3], [2, 3], [0, 3], [1, 2, 1, 2]]
NO_JSON = ("FP16", "BF16")


@pytest.fixture(scope="module")
def open_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """It serves a model that answers what it is sent."""
    folder = tmp_path_factory.mktemp("open")
    with Plane(folder, [moody("Echo")], tokens=[], anonymous=True) as plane:
        yield plane


@pytest.fixture
def client(open_plane: Plane) -> Iterator[Any]:
    with triton.InferenceServerClient(f"127.0.0.1:{open_plane.port}") as client:
        yield client


def _values(datatype: str, shape: list[int]) -> Any:
    """As many values as the shape has, with the ends of what the datatype can hold."""
    count = int(np.prod(shape))
    dtype = DTYPES[datatype]  # type: ignore[index]
    if datatype == "BF16":
        dtype = np.dtype(ml_dtypes.bfloat16)
        ends: list[Any] = [*np.array([0xFF7F, 0x7F7F, 0, 0x3F80], dtype="<u2").view(dtype)]
    elif dtype.kind == "O":
        ends = [b"w\xc3\xb6rd", b"", b'"\\', "\U0001f600".encode()]
    elif dtype.kind == "b":
        ends = [True, False]
    else:
        limits: Any = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
        ends = [limits.min, limits.max, 0, 1]
    array = np.empty(count, dtype=dtype)
    array[:] = [ends[n % len(ends)] for n in range(count)]
    return array.reshape(shape)


def _echoed(client: Any, values: Any, datatype: str, **sent: Any) -> Any:
    tensor = triton.InferInput("x", list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=sent.pop("binary"))
    wanted = sent.pop("wanted")
    outputs = None if wanted is None else [triton.InferRequestedOutput("x", binary_data=wanted)]
    return client.infer("echo", [tensor], outputs=outputs, **sent).as_numpy("x")


def _as_sent(found: Any) -> Any:
    """Text that came as JSON is str, else it is bytes."""
    return [value.encode() if isinstance(value, str) else value for value in found.ravel().tolist()]


@pytest.mark.parametrize("datatype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_datatype_in_every_shape_both_ways(
    client: Any, datatype: str, shape: list[int]
) -> None:
    values = _values(datatype, shape)
    for binary in (True,) if datatype in NO_JSON else (True, False):
        for wanted in (True, False, None):
            found = _echoed(client, values, datatype, binary=binary, wanted=wanted)

            assert list(found.shape) == shape
            assert _as_sent(found) == values.ravel().tolist()


def test_bytes_that_are_no_text_come_back_in_binary_and_are_refused_in_json(client: Any) -> None:
    values = np.array([b"\xff\xfe\x00", b""], dtype=object)

    assert _echoed(client, values, "BYTES", binary=True, wanted=True).tolist() == values.tolist()
    with pytest.raises(triton.InferenceServerException, match="no UTF-8 text") as refused:
        _echoed(client, values, "BYTES", binary=True, wanted=False)
    assert refused.value.status() == "400"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("datatype", ["FP32", "BYTES"])
def test_large_bodies_compressed_both_ways(client: Any, coding: str, datatype: str) -> None:
    values = _values(datatype, [200, 50])

    found = _echoed(
        client,
        values,
        datatype,
        binary=True,
        wanted=True,
        request_compression_algorithm=coding,
        response_compression_algorithm=coding,
    )

    assert found.tolist() == values.tolist()


@pytest.mark.parametrize("id_", ["gr\u00fc\u00df", "\u4f60\u597d", "a" * 200])
def test_ids_and_parameters_of_every_kind(client: Any, id_: str) -> None:
    tensor = triton.InferInput("x", [1], "FP32")
    tensor.set_data_from_numpy(np.ones(1, dtype=np.float32))

    result = client.infer(
        "echo",
        [tensor],
        model_version="1",
        request_id=id_,
        sequence_id=7,
        sequence_start=True,
        priority=2,
        timeout=10_000_000,
        parameters={"text": "x", "number": 1.5, "truth": True, "count": 2},
    ).get_response()

    assert (result["id"], result["model_name"], result["model_version"]) == (id_, "echo", "1")


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.get_model_config("echo"),
        lambda client: client.get_trace_settings(),
        lambda client: client.get_system_shared_memory_status(),
        lambda client: client.load_model("nope"),
        lambda client: client.get_model_metadata("echo", "9"),
    ],
    ids=["config", "trace", "shared memory", "load", "version"],
)
def test_what_is_not_there_is_said_so(client: Any, ask: Any) -> None:
    with pytest.raises(triton.InferenceServerException) as refused:
        ask(client)

    assert refused.value.status() == "404"
    assert refused.value.message()


@pytest.mark.parametrize("shared", ["input", "output"])
def test_tensors_in_shared_memory_are_refused(client: Any, shared: str) -> None:
    tensor, output = triton.InferInput("x", [1], "FP32"), triton.InferRequestedOutput("x")
    tensor.set_data_from_numpy(np.ones(1, dtype=np.float32))
    {"input": tensor, "output": output}[shared].set_shared_memory("region", 4)

    with pytest.raises(triton.InferenceServerException) as refused:
        client.infer("echo", [tensor], outputs=[output])

    assert refused.value.status() == "400"
    assert f"{shared} 'x' is meant to be in shared memory" in refused.value.message()


def test_the_asynchronous_client_asks_for_many_things_at_once(open_plane: Plane) -> None:
    async def ask() -> list[list[float]]:
        async with triton_aio.InferenceServerClient(f"127.0.0.1:{open_plane.port}") as client:

            async def one(number: int) -> list[float]:
                tensor = triton_aio.InferInput("x", [2], "FP64")
                tensor.set_data_from_numpy(np.full(2, float(number)))
                found: list[float] = (await client.infer("echo", [tensor])).as_numpy("x").tolist()
                return found

            return await asyncio.gather(*(one(number) for number in range(50)))

    assert asyncio.run(ask()) == [[float(number)] * 2 for number in range(50)]


def test_nothing_of_this_is_an_error_to_the_server(open_plane: Plane) -> None:
    assert open_plane.errors.read_text() == ""


def test_the_clients_own_unloading(tmp_path: Path) -> None:
    model = moody("Echo")
    with (
        Plane(tmp_path, [model], tokens=[], anonymous=True, is_steered=False) as plane,
        triton.InferenceServerClient(f"127.0.0.1:{plane.port}") as client,
    ):
        assert client.is_model_ready("echo")
        client.unload_model("echo")
        assert not client.is_model_ready("echo")
        (known,) = client.get_model_repository_index()
        assert known["state"] == "UNAVAILABLE"
        client.load_model("echo")
        assert client.is_model_ready("echo")
