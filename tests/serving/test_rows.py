"""Plain rows by column name, and MLflow's forms."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import httpx2
import pandas as pd
import pytest

from mainspring import __version__

from . import python_models
from .data_plane import Plane, row, served

ROW: dict[str, Any] = {
    "radius": 14.5,
    "texture": 20.25,
    "area": 600,
    "smooth": True,
    "size": "small",
}
OTHER = ROW | {"radius": 9.0, "area": 200, "size": "large"}
NAMES = list(ROW)
PATH = "/predict/tumour"
JSON = "application/json"


@pytest.fixture
def scores(plane: Plane) -> list[float]:
    """What the Open Inference Protocol answers for the two rows."""
    body = row(2)
    for tensor in body["inputs"]:
        tensor["data"] = [ROW[tensor["name"]], OTHER[tensor["name"]]]
    values: list[float] = plane.infer(body).json()["outputs"][0]["data"]
    assert values[0] != values[1]
    return values


@pytest.mark.parametrize("body", [{"rows": [ROW, OTHER]}, [ROW, OTHER]])
def test_rows_are_answered_by_rows(plane: Plane, scores: list[float], body: object) -> None:
    answer = plane.infer(body, PATH).json()

    assert (answer["model_name"], answer["model_version"]) == ("tumour", "1")
    assert [found["score"] for found in answer["rows"]] == scores
    assert len({found["mainspring.request_id"] for found in answer["rows"]}) == 2


def test_one_row_needs_no_list(plane: Plane, scores: list[float]) -> None:
    named = ROW | {"mainspring.request_id": "mine", "mainspring.event_time": 5}

    answer = plane.infer(named, PATH).json()

    assert answer["rows"] == [{"score": scores[0], "mainspring.request_id": "mine"}]


def test_a_version_is_chosen_by_path_here_too(plane: Plane) -> None:
    assert plane.infer(ROW, f"{PATH}/versions/2").json()["model_version"] == "2"


def test_what_may_be_missing_may_be_left_out(plane: Plane) -> None:
    short = {name: ROW[name] for name in ("texture", "area", "smooth")}

    left_out = plane.infer(short, PATH).json()["rows"][0]["score"]
    mixed = plane.infer([short, ROW], PATH).json()["rows"][0]["score"]

    whole = plane.infer(ROW | {"radius": None, "size": None}, PATH).json()["rows"][0]["score"]
    assert left_out == mixed == whole


@pytest.mark.parametrize("path", [PATH, "/invocations"])
def test_a_table_of_floats_may_hold_integers(plane: Plane, scores: list[float], path: str) -> None:
    rows = [found | {"area": float(found["area"])} for found in (ROW, OTHER)]

    answer = plane.infer({"rows" if path == PATH else "instances": rows}, path).json()

    told = answer.get("predictions") or [found["score"] for found in answer["rows"]]
    assert told == scores


BAD: list[tuple[object, int, str]] = [
    (b"", 400, "not valid JSON"),
    (b"[" * 100_000, 400, "not valid JSON"),
    (5, 400, "the body is a number"),
    (None, 400, "the body is null"),
    ([], 400, "no rows"),
    ({"rows": []}, 400, "no rows"),
    ([ROW, 5], 400, "row 1 is a number"),
    ([[1]], 400, "row 0 is a list"),
    ({}, 400, "no rows"),
    (ROW | {"more": 1}, 400, "the model has no input 'more'"),
    ({"rows": 5}, 400, "the model has no input 'rows'"),
    ([ROW, ROW | {"area": 1.5}], 400, "column 'area', row 1: Expected `int`"),
    ([ROW, ROW | {"area": 2**63}], 400, "column 'area', row 1"),
    ([ROW | {"area": 5.0}, ROW | {"area": 2.0**60}], 400, "column 'area', row 1: Expected `int`"),
    (ROW | {"area": [[5.0]]}, 400, "column 'area', row 0: Expected `int`, got `array`"),
    (b'{"area":' + b"[" * 900 + b"5.0" + b"]" * 900 + b"}", 400, "column 'area', row 0"),
    (ROW | {"texture": 1e300}, 400, "column 'texture', row 0: 1e+300 does not fit FP32"),
    ([ROW, {"radius": 1}], 400, "column 'texture', row 1: null"),
    ({"radius": 1}, 400, "the input column 'texture' is missing"),
    ([ROW, ROW | {"mainspring.request_id": "a"}], 400, "'mainspring.request_id', row 0: null"),
    ([ROW | {"mainspring.request_id": "a"}] * 2, 400, "names a row twice"),
    ([{}] * 100_001, 413, "100001 rows; at most 100000"),
]


@pytest.mark.parametrize(("body", "status", "message"), BAD, ids=[text for *_, text in BAD])
def test_bad_rows_are_refused_and_say_why(
    plane: Plane, body: object, status: int, message: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    response = plane.client.post(PATH, content=content)

    assert response.status_code == status, response.text
    assert message in response.json()["error"]


def _invoke(plane: Plane, body: object, kind: str | None = JSON) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": kind} if kind else {}
    return plane.client.post("/invocations", content=content, headers=headers)


LISTS = [[found[name] for name in NAMES] for found in (ROW, OTHER)]
FORMS: list[object] = [
    {"dataframe_split": {"columns": NAMES, "data": LISTS, "index": [0, 1]}},
    {"dataframe_split": {"columns": NAMES[::-1], "data": [line[::-1] for line in LISTS]}},
    {"dataframe_records": [ROW, OTHER], "params": {}},
    {"dataframe_split": {"data": LISTS}},
    {"instances": [ROW, OTHER]},
    {"instances": LISTS},
    {"inputs": [ROW, OTHER]},
    {"inputs": {name: [ROW[name], OTHER[name]] for name in NAMES}},
    {"inputs": {name: [[ROW[name]], [OTHER[name]]] for name in NAMES}},
]


@pytest.mark.parametrize("body", FORMS)
@pytest.mark.parametrize("kind", [JSON, "application/json; charset=utf-8", None])
def test_every_form_of_mlflow_is_answered(
    plane: Plane, scores: list[float], body: object, kind: str | None
) -> None:
    answer = _invoke(plane, body, kind).json()

    assert answer["predictions"] == scores
    assert len(answer["mainspring.request_id"]) == 2


def test_a_frame_that_lacks_values_is_taken_as_python_writes_it(
    tmp_path: Path, echo_model: Path
) -> None:
    texts = ["NaN", '"NaN', "\\", '\\", NaN, "', ""]
    frame = pd.DataFrame({"word": texts}).assign(flag=True, count=1, small=0.5, big=math.nan)
    with Plane(tmp_path, [served(echo_model, name="echo")]) as plane:
        split = {"dataframe_split": frame.to_dict(orient="split")}
        invoked = _invoke(plane, json.dumps(split).encode()).json()["predictions"]
        listed = json.dumps(frame.to_dict(orient="records"))
        rows = plane.client.post("/predict/echo", content=listed).json()["rows"]

    for found in (invoked, rows):
        assert [row["same_word"] for row in found] == texts
        assert {row["same_big"] for row in found} == {None}


def test_inputs_without_lists_are_one_row(plane: Plane, scores: list[float]) -> None:
    assert _invoke(plane, {"inputs": ROW}).json()["predictions"] == scores[:1]


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_is_answered(plane: Plane, scores: list[float], start: str, end: str) -> None:
    lines = [",".join(NAMES), "14.5,20.25,600,True,small", '9.0,20.25,200,1,"large"', ""]

    answer = _invoke(plane, (start + end.join(lines)).encode(), "text/csv; charset=utf-8").json()

    assert answer["predictions"] == scores


def test_several_outputs_are_an_object_a_row(tmp_path: Path, echo_model: Path) -> None:
    sent = {"flag": True, "count": 3, "small": 0.5, "big": None, "word": ""}
    with Plane(tmp_path, [served(echo_model, name="echo")]) as plane:
        answer = _invoke(plane, {"dataframe_records": [sent]}).json()
        line = _invoke(plane, b"flag,count,small,big,word\n1,3,0.5,,\n", "text/csv").json()

    assert answer["predictions"] == [{f"same_{name}": value for name, value in sent.items()}]
    assert line["predictions"] == answer["predictions"]


def test_one_input_needs_no_lists_of_one(tmp_path: Path, brittle_model: Path) -> None:
    with Plane(tmp_path, [served(brittle_model)]) as plane:
        assert _invoke(plane, {"instances": [0, 0]}).json()["predictions"] == [1, 1]
        assert _invoke(plane, {"inputs": [[0]]}).json()["predictions"] == [1]
        flat = {"dataframe_split": {"columns": ["index"], "data": [0, 0]}}
        assert _invoke(plane, flat).json()["predictions"] == [1, 1]


def test_a_frame_whose_columns_have_no_names_fits_a_matrix(tmp_path: Path) -> None:
    data = [[1.0, 2.0], [3.0, 4.0]]
    frame = pd.DataFrame(data).to_dict(orient="split")
    with Plane(tmp_path, [served(f"{python_models.__name__}:Total", name="total")]) as plane:
        for split in (frame, {"data": data}, {"columns": ["a", "b"], "data": data}):
            answer = _invoke(plane, {"dataframe_split": split})

            assert answer.json()["predictions"] == [3.0, 7.0], answer.text


BAD_FORMS: list[tuple[object, str | None, int, str]] = [
    ([ROW], JSON, 400, "the body has no input; wanted is an object with one of"),
    ({"inputs": [], "instances": []}, JSON, 400, "the body has instances and inputs"),
    ({"instances": []}, JSON, 400, "no rows"),
    ({"instances": 5}, JSON, 400, "'instances' is a number"),
    ({"instances": [[1]]}, JSON, 400, "row 0 is 1 values; a list of 5 values is wanted"),
    ({"instances": [ROW, [1]]}, JSON, 400, "row 1 is a list"),
    ({"instances": [1]}, JSON, 400, "row 0 is a number; a list of 5 values is wanted"),
    ({"inputs": {"radius": 5}}, JSON, 400, "'texture'"),
    ({"inputs": {"radius": 5, "texture": [1]}}, JSON, 400, "input 'radius' is a number"),
    ({"inputs": {"radios": [5]}}, JSON, 400, "no input 'radios'"),
    ({"inputs": {}}, JSON, 400, "no rows"),
    ({"inputs": {"radius": [1, 2], "texture": [1]}}, JSON, 400, "the first column has 2"),
    ({"dataframe_records": {"a": 1}}, JSON, 400, "'dataframe_records' is an object"),
    ({"dataframe_split": [1]}, JSON, 400, "is wanted as an object of columns and data"),
    ({"dataframe_split": {"columns": 5, "data": []}}, JSON, 400, "a list of names"),
    ({"dataframe_split": {"columns": ["area"] * 2, "data": []}}, JSON, 400, "given twice"),
    ({"dataframe_split": {"columns": [[]], "data": []}}, JSON, 400, "a list of names"),
    ({"dataframe_split": {"columns": [True], "data": []}}, JSON, 400, "a list of names"),
    ({"dataframe_split": {"columns": [0], "data": []}}, JSON, 400, "no input '0'"),
    ({"dataframe_records": [ROW | {"texture": math.nan}]}, JSON, 400, "'texture', row 0: null"),
    (b'{"inputs": [NaN, Infinity]}', JSON, 400, "not valid JSON"),
    (b'{"inputs": ["NaN]}', JSON, 400, "not valid JSON"),
    (b'{"inputs": [' + b"NaN," * 1_000_001 + b"1]}", JSON, 400, "not valid JSON"),
    (b"radius\n1,2\n", "text/csv", 400, "row 0 is 2 values; a list of 1 values"),
    (b"", "text/csv", 400, "the line of column names is missing"),
    (b"\xff", "text/csv", 400, "not valid CSV"),
    (b"radius\n", "text/csv", 400, "no rows"),
    (b"area\n1.5\n", "text/csv", 400, "column 'area', row 0: '1.5' is no INT64"),
    (b"area\n" + b"9" * 5000, "text/csv", 400, "column 'area', row 0"),
    (b"area\n" + b"9" * 200, "text/csv", 400, "column 'area', row 0"),
    (b"smooth\nyes\n", "text/csv", 400, "column 'smooth', row 0: 'yes' is no BOOL"),
    (b"smooth\n" + b"y" * 200_000, "text/csv", 400, "not valid CSV"),
    (b"{}", "application/xml", 415, "the content type is 'application/xml'"),
]


@pytest.mark.parametrize(
    ("body", "kind", "status", "message"), BAD_FORMS, ids=[str(n) for n in range(len(BAD_FORMS))]
)
def test_bad_invocations_are_refused_and_say_why(
    plane: Plane, body: object, kind: str | None, status: int, message: str
) -> None:
    response = _invoke(plane, body, kind)

    assert response.status_code == status, response.text
    assert message in response.json()["error"]


def test_mlflow_probes_are_answered(plane: Plane) -> None:
    bare = str(plane.client.base_url).rstrip("/")

    assert httpx2.get(f"{bare}/ping", verify=False).text == "\n"
    assert httpx2.get(f"{bare}/version", verify=False).text == __version__
    assert httpx2.get(f"{bare}/health", verify=False).status_code == 200


@pytest.mark.parametrize("path", ["/invocations", PATH])
def test_rows_need_a_token_and_a_post(plane: Plane, path: str) -> None:
    bare = str(plane.client.base_url).rstrip("/")

    assert httpx2.post(f"{bare}{path}", json=ROW, verify=False).status_code == 401
    assert plane.client.get(path).status_code == 405


@pytest.mark.parametrize(
    "path", ["/predict/nope", "/predict/", "/predict/tumour/infer", "/predict/tumour/versions/9"]
)
def test_rows_for_nobody_are_not_found(plane: Plane, path: str) -> None:
    assert plane.infer(ROW, path).status_code == 404
