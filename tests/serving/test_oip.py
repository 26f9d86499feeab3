"""The Open Inference Protocol v2 over HTTP, good requests and bad ones."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from mainspring.engines.engine import load_model

from .data_plane import INFER, PREDICT, Plane, row


def _outputs(response: httpx2.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    return {output["name"]: output for output in response.json()["outputs"]}


def _changed(column: str, /, **changes: object) -> dict[str, Any]:
    body = row()
    for tensor in body["inputs"]:
        if tensor["name"] == column:
            tensor.update(changes)
    return body


def _with(*tensors: dict[str, object], count: int = 1, **changes: object) -> dict[str, Any]:
    body = row(count, **changes)
    body["inputs"].extend(tensors)
    return body


def _ids(*ids: object) -> dict[str, object]:
    return {
        "name": "mainspring.request_id",
        "shape": [len(ids)],
        "datatype": "BYTES",
        "data": list(ids),
    }


def _times(*times: object) -> dict[str, object]:
    return {
        "name": "mainspring.event_time",
        "shape": [len(times)],
        "datatype": "INT64",
        "data": list(times),
    }


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/tumour/ready", {"name": "tumour", "ready": True}),
        ("/v2/models/tumour/versions/2/ready", {"name": "tumour", "ready": True}),
    ],
)
def test_health_says_yes(plane: Plane, path: str, answer: dict[str, object]) -> None:
    assert plane.client.get(path).json() == answer


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_the_server_describes_itself(plane: Plane, path: str) -> None:
    about = plane.client.get(path).json()

    assert (about["name"], about["extensions"]) == (
        "mainspring",
        ["binary_tensor_data", "model_repository", "schedule_policy", "statistics"],
    )


def test_a_model_describes_itself(plane: Plane) -> None:
    about = plane.client.get("/v2/models/tumour").json()

    assert about["versions"] == ["1", "2"]
    assert about["platform"] == "mainspring_lightgbm"
    assert about["inputs"][0] == {"name": "radius", "datatype": "FP64", "shape": [-1]}
    assert [output["name"] for output in about["outputs"]] == ["score"]


def test_the_answer_is_the_models(plane: Plane, first_model: Path) -> None:
    expected = load_model(first_model).predict(
        {
            "radius": np.array([14.5, np.nan]),
            "texture": np.array([20.25, 1], dtype=np.float32),
            "area": np.array([600, -5]),
            "smooth": np.array([True, False]),
            "size": np.array(["small", None], dtype=object),
        }
    )
    data = {
        "radius": [14.5, None],
        "texture": [20.25, 1],
        "area": [600, -5],
        "smooth": [True, False],
        "size": ["small", None],
    }
    body = row(2, id="two")
    for tensor in body["inputs"]:
        tensor["data"] = data[tensor["name"]]

    response = plane.infer(body)

    outputs = _outputs(response)
    assert outputs["score"] == {
        "name": "score",
        "shape": [2],
        "datatype": "FP64",
        "data": expected["score"].tolist(),
    }
    answer = response.json()
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("two", "tumour", "1")


def test_a_version_is_chosen_by_path(plane: Plane) -> None:
    first = plane.infer(row(), "/v2/models/tumour/versions/1/infer").json()
    second = plane.infer(row(), "/v2/models/tumour/versions/2/infer").json()

    assert (first["model_version"], second["model_version"]) == ("1", "2")
    assert first["outputs"][0]["data"] != second["outputs"][0]["data"]


@pytest.mark.parametrize(
    ("shape", "data"), [([2], "[1, 2]"), ([2, 1], "[1, 2]"), ([2, 1], "[ [1], [2] ]")]
)
def test_data_may_be_flat_or_nested(plane: Plane, shape: list[int], data: str) -> None:
    body = row(2)
    body["inputs"][0] |= {"shape": shape, "data": json.loads(data)}
    flat = row(2)
    flat["inputs"][0]["data"] = [1, 2]

    assert _outputs(plane.infer(body))["score"] == _outputs(plane.infer(flat))["score"]


@pytest.mark.parametrize("rows", [64, 65, 3000])
def test_batches_of_any_size_are_answered(plane: Plane, rows: int) -> None:
    outputs = _outputs(plane.infer(row(rows)))

    assert len(set(outputs["score"]["data"])) == 1
    assert len(outputs["score"]["data"]) == rows


WANTED: dict[str, Any] = {"outputs": [{"name": "score"}, {"name": "mainspring.request_id"}]}


@pytest.mark.parametrize(("rows", "ids"), [(1, ["mine"]), (2, ["mine/0", "mine/1"])])
def test_rows_are_named_by_the_request_id(plane: Plane, rows: int, ids: list[str]) -> None:
    outputs = _outputs(plane.infer(row(rows, id="mine", **WANTED)))

    assert outputs["mainspring.request_id"]["data"] == ids


@pytest.mark.parametrize("given", [{}, {"id": None}, {"id": ""}], ids=str)
def test_a_request_without_an_id_gets_one(plane: Plane, given: dict[str, object]) -> None:
    response = plane.infer({**row(**WANTED), **given})

    assert len(response.json()["id"]) == 32
    assert _outputs(response)["mainspring.request_id"]["data"] == [response.json()["id"]]


def test_rows_may_bring_their_own_names_and_times(plane: Plane) -> None:
    outputs = _outputs(plane.infer(_with(_ids("a", "b"), _times(1, 2), count=2, **WANTED)))

    assert outputs["mainspring.request_id"]["data"] == ["a", "b"]


def test_only_the_wanted_outputs_come_back(plane: Plane) -> None:
    outputs = _outputs(plane.infer(row(outputs=[{"name": "mainspring.request_id"}])))

    assert list(outputs) == ["mainspring.request_id"]


def test_unknown_parameters_are_allowed(plane: Plane) -> None:
    body = _changed("radius", parameters={"unknown": {"deep": [1]}})

    assert plane.infer(body | {"parameters": {"trace": "on"}}).status_code == 200


def test_an_infinite_output_is_null(plane: Plane) -> None:
    body = {"inputs": [{"name": "index", "shape": [1], "datatype": "INT64", "data": [1]}]}

    outputs = _outputs(plane.infer(body, "/v2/models/brittle/infer"))

    assert outputs["value"]["data"] == [None]


BAD: list[tuple[Any, str]] = [
    (b"", "not valid JSON"),
    (b"{", "not valid JSON"),
    (b"\xff\xfe", "not valid JSON"),
    (b'{"inputs": [], "id": "\xff"}', "not valid JSON"),
    (b'{"inputs": NaN}', "not valid JSON"),
    (b'{"parameters": ' + b'{"a":' * 50_000, "not valid JSON"),
    (b"[]", "Expected `object`, got `array`"),
    ({}, "missing required field `inputs`"),
    ({"inputs": []}, "the input column 'radius' is missing"),
    (row(extra=1), "unknown field `extra`"),
    (row(id=5), "Expected `str | null`, got `int` - at `$.id`"),
    (row(id="x" * 201), "the id has 201 characters"),
    (row(outputs=[{"name": "nope"}]), "no output 'nope'; it has score"),
    (row(outputs=[{"nome": "score"}]), "unknown field `nome`"),
    (_changed("radius", more=1), "unknown field `more` - at `$.inputs[0]`"),
    (_changed("radius", name="radios"), "no input 'radios'"),
    (_changed("texture", name="radius"), "the input 'radius' is given twice"),
    (_with(row()["inputs"][0]), "the input 'radius' is given twice"),
    (_changed("radius", datatype="FP32"), "column 'radius' has the datatype 'FP32'; FP64"),
    (_changed("radius", datatype="fp64"), "column 'radius' has the datatype 'fp64'"),
    (_changed("radius", shape=[]), "column 'radius' has the shape []"),
    (_changed("radius", shape=[0], data=[]), "column 'radius' has the shape [0]"),
    (_changed("radius", shape=[-1]), "column 'radius' has the shape [-1]"),
    (_changed("radius", shape=[1, 2]), "column 'radius' has the shape [1, 2]"),
    (_changed("radius", shape=[1, 1, 1]), "column 'radius' has the shape [1, 1, 1]"),
    (_changed("radius", shape=["1"]), "Expected `int`, got `str` - at `$.inputs[0].shape[0]`"),
    (_changed("radius", shape=[2]), "column 'radius' has 1 values, its shape [2] says 2"),
    (_changed("radius", shape=[2], data=[1, 2]), "column 'texture' has 1 rows; the first"),
    (_changed("radius", data="14.5"), "column 'radius': Expected `array`, got `str`"),
    (_changed("radius", data=[[1.0]]), "column 'radius', row 0"),
    (_changed("radius", shape=[1, 1], data=[[1.0, 2.0]]), "column 'radius', row 0"),
    (_changed("radius", data=["14.5"]), "column 'radius', row 0: Expected `float | null`"),
    (_changed("radius", data=[True]), "column 'radius', row 0: Expected `float | null`"),
    (_changed("texture", data=[None]), "column 'texture', row 0: null, but the column is not"),
    (_changed("texture", data=[1e300]), "column 'texture', row 0: 1e+300 does not fit FP32"),
    (_changed("area", data=[1.5]), "column 'area', row 0: Expected `int`, got `float`"),
    (_changed("area", data=[2**63]), "column 'area', row 0: Expected `int`"),
    (_changed("area", data=[2**70]), "column 'area', row 0"),
    (_changed("area", data=[None]), "column 'area', row 0: null, but the column is not nullable"),
    (_changed("smooth", data=[1]), "column 'smooth', row 0: Expected `bool`, got `int`"),
    (_changed("size", data=[3]), "column 'size', row 0: Expected `str | null`, got `int`"),
    (_with(_ids("a", "b")), "'mainspring.request_id' has 2 rows; the inputs have 1"),
    (_with(_ids("a", "a"), count=2), "'mainspring.request_id' names a row twice"),
    (_with(_ids("")), "'mainspring.request_id', row 0: 0 characters"),
    (_with(_ids("x" * 201)), "'mainspring.request_id', row 0: 201 characters"),
    (_with(_ids(None)), "'mainspring.request_id', row 0: null"),
    (_with(_ids(7)), "'mainspring.request_id', row 0: Expected `str`"),
    (_with(_times(1, 2)), "'mainspring.event_time' has 2 rows; the inputs have 1"),
    (_with(_times(-1)), "'mainspring.event_time', row 0: -1 is no moment"),
    (_with(_times(2**62)), "'mainspring.event_time', row 0"),
]


@pytest.mark.parametrize(("body", "message"), BAD, ids=[text for _, text in BAD])
def test_a_bad_request_is_refused_and_says_why(plane: Plane, body: Any, message: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    response = plane.client.post(INFER, content=content)

    assert response.status_code == 400, response.text
    assert list(response.json()) == ["error"]
    assert message in response.json()["error"]


@pytest.mark.parametrize("text", ['"\\ud800"', '"\xe9"', '"\\u0000"', '"\U0001f600"'])
def test_any_text_is_answered_or_refused(plane: Plane, text: str) -> None:
    body = json.dumps(_changed("size", data=["HERE"])).replace('"HERE"', text)

    response = plane.client.post(INFER, content=body.encode())

    assert response.status_code == (400 if "ud800" in text else 200)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models/", 404),
        ("GET", "/v2/models/other", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("POST", "/v2/models/tumour/versions/9/infer", 404),
        ("POST", "/v2/models/tumour/versions//infer", 404),
        ("GET", "/v2/models/tumour/else", 404),
        ("GET", "/v2/models/tumour/infer", 405),
        ("POST", "/v2/models/tumour", 405),
        ("DELETE", "/v2/models/tumour", 405),
        ("POST", "/v2/health/live", 405),
        ("POST", "/metrics", 405),
        ("GET", "/control/reload", 405),
        ("PUT", "/v2", 405),
    ],
)
def test_other_paths_and_methods_are_refused(
    plane: Plane, method: str, path: str, status: int
) -> None:
    response = plane.client.request(method, path)

    assert response.status_code == status
    assert list(response.json()) == ["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic predict-token"},
        {"authorization": "Bearer control-token"},
    ],
)
@pytest.mark.parametrize(
    "path", ["/v2/models/tumour", "/v2/models/nope", "/v2/models/tumour/ready", INFER]
)
def test_models_need_a_token(plane: Plane, headers: dict[str, str], path: str) -> None:
    url = str(plane.client.base_url).rstrip("/") + path

    response = httpx2.request(
        "POST" if path == INFER else "GET", url, headers=headers, verify=False
    )

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("verb", ["reload", "rotate"])
def test_control_needs_its_own_token(plane: Plane, verb: str) -> None:
    assert plane.client.post(f"/control/{verb}", headers=PREDICT).status_code == 401


def test_a_body_declared_too_large_is_refused_unread(plane: Plane) -> None:
    head = f"POST {INFER} HTTP/1.1\r\ncontent-length: {33 * 2**20}\r\n"
    head += f"authorization: {PREDICT['authorization']}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", plane.port), timeout=20) as caller:
        caller.sendall(head.encode())

        assert caller.recv(65536).startswith(b"HTTP/1.1 413")


def test_a_streamed_body_too_large_is_refused(plane: Plane) -> None:
    response = plane.client.post(INFER, content=(b" " * 2**20 for _ in range(34)))

    assert response.status_code == 413


def test_too_many_rows_are_refused(plane: Plane) -> None:
    response = plane.infer(_changed("radius", shape=[100_001], data=[1] * 100_001))

    assert response.status_code == 413
    assert "100001 rows; at most 100000" in response.json()["error"]


@pytest.mark.parametrize(
    "headers", [{"content-encoding": "gzip"}, {"inference-header-content-length": "10"}]
)
def test_forms_that_do_not_hold_are_refused(plane: Plane, headers: dict[str, str]) -> None:
    assert plane.client.post(INFER, content=b"{}", headers=headers).status_code == 400
