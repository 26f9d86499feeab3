"""Streams, the repository, health and reflection over gRPC."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from tritonclient.grpc import service_pb2

from mainspring.serving.grpc.schema import FILES

from .data_plane import PATIENCE, PREDICT, served
from .grpc_plane import OWN_CONNECTION, TOKEN, GrpcPlane, model, number, request

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
INFERENCE = "inference.GRPCInferenceService"


@pytest.fixture(scope="module")
def plane(
    tmp_path_factory: pytest.TempPathFactory, first_model: Path, second_model: Path
) -> Iterator[GrpcPlane]:
    models = [served(first_model, "1"), served(second_model, "2"), model("Moody"), model("Slow")]
    with GrpcPlane(tmp_path_factory.mktemp("plane"), models) as plane:
        yield plane
        plane.stop()
        assert plane.errors.read_text() == ""


@pytest.fixture
def channel(plane: GrpcPlane) -> Iterator[Any]:
    with grpc.insecure_channel(plane.place, options=OWN_CONNECTION) as channel:
        yield channel


@pytest.fixture
def loose(tmp_path: Path, first_model: Path) -> Iterator[GrpcPlane]:
    """Its callers decide what is loaded."""
    models = [served(first_model), model("Moody")]
    with GrpcPlane(tmp_path, models, is_steered=False, workers=2) as plane:
        yield plane


def test_a_stream_is_answered_in_order_and_survives_bad_messages(plane: GrpcPlane) -> None:
    messages = [number("moody", float(place), id=f"m{place}") for place in range(200)]
    messages[3] = request("nope", id="m3")
    messages[7] = request("moody")
    # The first takes longest; those that are ready meanwhile wait for it.
    messages[0] = number("slow", 300.0, id="m0")

    with plane.calling() as stub:
        answers = list(stub.ModelStreamInfer(iter(messages), metadata=TOKEN, timeout=PATIENCE))

    refused = {place: answer.error_message for place, answer in enumerate(answers)}
    assert {place: text for place, text in refused.items() if text}.keys() == {3, 7}
    assert "no model named 'nope'" in refused[3]
    assert "the input column 'x' is missing" in refused[7]
    assert (answers[3].infer_response.id, answers[7].infer_response.id) == ("m3", "")
    good = [answer.infer_response for answer in answers if not answer.error_message]
    assert [answer.id for answer in good] == [f"m{n}" for n in range(200) if n not in (3, 7)]
    assert [list(answer.outputs[0].contents.fp64_contents) for answer in good[1:4]] == [
        [2.0],
        [4.0],
        [8.0],
    ]


def test_bytes_that_are_no_message_do_not_end_a_stream(plane: GrpcPlane, channel: Any) -> None:
    stream = channel.stream_stream(f"/{INFERENCE}/ModelStreamInfer")
    good = number("moody", 1.0).SerializeToString()

    answers = [
        service_pb2.ModelStreamInferResponse.FromString(answer)
        for answer in stream(iter([good, b"\xff", good]), metadata=TOKEN, timeout=PATIENCE)
    ]

    assert [bool(answer.error_message) for answer in answers] == [False, True, False]


def test_each_message_of_a_stream_is_counted_and_logged(tmp_path: Path) -> None:
    with GrpcPlane(tmp_path, [model("Moody")]) as plane:
        with plane.calling() as stub:
            messages = [number("moody", 1.0, 2.0), number("moody"), number("moody", 3.0)]
            list(stub.ModelStreamInfer(iter(messages), metadata=TOKEN, timeout=PATIENCE))
        page = plane.client.get("/metrics").text.splitlines()
        plane.stop()

        lines = plane.access_log.read_text().splitlines()

    assert 'mainspring_requests_total{model="moody",code="200"} 2' in page
    assert 'mainspring_requests_total{model="moody",code="400"} 1' in page
    assert "mainspring_log_rows_total 3" in page
    streamed = [line for line in lines if f'"path":"/{INFERENCE}/ModelStreamInfer"' in line]
    assert sorted('"status":200' in line for line in streamed) == [False, True, True]


def test_the_reference_client_streams(plane: GrpcPlane) -> None:
    heard: queue.Queue[tuple[Any, Any]] = queue.Queue()
    sent = triton.InferInput("x", [2], "FP64")
    with triton.InferenceServerClient(plane.place) as client:
        client.start_stream(lambda result, error: heard.put((result, error)), headers=dict(PREDICT))
        for place in range(20):
            sent.set_data_from_numpy(np.array([place, place + 0.5]))
            client.async_stream_infer(
                "nope" if place == 5 else "moody", [sent], request_id=str(place)
            )
        answers = [heard.get(timeout=PATIENCE) for _ in range(20)]
        client.stop_stream()

    assert "no model named 'nope'" in answers.pop(5)[1].message()
    assert [result.as_numpy("y").tolist() for result, _ in answers] == [
        [2.0 * place, 2.0 * place + 1] for place in range(20) if place != 5
    ]


def test_a_caller_who_leaves_a_stream_is_forgotten(plane: GrpcPlane) -> None:
    with plane.calling() as stub:
        stream = stub.ModelStreamInfer(
            iter([number("moody", 1.0), number("slow", 500.0)]), metadata=TOKEN
        )
        next(stream)
        stream.cancel()

    assert plane.ask(number("moody", 1.0)).model_name == "moody"


def _index(plane: GrpcPlane, *, ready: bool = False) -> list[tuple[str, str, str]]:
    with plane.calling() as stub:
        question = service_pb2.RepositoryIndexRequest(ready=ready)
        found = stub.RepositoryIndex(question, metadata=TOKEN, timeout=PATIENCE).models
    return [(entry.name, entry.version, entry.state) for entry in found]


def test_the_index_is_the_same_as_over_http(plane: GrpcPlane) -> None:
    over_http = plane.client.post("/v2/repository/index").json()

    assert _index(plane) == [
        (entry["name"], entry["version"], entry["state"]) for entry in over_http
    ]


def test_a_steered_data_plane_stays_as_it_is(plane: GrpcPlane) -> None:
    with triton.InferenceServerClient(plane.place) as client:
        client.load_model("tumour", headers=PREDICT)
        with pytest.raises(triton.InferenceServerException, match="stays loaded") as steered:
            client.unload_model("tumour", headers=PREDICT)
        with pytest.raises(triton.InferenceServerException, match="no model named") as unknown:
            client.load_model("nope", headers=PREDICT)

    assert steered.value.status() == "StatusCode.FAILED_PRECONDITION"
    assert unknown.value.status() == "StatusCode.NOT_FOUND"


def test_models_are_unloaded_and_loaded_by_callers(loose: GrpcPlane) -> None:
    with triton.InferenceServerClient(loose.place) as client:
        client.unload_model("moody", headers=PREDICT)
        unloaded = _index(loose)
        is_ready = client.is_model_ready("moody", headers=PREDICT)
        with pytest.raises(grpc.RpcError) as refused:
            loose.ask(number("moody", 1.0))
        with pytest.raises(triton.InferenceServerException, match="another 'config'") as fixed:
            client.load_model("moody", headers=PREDICT, config="{}")
        client.load_model("moody", headers=PREDICT)

    assert unloaded == [("tumour", "1", "READY"), ("moody", "1", "UNAVAILABLE")]
    assert not is_ready
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert fixed.value.status() == "StatusCode.FAILED_PRECONDITION"
    # Its source is not what it was when the server started, by its digest: so it is a new version.
    assert _index(loose, ready=True)[1] == ("moody", "2", "READY")
    assert loose.ask(number("moody", 1.0)).outputs[0].contents.fp64_contents == [2.0]


def test_the_repository_is_a_service_of_its_own_as_well(loose: GrpcPlane) -> None:
    """Its messages are on the wire what those of the inference service are."""
    service = "/inference.model_repository.ModelRepositoryService"
    with grpc.insecure_channel(loose.place, options=OWN_CONNECTION) as channel:

        def call(method: str, question: Any) -> bytes:
            return bytes(
                channel.unary_unary(f"{service}/{method}")(
                    question.SerializeToString(), metadata=TOKEN, timeout=PATIENCE
                )
            )

        call("RepositoryModelUnload", service_pb2.RepositoryModelUnloadRequest(model_name="moody"))
        index = call("RepositoryIndex", service_pb2.RepositoryIndexRequest())
        call("RepositoryModelLoad", service_pb2.RepositoryModelLoadRequest(model_name="moody"))

    found = service_pb2.RepositoryIndexResponse.FromString(index).models
    assert [(entry.name, entry.state, entry.reason) for entry in found] == [
        ("tumour", "READY", ""),
        ("moody", "UNAVAILABLE", "unloaded"),
    ]
    assert _index(loose)[1] == ("moody", "2", "READY")


def test_statistics_are_those_of_all_processes(loose: GrpcPlane) -> None:
    for _ in range(10):
        loose.ask(number("moody", 1.0, 2.0))

    with triton.InferenceServerClient(loose.place) as client:
        (found,) = client.get_inference_statistics("moody", headers=PREDICT).model_stats

    assert (found.inference_count, found.inference_stats.success.count) == (20, 10)


def test_statistics_need_metrics(tmp_path: Path) -> None:
    with (
        GrpcPlane(tmp_path, [model("Moody")], metrics=False) as plane,
        plane.calling() as stub,
        pytest.raises(grpc.RpcError) as refused,
    ):
        stub.ModelStatistics(service_pb2.ModelStatisticsRequest(), metadata=TOKEN)

    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    "name",
    ["", INFERENCE, "grpc.health.v1.Health", "tumour", "moody"],
    ids=lambda name: name or "-",
)
def test_health_is_told_of_the_server_its_services_and_its_models(channel: Any, name: str) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    question = health_pb2.HealthCheckRequest(service=name)

    assert health.Check(question, timeout=PATIENCE).status == SERVING
    watching = health.Watch(question, timeout=PATIENCE)
    assert next(watching).status == SERVING
    watching.cancel()


def test_health_of_what_is_not_there(channel: Any) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    question = health_pb2.HealthCheckRequest(service="nope")

    with pytest.raises(grpc.RpcError) as unknown:
        health.Check(question, timeout=PATIENCE)

    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
    watching = health.Watch(question, timeout=PATIENCE)
    assert next(watching).status == SERVICE_UNKNOWN
    watching.cancel()


def test_who_watches_health_is_told_of_changes(loose: GrpcPlane) -> None:
    with grpc.insecure_channel(loose.place, options=OWN_CONNECTION) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        watched = [
            health.Watch(health_pb2.HealthCheckRequest(service=name), timeout=PATIENCE)
            for name in ("moody", "")
        ]
        moody, server = ([next(each).status] for each in watched)
        with triton.InferenceServerClient(loose.place) as client:
            client.unload_model("moody", headers=PREDICT)
            moody.append(next(watched[0]).status)
            check = health.Check(health_pb2.HealthCheckRequest(service="moody"))
            client.load_model("moody", headers=PREDICT)
            moody.append(next(watched[0]).status)
        loose.stop()
        moody += [answer.status for answer in watched[0]]
        server += [answer.status for answer in watched[1]]

    assert check.status == NOT_SERVING
    assert moody == [SERVING, NOT_SERVING, SERVING, NOT_SERVING]
    assert server == [SERVING, NOT_SERVING]
    assert loose.errors.read_text() == ""


def test_a_stranger_can_call_by_reflection_alone(channel: Any) -> None:
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    names = [f"{file.package}.{file.service}" for file in FILES]

    assert sorted(database.get_services()) == sorted(names)
    for name in names:
        assert pool.FindServiceByName(name).full_name == name
    method = pool.FindServiceByName(INFERENCE).FindMethodByName("ModelMetadata")
    question = GetMessageClass(method.input_type)(name="tumour")
    answer = GetMessageClass(method.output_type)
    call = channel.unary_unary(
        f"/{INFERENCE}/ModelMetadata", lambda sent: sent.SerializeToString(), answer.FromString
    )
    assert [column.name for column in call(question, metadata=TOKEN).outputs] == ["score"]
    with pytest.raises(KeyError):
        pool.FindMessageTypeByName("inference.Nothing")


def test_the_definitions_are_those_of_the_reference_client(channel: Any) -> None:
    """Every field that we know has its number and its type; Triton has more."""
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    ours = pool.FindFileContainingSymbol(INFERENCE)
    theirs = service_pb2.DESCRIPTOR

    def fields(message: Any) -> set[tuple[Any, ...]]:
        of = {
            (
                *(message.full_name, field.name, field.number, field.type, field.is_repeated),
                field.message_type and field.message_type.full_name,
                field.containing_oneof and field.containing_oneof.name,
            )
            for field in message.fields
        }
        return of.union(*(fields(inner) for inner in message.nested_types))

    def every(file: Any) -> set[tuple[Any, ...]]:
        messages = file.message_types_by_name
        return set().union(*(fields(messages[name]) for name in messages))

    unknown = {each for each in every(ours) - every(theirs) if "Properties" not in each[0]}
    # `properties` are the protocol's, and not Triton's.
    assert {each[1] for each in unknown} == {"properties"}
    service = theirs.services_by_name["GRPCInferenceService"]
    for method in ours.services_by_name["GRPCInferenceService"].methods:
        known = service.FindMethodByName(method.name)
        assert method.input_type.full_name == known.input_type.full_name
        assert method.output_type.full_name == known.output_type.full_name


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_answers_what_it_cannot_find(channel: Any, version: str) -> None:
    service = f"grpc.reflection.{version}.ServerReflection"
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    method = pool.FindServiceByName(service).FindMethodByName("ServerReflectionInfo")
    question, answer = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    stream = channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        lambda sent: sent.SerializeToString(),
        answer.FromString,
    )
    extension = {"containing_type": "inference.ModelInferRequest", "extension_number": 5}
    questions = [
        question(file_by_filename="nothing.proto", host="me"),
        question(file_containing_symbol="no.Thing"),
        question(file_containing_extension=extension),
        question(all_extension_numbers_of_type="inference.ModelInferRequest"),
        question(file_by_filename="grpc/health/v1/health.proto"),
        question(list_services=""),
    ]

    answers = list(stream(iter(questions), timeout=PATIENCE))

    assert [each.original_request for each in answers] == questions
    assert [each.error_response.error_code for each in answers] == [5, 5, 5, 5, 0, 0]
    assert len(answers[4].file_descriptor_response.file_descriptor_proto) == 1
    assert len(answers[5].list_services_response.service) == len(FILES)


def test_a_question_that_asks_nothing_is_refused(channel: Any) -> None:
    stream = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")

    for body in (b"", b"\xff"):
        with pytest.raises(grpc.RpcError) as refused:
            list(stream(iter([body]), timeout=PATIENCE))
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
