"""The Open Inference Protocol over gRPC: tensors both ways, with the reference client and without."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
import tritonclient.http as triton_http
from tritonclient.grpc import service_pb2

from mainspring.monitoring.prediction_log import read_predictions

from .data_plane import PREDICT, row, served
from .grpc_plane import (
    FIELDS,
    FORMATS,
    TOKEN,
    GrpcPlane,
    Relay,
    as_raw,
    model,
    number,
    parameter,
    patient,
    raw,
    request,
    tensor,
)

VALUES: dict[str, list[Any]] = {
    "BOOL": [True, False],
    "INT8": [-128, 127],
    "INT16": [-(2**15), 2**15 - 1],
    "INT32": [-(2**31), 2**31 - 1],
    "INT64": [-(2**63), 2**63 - 1],
    "UINT8": [0, 255],
    "UINT16": [0, 2**16 - 1],
    "UINT32": [0, 2**32 - 1],
    "UINT64": [0, 2**64 - 1],
    "FP32": [0.5, float("-inf")],
    "FP64": [1 / 3, 1e300],
    "BYTES": [b"\xff\x00", b""],
}


@pytest.fixture(scope="module")
def plane(
    tmp_path_factory: pytest.TempPathFactory, first_model: Path, second_model: Path
) -> Iterator[GrpcPlane]:
    models = [
        served(first_model, "1"),
        served(second_model, "2"),
        model("Echo"),
        model("Halve"),
        model("Moody"),
    ]
    with GrpcPlane(tmp_path_factory.mktemp("plane"), models) as plane:
        yield plane
        plane.stop()
        assert plane.errors.read_text() == ""


@pytest.fixture
def client(plane: GrpcPlane) -> Iterator[Any]:
    with triton.InferenceServerClient(plane.place) as client:
        yield client


def _everything() -> list[Any]:
    """An input of every datatype that has typed contents, in two dimensions."""
    return [tensor(name.lower(), name, values, [2, 1]) for name, values in VALUES.items()]


def test_every_datatype_goes_both_ways_in_typed_contents(plane: GrpcPlane) -> None:
    answer = plane.ask(request("echo", *_everything()))

    assert not answer.raw_output_contents
    assert [output.datatype for output in answer.outputs] == list(VALUES)
    for output in answer.outputs:
        assert list(output.shape) == [2, 1]
        assert [field.name for field, _ in output.contents.ListFields()] == [
            FIELDS[output.datatype]
        ]
        assert list(getattr(output.contents, FIELDS[output.datatype])) == VALUES[output.datatype]


def test_every_datatype_goes_both_ways_in_raw_contents(plane: GrpcPlane) -> None:
    message = as_raw(request("echo", *_everything()))
    message.inputs.add(name="fp16", datatype="FP16", shape=[3])
    message.raw_input_contents.append(raw("FP16", [0.5, -2.0, float("nan")]))

    answer = plane.ask(message)

    assert [output.datatype for output in answer.outputs] == [*VALUES, "FP16"]
    assert not any(output.HasField("contents") for output in answer.outputs)
    assert list(answer.raw_output_contents) == list(message.raw_input_contents)


def test_an_answer_with_fp16_is_raw(plane: GrpcPlane) -> None:
    message = request("halve", tensor("x", "FP32", [1.0, 3.0]))

    answer = plane.ask(message)
    message.outputs.add(name="twice")
    typed = plane.ask(message)

    assert [output.datatype for output in answer.outputs] == ["FP16", "FP32"]
    assert list(answer.raw_output_contents) == [raw("FP16", [0.5, 1.5]), raw("FP32", [2.0, 6.0])]
    assert list(typed.outputs[0].contents.fp32_contents) == [2.0, 6.0]


@pytest.mark.parametrize("shape", [[0], [2, 0], [1, 1, 1]])
def test_an_open_model_may_be_sent_any_shape(plane: GrpcPlane, shape: list[int]) -> None:
    values = [] if 0 in shape else [7]
    typed = service_pb2.ModelInferRequest.InferInputTensor(
        name="x", datatype="INT32", shape=shape, contents={"int_contents": values}
    )

    for message in (request("echo", typed), as_raw(request("echo", typed))):
        answer = plane.ask(message)

        assert (list(answer.outputs[0].shape), answer.outputs[0].datatype) == (shape, "INT32")


@pytest.mark.parametrize("datatype", [*VALUES, "FP16"])
def test_the_reference_client_reads_what_it_sent(client: Any, datatype: str) -> None:
    values = VALUES.get(datatype, [0.5, -2.0])
    array = np.array(values, dtype=FORMATS.get(datatype, object))
    sent = triton.InferInput("x", [2], datatype)
    sent.set_data_from_numpy(array)

    result = client.infer("echo", [sent], headers=PREDICT, request_id="mine")

    assert result.get_response().id == "mine"
    assert result.as_numpy("x").dtype == array.dtype
    assert result.as_numpy("x").tolist() == array.tolist()


@pytest.mark.parametrize("coding", [None, "gzip", "deflate"])
@pytest.mark.parametrize("rows", [1, 1000])
def test_messages_may_be_compressed_both_ways(client: Any, rows: int, coding: str | None) -> None:
    array = np.arange(rows, dtype=np.float64)
    sent = triton.InferInput("x", [rows], "FP64")
    sent.set_data_from_numpy(array)
    headers = PREDICT | ({"accept-encoding": coding} if coding else {})

    result = client.infer("moody", [sent], headers=headers, compression_algorithm=coding)

    assert (result.as_numpy("y") == array * 2).all()


@pytest.mark.parametrize(
    ("asked", "fewest", "most"), [("gzip", 0, 4_000), ("deflate", 0, 4_000), ("br", 40_000, 50_000)]
)
def test_an_answer_is_compressed_where_that_is_asked_for(
    plane: GrpcPlane, asked: str, fewest: int, most: int
) -> None:
    message = as_raw(number("moody", *[1.0] * 5000))
    with Relay(plane.grpc_port) as relay, plane.calling(relay.port) as stub:
        answer = stub.ModelInfer(message, metadata=(*TOKEN, ("accept-encoding", asked)))

    assert len(answer.raw_output_contents[0]) == 40_000
    assert fewest <= relay.bytes_back <= most


def test_the_reference_client_infers_asynchronously(plane: GrpcPlane) -> None:
    async def go() -> list[list[float]]:
        async with triton_aio.InferenceServerClient(plane.place) as client:
            assert await client.is_server_ready()

            async def one(value: int) -> list[float]:
                sent = triton_aio.InferInput("x", [1], "FP64")
                sent.set_data_from_numpy(np.array([float(value)]))
                result = await client.infer("moody", [sent], headers=PREDICT)
                answer: list[float] = result.as_numpy("y").tolist()
                return answer

            return await asyncio.gather(*(one(value) for value in range(50)))

    assert asyncio.run(go()) == [[2.0 * value] for value in range(50)]


def test_the_reference_client_sees_the_server_and_the_models(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata().name == "mainspring"
    assert "model_repository" in client.get_server_metadata().extensions
    assert client.is_model_ready("tumour", "2", headers=PREDICT)
    with pytest.raises(triton.InferenceServerException) as refused:
        client.is_model_ready("tumour", "7", headers=PREDICT)
    assert refused.value.status() == "StatusCode.NOT_FOUND"


def test_a_model_describes_itself_as_over_http(plane: GrpcPlane, client: Any) -> None:
    for path in ("tumour", "tumour/versions/2", "echo"):
        name, _, version = path.partition("/versions/")

        found = client.get_model_metadata(name, version, headers=PREDICT, as_json=True)

        expected = plane.client.get(f"/v2/models/{path}").json()
        for side in ("inputs", "outputs"):
            for column in expected[side]:
                # JSON made of protobuf messages has 64-bit numbers as text.
                column["shape"] = [str(size) for size in column["shape"]]
        assert {key: value for key, value in expected.items() if value} == found


@pytest.mark.parametrize("version", ["", "1", "2"])
@pytest.mark.parametrize("rows", [1, 3, 100])
def test_the_answer_is_the_same_as_over_http(plane: GrpcPlane, version: str, rows: int) -> None:
    path = f"/v2/models/tumour{version and f'/versions/{version}'}/infer"
    outputs = ["score", "mainspring.request_id"]
    body = row(rows, id="same", outputs=[{"name": name} for name in outputs])
    message = patient(rows, id="same", model_version=version)
    for name in outputs:
        message.outputs.add(name=name)

    over_http = plane.infer(body, path).json()
    typed, in_bytes = plane.ask(message), plane.ask(as_raw(message))

    scores, ids = (output["data"] for output in over_http["outputs"])
    assert list(typed.outputs[0].contents.fp64_contents) == scores
    assert list(typed.outputs[1].contents.bytes_contents) == [id_.encode() for id_ in ids]
    assert list(in_bytes.raw_output_contents) == [
        raw("FP64", scores),
        raw("BYTES", [id_.encode() for id_ in ids]),
    ]
    for answer in (typed, in_bytes):
        assert answer.model_name == over_http["model_name"] == "tumour"
        assert answer.model_version == over_http["model_version"] == (version or "1")
        assert answer.id == over_http["id"] == "same"
        for found, expected in zip(answer.outputs, over_http["outputs"], strict=True):
            assert (found.name, found.datatype) == (expected["name"], expected["datatype"])
            assert list(found.shape) == expected["shape"]


def test_both_reference_clients_get_the_same(plane: GrpcPlane, client: Any) -> None:
    array = np.array([[0.25, 1e300], [-0.0, float("inf")]])

    def told(module: Any, caller: Any) -> Any:
        sent = module.InferInput("x", [2, 2], "FP64")
        sent.set_data_from_numpy(array)
        return caller.infer("echo", [sent], headers=dict(PREDICT), request_id="r").as_numpy("x")

    with triton_http.InferenceServerClient(f"127.0.0.1:{plane.port}") as other:
        assert told(triton, client).tobytes() == told(triton_http, other).tobytes()


def test_outputs_come_in_the_order_asked_for(plane: GrpcPlane) -> None:
    message = request("echo", tensor("a", "INT64", [1]), tensor("b", "INT64", [2]))
    for name in ("mainspring.request_id", "b", "a", "b"):
        message.outputs.add(name=name, parameters={"mine": parameter(bool_param=True)})

    answer = plane.ask(message)

    assert [output.name for output in answer.outputs] == ["mainspring.request_id", "b", "a"]


def test_rows_may_bring_their_own_names_and_times(tmp_path: Path, first_model: Path) -> None:
    message = patient(2, id="both")
    message.inputs.extend(
        [
            tensor("mainspring.request_id", "BYTES", [b"one", "zwei \u00fc".encode()]),
            tensor("mainspring.event_time", "INT64", [1_700_000_000_000_000, 5]),
            tensor("mainspring.entity_key", "BYTES", [b"a", b"b"]),
        ]
    )
    message.outputs.add(name="mainspring.request_id")

    with GrpcPlane(tmp_path, [served(first_model)]) as plane:
        answers = [plane.ask(message), plane.ask(as_raw(message))]
        table = read_predictions(plane.log_folder, None, None)

    ids = ["one", "zwei \u00fc"]
    assert list(answers[0].outputs[0].contents.bytes_contents) == [id_.encode() for id_ in ids]
    assert answers[1].raw_output_contents[0] == raw("BYTES", [id_.encode() for id_ in ids])
    # Read by time, and each row once.
    assert table["request_id"].to_pylist() == ids[::-1]
    assert table["entity_key"].to_pylist() == ["b", "a"]
    assert [moment.microsecond for moment in table["event_time"].to_pylist()] == [5, 0]


def test_a_request_without_an_id_gets_one(plane: GrpcPlane) -> None:
    first, second = (plane.ask(patient()).id for _ in range(2))

    assert first
    assert second
    assert first != second


def test_parameters_that_nobody_knows_are_allowed_anywhere(plane: GrpcPlane) -> None:
    message = patient(
        parameters={"sequence_id": parameter(uint64_param=7), "x": parameter(string_param="y")}
    )
    message.inputs[0].parameters["z"].double_param = 0.5
    message.inputs[0].parameters["nothing"].SetInParent()

    assert plane.ask(message).model_name == "tumour"


def test_requests_are_counted_and_logged_as_over_http(tmp_path: Path, first_model: Path) -> None:
    with GrpcPlane(tmp_path, [served(first_model)]) as plane:
        plane.ask(patient(3, id="three"))
        with pytest.raises(grpc.RpcError):
            plane.ask(request("tumour"))
        page = plane.client.get("/metrics").text.splitlines()
        statistics = _statistics(plane)
        plane.stop()

        lines = plane.access_log.read_text().splitlines()
        table = read_predictions(plane.log_folder, None, None)

    assert 'mainspring_requests_total{model="tumour",code="200"} 1' in page
    assert 'mainspring_requests_total{model="tumour",code="400"} 1' in page
    assert 'mainspring_errors_total{model="tumour",kind="invalid"} 1' in page
    assert 'mainspring_predict_seconds_count{model="tumour",version="1"} 1' in page
    assert (statistics.inference_count, statistics.execution_count) == (3, 1)
    assert statistics.inference_stats.success.count == 1
    assert statistics.inference_stats.success.ns > statistics.inference_stats.compute_infer.ns > 0
    good, bad, *_ = lines
    assert '"protocol":"gRPC"' in good
    assert '"path":"/inference.GRPCInferenceService/ModelInfer","status":200' in good
    assert '"client":"127.0.0.1","model":"tumour","id":"three","rows":3}' in good
    assert '"status":400' in bad
    assert '"error":"invalid"' in bad
    assert table["request_id"].to_pylist() == ["three/0", "three/1", "three/2"]


def _statistics(plane: GrpcPlane) -> Any:
    with triton.InferenceServerClient(plane.place) as client:
        (every,) = client.get_inference_statistics(headers=PREDICT).model_stats
        (found,) = client.get_inference_statistics("tumour", "1", headers=PREDICT).model_stats
        assert found == every
        return found
