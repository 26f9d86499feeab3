"""A head that was read before is not read again: what it says counts each time."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.monitoring.prediction_log import read_predictions
from mainspring.serving.heads import MOST_HEADS, Head, KnownHeads

from .data_plane import INFER, Plane, hash_of, row, served
from .test_express import Caller, request

HEAD = b"POST /v2/models/tumour/infer HTTP/1.1\r\ncontent-length: 4\r\n\r\n"
SAID = Head("/v2/models/tumour/infer", {b"content-length": b"4"}, 4)


@pytest.fixture
def caller(plane: Plane) -> Iterator[Caller]:
    """Whose next request has a head that is known."""
    assert plane.infer(row()).status_code == 200
    found = Caller(plane)
    for number in range(3):
        found.send(row(id=f"known-{number}"))
        assert found.read()[2]["id"] == f"known-{number}"
    yield found
    found.close()


def test_a_head_is_found_by_its_bytes_and_its_whole_body() -> None:
    heads = KnownHeads()
    assert heads.find(HEAD + b"body") is None

    heads.learn(HEAD + b"body", SAID)

    assert heads.find(HEAD + b"ydob") == (SAID, len(HEAD))
    assert heads.find(HEAD + b"bod") is None
    assert heads.find(HEAD + b"body" + HEAD) is None
    assert heads.find(HEAD.replace(b"POST", b"GETS") + b"body") is None


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"bod",
        HEAD + b"body, and more",
        HEAD.replace(b"\r\ncontent", b"\ncontent") + b"body",
        HEAD.replace(b" HTTP", b"/" * 5000 + b" HTTP") + b"body",
    ],
    ids=["a part", "more than one", "a line that ends in another way", "a long one"],
)
def test_what_is_not_one_plain_request_is_not_remembered(data: bytes) -> None:
    heads = KnownHeads()

    heads.learn(data, SAID)

    assert heads.find(data) is None


def test_heads_that_differ_each_time_do_not_add_up() -> None:
    heads = KnownHeads()
    for number in range(2 * MOST_HEADS):
        heads.learn(HEAD.replace(b"\r\n\r\n", b"\r\nx: %d\r\n\r\n" % number) + b"body", SAID)

    assert 0 < len(heads._known) <= MOST_HEADS


def test_bodies_of_one_length_are_told_apart(caller: Caller) -> None:
    for id_ in ("first", "other"):
        caller.send(row(id=id_))
        assert caller.read()[2]["id"] == id_
    caller.send({**row(id="third"), "inputs": row(id="third")["inputs"][:-1]})
    assert caller.read()[0] == 400


def test_requests_at_once_and_in_pieces_are_answered_in_their_order(caller: Caller) -> None:
    """Cut anywhere, so that the end of one and the beginning of the next may come together."""
    chance = random.Random(7)
    ids = [f"order-{number:03d}" for number in range(300)]
    raw = b"".join(request(row(id=id_)) for id_ in ids)
    start = 0
    while start < len(raw):
        size = chance.choice([1, 40, 200, len(request(row(id=ids[0]))), 3000])
        caller.socket.sendall(raw[start : start + size])
        start += size

    assert [caller.read()[2]["id"] for _ in ids] == ids


def test_other_headers_are_another_head(caller: Caller) -> None:
    caller.send(row(id="known-9"), x_request_timeout_ms="0")
    assert caller.read()[0] == 504
    caller.send(row(id="known-9"), accept_encoding="gzip")
    assert caller.read()[0] == 200


def test_a_token_that_was_taken_back_is_refused(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        assert plane.infer(row()).status_code == 200
        caller = Caller(plane)
        for _ in range(3):
            caller.send(row())
            assert caller.read()[0] == 200
        plane.write(tokens=[hash_of("another token")])
        assert plane.control("reload").status_code == 200

        caller.send(row())

        status, _, body = caller.read()
        assert (status, "a token that may predict" in body["error"]) == (401, True)
        caller.close()


def test_a_process_that_stops_answers_and_hangs_up(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        assert plane.infer(row()).status_code == 200
        caller = Caller(plane)
        for number in range(3):
            caller.send(row(id=f"stop-{number}"))
            assert caller.read()[0] == 200
        answered, number = 3, 3
        assert plane.process is not None
        plane.process.terminate()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            caller.send(row(id=f"stop-{number}"))
            status, headers, _ = caller.read()
            answered, number = answered + (status == 200), number + 1
            if status == 0 or headers.get("connection") == "close":
                break
        plane.process.wait(20)
        table = read_predictions(plane.log_folder, None, None)
        assert table.num_rows == answered + 1
        caller.close()


def test_an_access_log_tells_each_caller_apart(tmp_path: Path, first_model: Path) -> None:
    access_log = tmp_path / "access.jsonl"
    with Plane(tmp_path, [served(first_model)], access_log=str(access_log)) as plane:
        assert plane.infer(row()).status_code == 200
        for number in range(3):
            caller = Caller(plane)
            caller.send(row(id=f"seen-{number}"))
            assert caller.read()[0] == 200
            caller.close()
        plane.stop()
        lines = [line for line in access_log.read_text().splitlines() if '"seen-' in line]
        entries = [json.loads(line) for line in lines]
        assert [(entry["id"], entry["client"], entry["path"]) for entry in entries] == [
            (f"seen-{number}", "127.0.0.1", INFER) for number in range(3)
        ]
