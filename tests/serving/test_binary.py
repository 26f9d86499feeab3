"""Tensors in binary after the JSON, both ways."""

from __future__ import annotations

import json
import struct
from typing import Any

import httpx2
import numpy as np
import pytest

from .data_plane import ECHO, INFER, Plane, echo, row

LENGTH = "Inference-Header-Content-Length"
FORMATS = {"BOOL": "?", "INT64": "<i8", "FP32": "<f4", "FP64": "<f8"}


def _raw(tensor: dict[str, Any]) -> bytes:
    if tensor["datatype"] == "BYTES":
        texts = [text.encode() for text in tensor["data"]]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return np.array(tensor["data"], dtype=FORMATS[tensor["datatype"]]).tobytes()


def _packed(body: dict[str, Any], *names: str) -> tuple[dict[str, Any], bytes]:
    """The request with the named inputs (or all) moved behind the JSON."""
    tail = b""
    for tensor in body["inputs"]:
        if not names or tensor["name"] in names:
            raw = _raw(tensor)
            del tensor["data"]
            tensor["parameters"] = {"binary_data_size": len(raw)}
            tail += raw
    return body, tail


def _send(plane: Plane, body: dict[str, Any], tail: bytes, path: str = ECHO) -> httpx2.Response:
    head = json.dumps(body).encode()
    headers = {LENGTH: str(len(head)), "content-type": "application/octet-stream"}
    return plane.client.post(path, content=head + tail, headers=headers)


def _read(response: httpx2.Response) -> dict[str, list[Any]]:
    """The values of each output, wherever they stand."""
    assert response.status_code == 200, response.text
    length = int(response.headers.get(LENGTH, len(response.content)))
    tail = response.content[length:]
    found: dict[str, list[Any]] = {}
    for tensor in json.loads(response.content[:length])["outputs"]:
        if "data" in tensor:
            found[tensor["name"]] = tensor["data"]
            continue
        size = tensor["parameters"]["binary_data_size"]
        found[tensor["name"]] = _values(tensor["datatype"], tail[:size])
        tail = tail[size:]
    assert tail == b""
    return found


def _values(datatype: str, raw: bytes) -> list[Any]:
    if datatype != "BYTES":
        values: list[Any] = np.frombuffer(raw, dtype=FORMATS[datatype]).tolist()
        return values
    texts: list[Any] = []
    while raw:
        (size,) = struct.unpack_from("<I", raw)
        texts.append(raw[4 : 4 + size].decode())
        raw = raw[4 + size :]
    return texts


@pytest.mark.parametrize("names", [(), ("word",), ("flag", "big"), ("count", "small")])
@pytest.mark.parametrize("binary", [True, False])
def test_every_datatype_goes_both_ways(
    plane: Plane, names: tuple[str, ...], *, binary: bool
) -> None:
    sent = {f"same_{tensor['name']}": tensor["data"] for tensor in echo(5)["inputs"]}

    body, tail = _packed(echo(5, id="five", parameters={"binary_data_output": binary}), *names)
    response = _send(plane, body, tail)

    found = _read(response)
    assert (LENGTH in response.headers) == binary
    assert found == sent


def test_an_output_may_differ_from_the_rest(plane: Plane) -> None:
    outputs = [
        {"name": "same_word"},
        {"name": "same_big", "parameters": {"binary_data": False}},
        {"name": "mainspring.request_id", "parameters": {"binary_data": False}},
    ]
    response = plane.infer(echo(outputs=outputs, parameters={"binary_data_output": True}), ECHO)

    assert response.headers["content-type"] == "application/octet-stream"
    head = json.loads(response.content[: int(response.headers[LENGTH])])
    assert [("data" in output) for output in head["outputs"]] == [False, True, True]
    assert list(_read(response)) == ["same_word", "same_big", "mainspring.request_id"]


def test_what_json_cannot_say_passes_in_binary(plane: Plane) -> None:
    body, _ = _packed(echo(2, parameters={"binary_data_output": True}), "big")
    tail = np.array([np.nan, -np.inf]).tobytes()

    values = _read(_send(plane, body, tail))["same_big"]

    assert np.isnan(values[0])
    assert values[1] == -np.inf


def test_a_body_may_be_nothing_but_the_only_input(plane: Plane) -> None:
    body = np.array([0, 1, 0], dtype="<i8").tobytes()

    response = plane.client.post("/v2/models/brittle/infer", content=body, headers={LENGTH: "0"})

    assert _read(response)["value"] == [1, np.inf, 1]


def _column(name: str, **changes: object) -> dict[str, Any]:
    body, _ = _packed(echo(), name)
    next(tensor for tensor in body["inputs"] if tensor["name"] == name).update(changes)
    return body


def _size(size: object) -> dict[str, Any]:
    return {"parameters": {"binary_data_size": size}}


BAD: list[tuple[dict[str, Any], bytes, str]] = [
    (_column("big"), b"", "binary_data_size of 8; 0 bytes are left"),
    (
        _column("big"),
        b"\0" * 9,
        "9 bytes follow the JSON; the inputs' binary_data_size add up to 8",
    ),
    (_column("big", shape=[2]), b"\0" * 8, "has 8 bytes; the shape [2] of FP64 has 16"),
    (_column("big", **_size("8")), b"\0" * 8, "binary_data_size is '8'"),
    (_column("big", **_size(-8)), b"\0" * 8, "binary_data_size is -8"),
    (_column("big", **_size(True)), b"\0" * 8, "binary_data_size is True"),
    (_column("big", data=[1]), b"\0" * 8, "has data and a binary_data_size"),
    (_column("flag"), b"\2", "its bytes must be 0 or 1"),
    (_column("small"), b"\0\0\xc0\x7f", "column 'small', row 0: null"),
    (_column("word", **_size(3)), b"\1\0\0", "column 'word', row 0: cut short"),
    (_column("word", **_size(5)), b"\2\0\0\0a", "column 'word', row 0: cut short"),
    (_column("word", **_size(5)), b"\xff\xff\xff\xffa", "column 'word', row 0: cut short"),
    (_column("word", **_size(5)), b"\1\0\0\0\xff", "column 'word', row 0: no UTF-8 text"),
    (_column("word", **_size(8)), b"\0" * 8, "has 2 values, its shape says 1"),
    (_column("word", **_size(0)), b"", "has 0 values, its shape says 1"),
    (echo(parameters={"binary_data_output": 1}), b"", "'binary_data_output' is 1"),
    (
        echo(outputs=[{"name": "same_big", "parameters": {"binary_data": "yes"}}]),
        b"",
        "'binary_data' is 'yes'",
    ),
]


@pytest.mark.parametrize(("body", "tail", "message"), BAD, ids=[text for *_, text in BAD])
def test_bytes_that_do_not_hold_are_refused(
    plane: Plane, body: dict[str, Any], tail: bytes, message: str
) -> None:
    response = _send(plane, body, tail)

    assert response.status_code == 400, response.text
    assert message in response.json()["error"]


@pytest.mark.parametrize("length", ["-1", "ten", "", "1e3", "99999999", "9" * 30])
def test_a_length_that_does_not_hold_is_refused(plane: Plane, length: str) -> None:
    response = plane.client.post(INFER, content=b"{}", headers={LENGTH: length})

    assert response.status_code == 400
    assert LENGTH in response.json()["error"]


def test_bytes_without_the_length_of_the_json_are_refused(plane: Plane) -> None:
    body, _ = _packed(echo(), "big")

    response = plane.infer(body, ECHO)

    assert response.status_code == 400
    assert LENGTH in response.json()["error"]


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (INFER, b"\0" * 8, "the model has 5 inputs"),
        (
            "/v2/models/brittle/infer",
            b"\0" * 9,
            "the body has 9 bytes; each row of 'index' takes 8",
        ),
        ("/v2/models/brittle/infer", b"", "the body has 0 bytes"),
    ],
)
def test_a_bare_body_that_does_not_fit_is_refused(
    plane: Plane, path: str, body: bytes, message: str
) -> None:
    response = plane.client.post(path, content=body, headers={LENGTH: "0"})

    assert response.status_code == 400
    assert message in response.json()["error"]


def test_json_is_still_answered_in_json(plane: Plane) -> None:
    response = plane.infer(row())

    assert response.headers["content-type"] == "application/json"
    assert LENGTH not in response.headers


def test_what_the_json_said_before_counts_again_for_other_values(plane: Plane) -> None:
    for place in range(4):
        body = echo(3)
        wanted = {}
        for tensor in body["inputs"]:
            # As many bytes of text each time, in another order.
            tensor["data"] = [*tensor["data"][place % 3 :], *tensor["data"][: place % 3]]
            wanted[f"same_{tensor['name']}"] = tensor["data"]
        assert _read(_send(plane, *_packed(body))) == wanted


def test_what_follows_json_that_is_known_is_still_checked(plane: Plane) -> None:
    head, tail = _packed(row(2))
    for _ in range(3):
        assert _send(plane, head, tail, INFER).status_code == 200
    texture, offset = np.float32("nan").tobytes(), 2 * 8
    spoilt = tail[:offset] + texture + tail[offset + 4 :]

    refused = [
        _send(plane, head, data, INFER) for data in (spoilt, tail[:-1], tail + b"\0", b"", tail)
    ]

    assert [answer.status_code for answer in refused] == [400, 400, 400, 400, 200]
    assert "texture" in refused[0].json()["error"]


@pytest.mark.parametrize("parameters", [{}, {"binary_data_output": True}])
def test_a_deadline_of_one_request_is_not_the_next_ones(
    plane: Plane, parameters: dict[str, object]
) -> None:
    body, tail = _packed(echo(2, parameters=parameters))
    head = json.dumps(body).encode()
    answers = [
        plane.client.post(ECHO, content=head + tail, headers={LENGTH: str(len(head)), **more})
        for more in ({"x-request-timeout-ms": "60000"}, {"x-request-timeout-ms": "0"}, {})
    ]

    assert [answer.status_code for answer in answers] == [200, 504, 200]


def test_a_deadline_in_json_that_is_known_counts_each_time(plane: Plane) -> None:
    body, tail = _packed(echo(2, parameters={"timeout": 1}))

    assert {_send(plane, body, tail).status_code for _ in range(3)} == {504}


def test_json_that_names_its_request_is_answered_under_that_name(plane: Plane) -> None:
    ids = []
    for place in (1, 1, 2):
        body, tail = _packed(echo(2, id=f"named-{place}"))
        answer = _send(plane, body, tail)
        ids.append(json.loads(answer.content[: int(answer.headers.get(LENGTH, 10**9))])["id"])
    unnamed = {_send(plane, *_packed(echo(2))).json()["id"] for _ in range(3)}

    assert ids == ["named-1", "named-1", "named-2"]
    assert len(unnamed) == 3
