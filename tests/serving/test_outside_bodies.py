"""Bodies that are meant to cost more than they are worth, and large ones that are meant well."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from .data_plane import INFER, Plane, row, served
from .test_group import moody, numbers, state

OPEN, MOODY = "/v2/models/echo/infer", "/v2/models/moody/infer"
PAIR = "/v2/models/pair/infer"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Adds two matrices, which have to be as wide as each other."""
    path = tmp_path_factory.mktemp("pair") / "pair.onnx"
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["sum"])],
        "pair",
        [info(name, TensorProto.FLOAT, ["n", "k"]) for name in ("a", "b")],
        [info("sum", TensorProto.FLOAT, ["n", "k"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture(scope="module")
def wide(
    tmp_path_factory: pytest.TempPathFactory, first_model: Path, pair: Path
) -> Iterator[Plane]:
    """Models that leave the sizes to their callers, and one that does not."""
    models = [moody("Echo"), served(first_model), served(pair, name="pair"), moody()]
    with Plane(tmp_path_factory.mktemp("wide"), models) as plane:
        yield plane


def _tensor(data: object, shape: list[Any], datatype: str = "FP32", name: str = "x") -> Any:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def _open(plane: Plane, *tensors: Any) -> Any:
    return plane.infer({"inputs": list(tensors)}, OPEN)


@pytest.mark.parametrize(
    "shape", [[1] * 33, [1] * 65, [1] * 300, [0, 2**63], [0, 2**40], [-1], [2**31, 2**31]]
)
def test_shapes_that_no_array_has_are_refused(wide: Plane, shape: list[int]) -> None:
    answer = _open(wide, _tensor([1], shape))

    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("shape", [[], [0], [0, 3], [1, 2, 1, 2], [1] * 32])
def test_shapes_that_some_arrays_have_come_back(wide: Plane, shape: list[int]) -> None:
    count = int(np.prod(shape))

    (output,) = _open(wide, _tensor([1.5] * count, shape)).json()["outputs"]

    assert (output["shape"], output["data"]) == (shape, [1.5] * count)


def test_widths_that_a_graph_cannot_add_are_the_callers_fault(wide: Plane) -> None:
    good, other = _tensor([1, 2], [1, 2], name="a"), _tensor([1, 2, 3], [1, 3], name="b")

    refused = wide.infer({"inputs": [good, other]}, PAIR)

    assert refused.status_code == 400
    assert "the model refuses the inputs" in refused.json()["error"]
    answered = wide.infer({"inputs": [good, {**good, "name": "b"}]}, PAIR)
    assert answered.json()["outputs"][0]["data"] == [2.0, 4.0]


@pytest.mark.parametrize("datatype", ["BOOL", "UINT64", "INT32", "FP32", "FP64"])
@pytest.mark.parametrize("nested", [True, False])
def test_long_arrays_come_back_as_they_went(wide: Plane, datatype: str, *, nested: bool) -> None:
    shape = [300, 1000, 2] if datatype != "BOOL" else [200, 1000, 2]
    flat = np.arange(int(np.prod(shape)))
    values = (flat % 2 == 0) if datatype == "BOOL" else flat if "INT" in datatype else flat / 8
    data = values.reshape(shape).tolist() if nested else values.tolist()

    (output,) = _open(wide, _tensor(data, shape, datatype)).json()["outputs"]

    assert output["shape"] == shape
    assert output["data"] == values.tolist()


LONG = ",".join(["1.25"] * 300_000)
ROWS = ",".join(["[1.25,2]"] * 150_000)


@pytest.mark.parametrize(
    ("data", "shape", "message"),
    [
        (f"[{LONG},]", [300_000], "not valid JSON"),
        (f"[{LONG}", [300_000], "not valid JSON"),
        (f"[,{LONG}]", [300_000], "not valid JSON"),
        (f"[{LONG},,1]", [300_001], "not valid JSON"),
        (f"[{LONG} 1]", [300_000], "not valid JSON"),
        (f'[{LONG},"1"]', [300_001], "got `str`"),
        (f"[{LONG},null]", [300_001], "got `null`"),
        (f"[{LONG},1e39]", [300_001], "does not fit FP32"),
        (f"[{LONG},NaN]", [300_001], "not valid JSON"),
        (f"[{LONG}]", [300_001], "300000 values"),
        (f"[{ROWS}]", [150_000, 3], "not as long as its shape"),
        (f"[{ROWS},[3]]", [150_000, 2], "not as long as its shape"),
        (f"[{ROWS},3,4]", [150_001, 2], "not as long as its shape"),
        (f"[[{ROWS}]]", [150_000, 2], "not as long as its shape"),
        (f"[{ROWS[:-1]}][1]", [150_000, 2], ""),
    ],
)
def test_long_arrays_are_read_as_strictly_as_short_ones(
    wide: Plane, data: str, shape: list[int], message: str
) -> None:
    body = f'{{"inputs":[{{"name":"x","shape":{shape},"datatype":"FP32","data":{data}}}]}}'

    answer = wide.client.post(OPEN, content=body.encode())

    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_nan_in_a_long_answer_is_null(wide: Plane) -> None:
    values = np.full(140_000, np.nan, dtype="<f4")
    values[0] = 1.5
    parameters = {"binary_data_size": values.nbytes}
    tensor = {"name": "x", "shape": [140_000], "datatype": "FP32", "parameters": parameters}
    head = json.dumps({"inputs": [tensor]}).encode()

    answer = wide.client.post(
        OPEN,
        content=head + values.tobytes(),
        headers={"inference-header-content-length": str(len(head))},
    )

    assert answer.json()["outputs"][0]["data"] == [1.5] + [None] * 139_999


def test_names_of_the_platform_are_no_models_inputs(wide: Plane) -> None:
    answer = _open(wide, _tensor([1], [1]), _tensor([1], [1], name="mainspring.other"))

    assert answer.status_code == 400
    assert "a name of the platform's" in answer.json()["error"]


def test_more_tensors_than_any_model_has_are_refused(wide: Plane) -> None:
    answer = _open(wide, *[_tensor([1], [1], name=f"x{n}") for n in range(20_000)])

    assert answer.status_code == 413
    assert "20000 inputs" in answer.json()["error"]


@pytest.mark.parametrize("path", [OPEN, INFER])
def test_an_error_does_not_quote_without_end(wide: Plane, path: str) -> None:
    tensor = _tensor([1], [1], datatype="A" * 2**20, name="B" * 2**20)

    answer = wide.infer({"inputs": [tensor], "outputs": [{"name": "C" * 2**20}]}, path)

    assert answer.status_code == 400
    assert 10 < len(answer.json()["error"]) < 3_000


@pytest.mark.parametrize("path", ["/predict/echo", "/invocations"])
def test_more_lists_and_objects_than_a_table_has_are_refused(wide: Plane, path: str) -> None:
    body = b'{"instances":[' + b",".join([b"[]"] * 1_100_000) + b"]}"

    answer = wide.client.post(path, content=body)

    assert answer.status_code == 413
    assert "lists and objects" in answer.json()["error"]


def test_more_lists_of_texts_than_a_table_has_are_refused(wide: Plane) -> None:
    answer = _open(wide, _tensor([[""]] * 1_100_000, [1_100_000, 1], "BYTES"))

    assert answer.status_code == 413
    assert "lists and objects" in answer.json()["error"]


def test_rows_that_have_nothing_in_common_are_refused_before_they_are_a_table(wide: Plane) -> None:
    rows = [{f"k{n}": 1} for n in range(5_000)]

    answer = wide.client.post("/predict/echo", json=rows)

    assert answer.status_code == 400
    assert "row 0 has 1 of the 5000 names" in answer.json()["error"]


def test_a_name_among_many_that_stands_twice_is_found(wide: Plane) -> None:
    names = [f"c{n}" for n in range(50_000)]
    split = {"columns": [*names, "c7"], "data": []}

    answer = wide.client.post("/invocations", json={"dataframe_split": split})

    assert answer.status_code == 400
    assert "'c7' is given twice" in answer.json()["error"]


def test_what_a_body_is_once_inflated_counts_too(tmp_path: Path, first_model: Path) -> None:
    body = gzip.compress(json.dumps(row()).encode() + b" " * 2**20)
    headers = {"content-encoding": "gzip"}
    with Plane(tmp_path, [served(first_model)], limits={"body_bytes": 2**19}) as plane:
        for _ in range(20):
            refused = plane.client.post(INFER, content=body, headers=headers)

            assert refused.status_code == 503
        assert plane.infer(row()).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "inside",
    [
        b'"shape":[%d],"datatype":"FP32","data":[%s]' % (2**24 - 200, b"1," * (2**24 - 201) + b"1"),
        b'"shape":[%s],"datatype":"FP32","data":[]' % (b"1," * (2**24 - 201) + b"1"),
        b'"shape":[1],"datatype":"FP32","data":[1],"parameters":{"a":[%s{}]}'
        % (b"{}," * 11_000_000),
    ],
    ids=["data", "shape", "parameters"],
)
def test_the_largest_bodies_keep_nobody_waiting(
    tmp_path: Path, inside: bytes, first_model: Path
) -> None:
    body = b'{"inputs":[{"name":"x",' + inside + b"}]}"
    statuses: list[int] = []
    with Plane(tmp_path, [moody("Echo"), served(first_model)], log=None) as plane:

        def send() -> None:
            with plane.caller() as caller:
                statuses.append(caller.post(OPEN, content=body, timeout=120).status_code)

        large = threading.Thread(target=send)
        large.start()
        answered = 0
        while large.is_alive():
            assert plane.infer(row()).status_code == 200
            answered += 1

        assert statuses[0] in (200, 400)
        assert answered > 3
        assert state(plane).restarts == []


def test_one_bad_request_among_many_good_ones_fails_alone(wide: Plane) -> None:
    answers: dict[int, Any] = {}

    def ask(number: int) -> None:
        body: Any = numbers(float(number))
        if number == 17:
            body["inputs"][0]["data"] = ["x"]
        with wide.caller() as caller:
            answers[number] = caller.post(MOODY, json=body)

    callers = [threading.Thread(target=ask, args=(number,)) for number in range(50)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert answers.pop(17).status_code == 400
    assert {number: answer.json()["outputs"][0]["data"] for number, answer in answers.items()} == {
        number: [2.0 * number] for number in answers
    }
