"""What the log's policy keeps: sampling, redaction, hashes, entity keys."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Signature
from mainspring.engines.tensor import Tensors
from mainspring.monitoring.prediction_log import read_predictions
from mainspring.serving.batching import Member
from mainspring.serving.compaction import seal_journals
from mainspring.serving.framing import Framing, is_taken
from mainspring.serving.inference import InferRequest
from mainspring.serving.journal import Frame
from mainspring.serving.log_policy import LogPolicy

from . import python_models
from .data_plane import ECHO, INFER, Plane, row, served
from .test_group import moody, numbers
from .test_operation import _run

KEY, OTHER = "ab" * 16, "cd" * 16
SECRET, BIG_SECRET = "Ada of Nowhere", 918273645546372819


def _call(rows: int, inputs: Tensors, **named: Any) -> InferRequest:
    about: dict[str, Any] = {"request_ids": None, "event_times": None, "entity_keys": None}
    about |= {"id": "r", **named}
    return InferRequest(rows=rows, inputs=inputs, outputs=(), now_us=7, **about)


def _framed(policy: LogPolicy, *calls: InferRequest, by_row: bool = True) -> Frame | None:
    policy.check()
    members = [Member(call, lambda *_: None, 0.0, 0.0, None) for call in calls]
    inputs = {
        name: np.concatenate([call.inputs[name] for call in calls]) for name in calls[0].inputs
    }
    return Framing("m", "1", policy).frame(members, inputs, dict(inputs), by_row=by_row)


def _hashed(key: str, values: np.ndarray) -> list[str | None]:
    frame = _framed(LogPolicy(hashed=("x",), key=key), _call(len(values), {"x": values}))
    assert frame is not None
    datatype, _, data = frame.inputs["x"]
    assert datatype == "BYTES"
    assert frame.outputs["x"][2] == data
    hashes: list[str | None] = data
    return hashes


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("pattern", ["{}", "order-{:08d}", "{:032x}", "2026-01-01/{}/a"])
def test_a_sample_has_its_share_of_any_ids(share: float, pattern: str) -> None:
    count = 20_000

    taken = sum(is_taken(share, pattern.format(number)) for number in range(count))

    assert abs(taken - count * share) < 5 * math.sqrt(count * share * (1 - share))


def test_all_and_none_are_exact() -> None:
    assert all(is_taken(1, str(number)) for number in range(1000))
    assert not any(is_taken(0, str(number)) for number in range(1000))


def test_a_larger_sample_has_all_of_the_smaller() -> None:
    assert all(is_taken(0.4, str(n)) for n in range(2000) if is_taken(0.2, str(n)))


def test_a_sampled_frame_has_the_rows_of_its_requests() -> None:
    policy = LogPolicy(sample=0.5)
    calls = [
        _call(rows, {"x": np.full(rows, number)}, id=str(number))
        for number, rows in enumerate([1, 3, 2, 1, 4, 1, 1, 2])
    ]
    kept = [call for call in calls if is_taken(policy.sample, call.id)]
    assert 0 < len(kept) < len(calls)

    frame = _framed(policy, *calls)

    assert frame is not None
    assert frame.ids == [call.id for call in kept]
    assert frame.counts == [call.rows for call in kept]
    values = np.frombuffer(frame.inputs["x"][2], dtype=np.int64)
    assert values.tolist() == [int(call.id) for call in kept for _ in range(call.rows)]


def test_nothing_taken_is_no_frame() -> None:
    assert _framed(LogPolicy(sample=0), _call(1, {"x": np.ones(1)})) is None


def test_a_row_sent_again_is_sampled_as_before() -> None:
    """The request has another id each time, but its row has its own."""
    policy = LogPolicy(sample=0.5)
    for number in range(20):
        calls = [_call(1, {"x": np.ones(1)}, id=i, request_ids=[str(number)]) for i in "abc"]
        assert len({_framed(policy, call) is None for call in calls}) == 1


def test_equal_values_have_equal_hashes_and_other_keys_others() -> None:
    values = np.array(["a", "b", "a", None, b"a", "\ud800"], dtype=object)

    first, second = _hashed(KEY, values), _hashed(OTHER, values)

    assert first[0] == first[2] == first[4] != first[1]
    assert first[3] is None
    assert not {*filter(None, first)} & {*filter(None, second)}
    whole = hmac.new(bytes.fromhex(KEY), b"a", hashlib.sha256).hexdigest()
    assert first[0] == whole[:32]


def test_hashed_numbers_become_text_and_missing_ones_stay_missing() -> None:
    floats = _hashed(KEY, np.array([1.5, math.nan, 1.5, 0.0, -0.0]))
    assert floats[0] == floats[2]
    assert floats[1] is None
    assert floats[3] == floats[4]
    assert _hashed(KEY, np.array([5, 6, 5]))[0] == _hashed(KEY, np.array(["5"], dtype=object))[0]
    assert len(set(_hashed(KEY, np.array([True, False, True])))) == 2


def test_a_hashed_matrix_keeps_its_shape() -> None:
    matrix = np.array([[1.0, 2.0], [2.0, 1.0]], dtype=np.float32)

    frame = _framed(LogPolicy(hashed=("x",), key=KEY), _call(2, {"x": matrix}))

    assert frame is not None
    datatype, shape, data = frame.inputs["x"]
    assert (datatype, shape) == ("BYTES", (2,))
    assert data[0] == data[3] != data[1] == data[2]


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_an_input_is_the_entity_key(shape: tuple[int, ...]) -> None:
    for values, expected in (
        (np.array(["a", None], dtype=object), ["a", None]),
        (np.array([7, 8]), ["7", "8"]),
        (np.array([7.5, math.nan]), ["7.5", None]),
    ):
        call = _call(2, {"who": values.reshape(shape)})
        frame = _framed(LogPolicy(entity_key="who"), call)
        assert frame is not None
        assert frame.entity_keys == expected


def test_the_callers_own_entity_key_goes_first() -> None:
    inputs = {"who": np.array(["a", "b"], dtype=object)}
    calls = [_call(2, inputs), _call(2, inputs, entity_keys=["c", "d"])]

    frame = _framed(LogPolicy(entity_key="who"), *calls)

    assert frame is not None
    assert frame.entity_keys == ["a", "b", "c", "d"]


@pytest.mark.parametrize("hashed", ["who", "mainspring.entity_key"])
def test_a_hashed_entity_key_is_hashed_wherever_it_came_from(hashed: str) -> None:
    calls = [
        _call(1, {"who": np.array(["ada"], dtype=object)}),
        _call(1, {"who": np.array(["bob"], dtype=object)}, entity_keys=["ada"]),
    ]

    frame = _framed(LogPolicy(entity_key="who", hashed=(hashed,), key=KEY), *calls)

    assert frame is not None
    first, second = frame.entity_keys
    assert first == second != "ada"


def test_entity_keys_can_be_left_out() -> None:
    call = _call(1, {"x": np.ones(1)}, entity_keys=["ada"])

    frame = _framed(LogPolicy(redact=("mainspring.entity_key",)), call)

    assert frame is not None
    assert frame.entity_keys == [None]


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ({"hashed": ("x",)}, "no key is given"),
        ({"hashed": ("x",), "redact": ("x",), "key": KEY}, "left out and to be hashed"),
        ({"redact": ("x",), "entity_key": "x"}, "is the entity key and is to be left out"),
        ({"redact": ("mainspring.entity_key",), "entity_key": "x"}, "is to be left out"),
        ({"redact": ("mainspring.request_id",)}, "by which a prediction is found again"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(policy: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        LogPolicy(**policy).check()


def test_a_policy_must_name_what_the_model_has() -> None:
    signature = Signature(
        inputs=(Column(name="x", datatype="FP64", shape=(3,)),),
        outputs=(Column(name="y", datatype="FP64"),),
    )
    LogPolicy(redact=("x", "y", "mainspring.entity_key")).check_against(signature)
    for policy in (LogPolicy(redact=("z",)), LogPolicy(hashed=("z",)), LogPolicy(entity_key="z")):
        with pytest.raises(Invalid, match=r"names 'z'; the model has mainspring\.entity_key, x, y"):
            policy.check_against(signature)
    with pytest.raises(Invalid, match="one value a row is wanted"):
        LogPolicy(entity_key="x").check_against(signature)


def test_of_several_models_one_must_have_what_a_policy_names() -> None:
    one, other = (
        Signature(
            inputs=(Column(name=name, datatype="FP64"),),
            outputs=(Column(name="y", datatype="FP64"),),
        )
        for name in ("x", "w")
    )
    LogPolicy(redact=("x", "y"), entity_key="w").check_against(one, other)
    with pytest.raises(
        Invalid, match=r"names 'z'; the models have mainspring\.entity_key, w, x, y"
    ):
        LogPolicy(redact=("x", "z")).check_against(one, other)


def test_models_with_other_columns_share_a_log_and_its_policy(
    tmp_path: Path, first_model: Path
) -> None:
    models = [served(first_model), moody("Moody")]
    policy = {"redact": ["radius"], "entity_key": "x"}
    with Plane(tmp_path, models, log={"policy": policy}, is_steered=False) as plane:
        assert plane.client.post(INFER, json=row()).status_code == 200
        assert plane.client.post("/v2/models/moody/infer", json=numbers(7)).status_code == 200
        for verb in ("unload", "load"):
            asked = plane.client.post(f"/v2/repository/models/moody/{verb}")
            assert asked.status_code == 200, asked.text

    rows = read_predictions(plane.log_folder, None, None).to_pylist()
    assert [(one["model"], one["entity_key"]) for one in rows] == [
        ("tumour", None),
        ("moody", "7.0"),
    ]
    assert "input.radius" not in rows[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "code", "message"),
    [
        ({"redact": ["radio"]}, 2, "the log's policy names 'radio'"),
        ({"hashed": ["radius"]}, 2, "no key is given"),
        ({"hashed": ["radius"], "key": "ab" * 15 + "abc"}, 2, "at 'log.policy.key'"),
        ({"sample": 1.5}, 2, "at 'log.policy.sample'"),
    ],
)
def test_a_data_plane_refuses_a_wrong_policy(
    tmp_path: Path, first_model: Path, policy: dict[str, Any], code: int, message: str
) -> None:
    plane = Plane(tmp_path, [served(first_model)], log={"policy": policy})
    plane.client.close()

    done = _run(plane.path)

    assert (done.returncode, done.stderr.count("\n")) == (code, 1)
    assert message in done.stderr


def _bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def _needles() -> list[bytes]:
    """Secrets as they would stand in a file: text, and numbers as bytes and as text."""
    number = np.int64(BIG_SECRET)
    return [SECRET.encode(), number.tobytes(), number.tobytes()[::-1], str(number).encode()]


def _unpacked(folder: Path) -> str:
    """All of the rows as text, for Parquet is compressed."""
    return json.dumps(read_predictions(folder, None, None).to_pylist(), default=str)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["declared", "undeclared"])
@pytest.mark.parametrize("way", ["redact", "hashed"])
def test_what_is_not_to_be_kept_is_in_no_file(
    tmp_path: Path, echo_model: Path, model: str, way: str
) -> None:
    names = ["word", "count"]
    if model == "declared":
        names += ["same_word", "same_count"]
    place = echo_model if model == "declared" else f"{python_models.__name__}:Echo"
    policy: dict[str, Any] = {way: names, **({"key": KEY} if way == "hashed" else {})}
    body: dict[str, Any] = {
        "id": "found",
        "inputs": [
            {"name": "flag", "datatype": "BOOL", "shape": [2], "data": [True, False]},
            {"name": "count", "datatype": "INT64", "shape": [2], "data": [BIG_SECRET, 1]},
            {"name": "small", "datatype": "FP32", "shape": [2], "data": [0.5, 1.5]},
            {"name": "big", "datatype": "FP64", "shape": [2], "data": [0.25, None]},
            {"name": "word", "datatype": "BYTES", "shape": [2], "data": [SECRET, "x"]},
        ],
    }
    if model == "undeclared":
        body["inputs"] = [one for one in body["inputs"] if one["name"] != "big"]
    with Plane(tmp_path, [served(place, "1", "echo")], log={"policy": policy}) as plane:
        answer = plane.infer(body, ECHO)
        plane.stop()

    assert answer.status_code == 200
    assert SECRET in answer.text
    raw = _bytes_of(plane.log_folder)
    assert b"found" in raw
    assert not [needle for needle in _needles() if needle in raw]
    assert seal_journals(plane.log_folder)
    raw, text = _bytes_of(plane.log_folder), _unpacked(plane.log_folder)
    assert "found" in text
    assert not [needle for needle in _needles() if needle in raw]
    assert SECRET not in text
    assert str(BIG_SECRET) not in text
    columns = read_predictions(plane.log_folder, None, None).column_names
    assert ("input.word" in columns) == (way == "hashed")


@pytest.mark.slow
def test_entity_keys_and_matrices_of_a_model_that_declares_nothing(tmp_path: Path) -> None:
    body: dict[str, Any] = {
        "id": "r",
        "inputs": [
            {"name": "who", "datatype": "BYTES", "shape": [1], "data": ["ada"]},
            {"name": "x", "datatype": "FP32", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]},
        ],
    }
    place = f"{python_models.__name__}:Echo"
    policy = {"entity_key": "who"}
    with Plane(tmp_path, [served(place, "1", "echo")], log={"policy": policy}) as plane:
        assert plane.infer(body, ECHO).status_code == 200
        body["inputs"][1] |= {"shape": [6]}
        body["id"] = "s"
        assert plane.infer(body, ECHO).status_code == 200
        plane.stop()
        before = read_predictions(plane.log_folder, None, None)
        seal_journals(plane.log_folder)
        after = read_predictions(plane.log_folder, None, None)

    assert before.num_rows == after.num_rows
    assert set(after["request_id"].to_pylist()) == {"r", "s"}
    assert set(after["entity_key"].to_pylist()) == {"ada"}
    assert after["input.x"].to_pylist()[0] == [1, 2, 3, 4, 5, 6]


def test_a_row_of_the_demo_model_is_recorded_as_it_was_sent(
    tmp_path: Path, first_model: Path
) -> None:
    entity = {
        "name": "mainspring.entity_key",
        "datatype": "BYTES",
        "shape": [2],
        "data": ["ada", "bob"],
    }
    body = row(2, id="r")
    body["inputs"].append(entity)
    with Plane(tmp_path, [served(first_model)], log={"policy": {"redact": ["area"]}}) as plane:
        assert plane.infer(body).status_code == 200
        plane.stop()

    (first, second) = read_predictions(plane.log_folder, None, None).to_pylist()
    assert (first["request_id"], second["request_id"]) == ("r/0", "r/1")
    assert (first["entity_key"], second["entity_key"]) == ("ada", "bob")
    assert first["input.radius"] == 14.5
    assert first["input.size"] == "small"
    assert first["latency_us"] > 0
    assert "input.area" not in first
