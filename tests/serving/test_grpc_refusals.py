"""Bad requests over gRPC: each is told what is wrong, and the server goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from mainspring.serving.http import MAX_BODY

from . import python_models
from .data_plane import PATIENCE, served
from .grpc_plane import (
    OWN_CONNECTION,
    TOKEN,
    GrpcPlane,
    as_raw,
    model,
    number,
    parameter,
    patient,
    raw,
    request,
    tensor,
)

INFER = "/inference.GRPCInferenceService/ModelInfer"
BAD, UNKNOWN = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory, first_model: Path) -> Iterator[GrpcPlane]:
    """What it was asked here leaves nothing on its stderr."""
    models = [served(first_model), model("Echo"), model("Halve"), model("Moody")]
    with GrpcPlane(tmp_path_factory.mktemp("plane"), models) as plane:
        yield plane
        plane.stop()
        assert plane.errors.read_text() == ""


def _changed(column: int, **fields: Any) -> Any:
    """A good request but for one of its inputs."""
    message = patient()
    for name, value in fields.items():
        if name in ("shape", "contents", "parameters"):
            message.inputs[column].ClearField(name)
            part = type(message.inputs[column])(**{name: value})
            message.inputs[column].MergeFrom(part)
        else:
            setattr(message.inputs[column], name, value)
    return message


def _raw(place: int, value: bytes) -> Any:
    message = as_raw(patient())
    message.raw_input_contents[place] = value
    return message


def _fewer(**fields: Any) -> Any:
    message = as_raw(patient())
    del message.raw_input_contents[-1]
    message.inputs[-1].MergeFrom(service_pb2.ModelInferRequest.InferInputTensor(**fields))
    return message


def _mixed() -> Any:
    message = as_raw(patient())
    message.inputs[2].contents.int64_contents.append(1)
    return message


def _more(extra: Any) -> Any:
    message = patient()
    message.inputs.append(extra)
    return message


def _open(datatype: str, **contents: list[Any]) -> Any:
    part = service_pb2.ModelInferRequest.InferInputTensor(
        name="x", datatype=datatype, shape=[1], contents=contents
    )
    return request("echo", part)


SHARED = {"shared_memory_region": parameter(string_param="region")}
RADIUS, TEXTURE, AREA, SMOOTH, SIZE = range(5)
REFUSED: list[tuple[Any, grpc.StatusCode, str]] = [
    (request(""), UNKNOWN, "no model named ''"),
    (request("nope"), UNKNOWN, "no model named 'nope'; served are tumour"),
    (patient(model_version="9"), UNKNOWN, "no version '9'"),
    (request("tumour"), BAD, "the input column 'radius' is missing"),
    (request("echo"), BAD, "the request has no inputs"),
    (patient(id="x" * 201), BAD, "the id has 201 characters"),
    (patient(outputs=[{"name": "nope"}]), BAD, "no output 'nope'; it has score"),
    (_changed(RADIUS, name="radios"), BAD, "no input 'radios'"),
    (_changed(TEXTURE, name="radius"), BAD, "the input 'radius' is given twice"),
    (_changed(RADIUS, datatype="FP32"), BAD, "'radius' has the datatype 'FP32'; FP64"),
    (_changed(RADIUS, datatype=""), BAD, "'radius' has the datatype ''"),
    (_changed(RADIUS, datatype="BF16"), BAD, "'radius' has the datatype 'BF16'"),
    (_changed(RADIUS, shape=[]), BAD, "column 'radius' has the shape []"),
    (_changed(RADIUS, shape=[0]), BAD, "column 'radius' has the shape [0]"),
    (_changed(RADIUS, shape=[-1]), BAD, "column 'radius' has the shape [-1]"),
    (_changed(RADIUS, shape=[2**62, 2**62]), BAD, "column 'radius' has the shape"),
    (_changed(RADIUS, shape=[2]), BAD, "'radius' has 1 values, its shape [2] says 2"),
    (_changed(RADIUS, contents={}), BAD, "'radius' has 0 values"),
    (
        _changed(RADIUS, contents={"fp32_contents": [1]}),
        BAD,
        "'radius' has fp32_contents; FP64 is given in fp64_contents",
    ),
    (
        _changed(RADIUS, contents={"fp64_contents": [1], "int_contents": [1]}),
        BAD,
        "'radius' has int_contents",
    ),
    (_changed(TEXTURE, contents={"fp32_contents": [float("nan")]}), BAD, "column 'texture'"),
    (_changed(SIZE, contents={"bytes_contents": [b"\xff"]}), BAD, "'size', row 0: no UTF-8"),
    (patient(100_001), BAD, "100001 rows; at most 100000 fit"),
    (_raw(RADIUS, b"1234567"), BAD, "'radius' has 7 bytes; the shape [1] of FP64 has 8"),
    (_raw(RADIUS, b""), BAD, "'radius' has 0 bytes"),
    (_raw(TEXTURE, raw("FP32", [float("nan")])), BAD, "column 'texture'"),
    (_raw(SMOOTH, b"\x02"), BAD, "'smooth' is BOOL; its bytes must be 0 or 1"),
    (_raw(SIZE, b"\x05\x00\x00\x00smal"), BAD, "'size', row 0: cut short"),
    (_raw(SIZE, b"\xff\xff\xff\xff"), BAD, "'size', row 0: cut short"),
    (_raw(SIZE, b"\x00\x00"), BAD, "'size', row 0: cut short"),
    (_raw(SIZE, raw("BYTES", [b"small", b"small"])), BAD, "'size' has 2 values"),
    (_fewer(), BAD, "the request has 5 inputs and 4 raw_input_contents"),
    (_mixed(), BAD, "input 'area' has contents, and the request raw_input_contents"),
    (_open("INT8", int_contents=[128]), BAD, "a number that does not fit INT8"),
    (_open("UINT8", uint_contents=[256]), BAD, "a number that does not fit UINT8"),
    (_open("INT16", int_contents=[-(2**15) - 1]), BAD, "a number that does not fit INT16"),
    (_open("FP16", fp32_contents=[1]), BAD, "'x' is FP16, which has no typed contents"),
    (_open("FLOAT", fp32_contents=[1]), BAD, "known are BOOL"),
    (_open("BOOL", int_contents=[1]), BAD, "'x' has int_contents; BOOL is given in bool_contents"),
    (request("echo", tensor("", "INT64", [1])), BAD, "input ''"),
    (_more(tensor("mainspring.request_id", "BYTES", [b"a", b"b"])), BAD, "has 2 rows"),
    (_more(tensor("mainspring.request_id", "BYTES", [b""])), BAD, "row 0: 0 characters"),
    (_more(tensor("mainspring.request_id", "BYTES", [b"\xff"])), BAD, "no UTF-8"),
    (_more(tensor("mainspring.event_time", "INT64", [-1])), BAD, "-1 is no moment"),
    (_more(tensor("mainspring.other", "INT64", [1])), BAD, "no input 'mainspring.other'"),
    (patient(parameters={"timeout": parameter(int64_param=0)}), BAD, "'timeout' is 0"),
    (patient(parameters={"timeout": parameter(int64_param=-5)}), BAD, "'timeout' is -5"),
    (patient(parameters={"timeout": parameter(string_param="5")}), BAD, "'timeout' is '5'"),
    (patient(parameters={"timeout": parameter(bool_param=True)}), BAD, "'timeout' is True"),
    (patient(parameters={"timeout": parameter()}), BAD, "'timeout' is None"),
    (_changed(RADIUS, contents={}, parameters=SHARED), BAD, "input 'radius' is meant to be in"),
    (_fewer(parameters=SHARED), BAD, "input 'size' is meant to be in shared memory"),
    (patient(outputs=[{"name": "score", "parameters": SHARED}]), BAD, "output 'score' is meant"),
]


@pytest.mark.parametrize(
    ("message", "status", "text"), REFUSED, ids=[text for _, _, text in REFUSED]
)
def test_a_bad_request_is_refused_and_says_why(
    plane: GrpcPlane, message: Any, status: grpc.StatusCode, text: str
) -> None:
    with plane.calling() as stub:
        with pytest.raises(grpc.RpcError) as refused:
            stub.ModelInfer(message, metadata=TOKEN, timeout=PATIENCE)
        answer = stub.ModelInfer(patient(), metadata=TOKEN, timeout=PATIENCE)

    assert refused.value.code() == status
    assert text in refused.value.details()
    assert len(answer.outputs) == 1


def _sent(plane: GrpcPlane, path: str, body: bytes, **options: Any) -> grpc.StatusCode:
    """The status of a call whose message is any bytes."""
    with grpc.insecure_channel(plane.place, options=OWN_CONNECTION) as channel:
        call = channel.unary_unary(path, lambda body: body, lambda body: body)
        try:
            call(body, metadata=TOKEN, timeout=PATIENCE, **options)
        except grpc.RpcError as error:
            status: grpc.StatusCode = error.code()
            return status
    return grpc.StatusCode.OK


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x0a\x02\xff\xfe",
        b"\x2b" * 100_000,
        b"\x0a\x05ab",
    ],
    ids=["no tag", "a length beyond the end", "no UTF-8", "deep groups", "cut short"],
)
@pytest.mark.parametrize("method", ["ModelInfer", "ModelMetadata", "RepositoryModelLoad"])
def test_bytes_that_are_no_message_are_refused(plane: GrpcPlane, method: str, body: bytes) -> None:
    assert _sent(plane, f"/inference.GRPCInferenceService/{method}", body) == BAD
    assert plane.ask(patient()).model_name == "tumour"


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(0, 200), value=st.binary(min_size=1, max_size=4))
def test_a_damaged_message_is_answered_or_refused(
    plane: GrpcPlane, place: int, value: bytes
) -> None:
    body = bytearray(patient().SerializeToString())
    body[place : place + len(value)] = value

    assert _sent(plane, INFER, bytes(body)) in (grpc.StatusCode.OK, BAD, UNKNOWN)


def test_messages_beyond_the_limit_are_refused(plane: GrpcPlane) -> None:
    fits = as_raw(request("moody", tensor("x", "FP64", [1.0] * 100_000)))
    large = bytes(MAX_BODY + 1)

    assert plane.ask(fits).outputs[0].shape[0] == 100_000
    assert _sent(plane, INFER, large) == EXHAUSTED
    assert _sent(plane, INFER, large, compression=grpc.Compression.Gzip) == EXHAUSTED
    assert plane.ask(patient()).model_name == "tumour"


def test_an_answer_may_be_larger_than_any_request(plane: GrpcPlane) -> None:
    size = MAX_BODY * 3 // 4 // 4
    message = as_raw(request("halve", tensor("x", "FP32", [1.0])))
    message.inputs[0].shape[0] = size
    message.raw_input_contents[0] = bytes(4 * size)

    half, twice = plane.ask(message).raw_output_contents

    assert (len(half), len(twice)) == (2 * size, 4 * size)
    assert len(half) + len(twice) > MAX_BODY


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/inference.GRPCInferenceService/ModelConfig", grpc.StatusCode.UNIMPLEMENTED),
        ("/inference.GRPCInferenceService/", grpc.StatusCode.UNIMPLEMENTED),
        ("/nothing", grpc.StatusCode.UNIMPLEMENTED),
    ],
)
def test_unknown_methods_are_unimplemented(
    plane: GrpcPlane, path: str, status: grpc.StatusCode
) -> None:
    assert _sent(plane, path, b"") == status


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", "Bearer nope"),),
        (("authorization", "Basic cHJlZGljdC10b2tlbg=="),),
        (("authorization", ""),),
        (("authorization", "Bearer control-token"),),
    ],
)
@pytest.mark.parametrize(
    "method",
    [
        "ModelInfer",
        "ModelReady",
        "ModelMetadata",
        "ModelStatistics",
        "RepositoryIndex",
        "RepositoryModelLoad",
        "RepositoryModelUnload",
    ],
)
def test_models_need_a_token(plane: GrpcPlane, method: str, metadata: Any) -> None:
    with plane.calling() as stub, pytest.raises(grpc.RpcError) as refused:
        getattr(stub, method)(getattr(service_pb2, f"{method}Request")(), metadata=metadata)

    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_a_stream_needs_a_token(plane: GrpcPlane) -> None:
    with plane.calling() as stub, pytest.raises(grpc.RpcError) as refused:
        list(stub.ModelStreamInfer(iter([patient()])))

    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_the_server_can_be_seen_without_a_token(plane: GrpcPlane) -> None:
    with plane.calling() as stub:
        assert stub.ServerLive(service_pb2.ServerLiveRequest()).live
        assert stub.ServerReady(service_pb2.ServerReadyRequest()).ready
        assert stub.ServerMetadata(service_pb2.ServerMetadataRequest()).name == "mainspring"


def test_where_anybody_may_predict_a_token_is_checked_all_the_same(tmp_path: Path) -> None:
    with GrpcPlane(tmp_path, [model("Moody")], anonymous=True, tokens=[]) as plane:
        assert plane.ask(number("moody", 1), metadata=()).model_name == "moody"
        with pytest.raises(grpc.RpcError) as refused:
            plane.ask(number("moody", 1))

    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_a_failing_model_is_internal_with_one_traceback(tmp_path: Path) -> None:
    with GrpcPlane(tmp_path, [model("Moody")]) as plane:
        with pytest.raises(grpc.RpcError) as failed:
            plane.ask(number("moody", python_models.RAISE))
        assert plane.ask(number("moody", 2)).outputs[0].contents.fp64_contents == [4]
        page = plane.client.get("/metrics").text.splitlines()
        plane.stop()

        assert plane.errors.read_text().count("Traceback") == 1

    assert failed.value.code() == grpc.StatusCode.INTERNAL
    assert "not liked" not in failed.value.details()
    assert 'mainspring_requests_total{model="moody",code="500"} 1' in page
    assert 'mainspring_errors_total{model="moody",kind="model_failed"} 1' in page
