"""Requests that come together are computed together, and answered apart."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.core.signature import Column, Signature
from mainspring.engines.engine import LoadedModel
from mainspring.engines.tensor import Tensors
from mainspring.serving.exposition import render
from mainspring.serving.fleet import Fleet, ServedModel, load_fleet
from mainspring.serving.log_policy import LogPolicy
from mainspring.serving.plane import Plane as ServingPlane
from mainspring.serving.plane import segment_limits
from mainspring.serving.recorder import Recorder
from mainspring.serving.server import DataPlane
from mainspring.serving.siblings import Siblings
from mainspring.serving.snapshot import Snapshot, read_snapshot

from .data_plane import ECHO, INFER, PREDICT, Plane, row, served

BRITTLE = "/v2/models/brittle/infer"
SLOW = "/v2/models/slow/infer"
DOUBLED = Signature(
    inputs=(Column(name="x", datatype="FP64"),), outputs=(Column(name="y", datatype="FP64"),)
)


class Doubling:
    """An engine that notes how many rows it got, and can be held up."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.error: Exception | None = None
        self.began, self.go = threading.Event(), threading.Event()
        self.go.set()

    def predict(self, inputs: Tensors) -> Tensors:
        self.rows.append(len(inputs["x"]))
        self.began.set()
        assert self.go.wait(20)
        if self.error is not None:
            raise self.error
        return {"y": inputs["x"] * 2}


class House:
    """A data plane in this process, so that requests meet in one turn of the loop."""

    def __init__(self, folder: Path, models: list[dict[str, str]]) -> None:
        plane = Plane(folder, models)
        plane.client.close()
        snapshot: Snapshot = read_snapshot(plane.path)
        fleet = load_fleet(snapshot)
        self.engine = Doubling()
        source = fleet.first().source
        model = LoadedModel(name="doubling", signature=DOUBLED, engine=self.engine)
        self.slow = ServedModel(source, model, snapshot.limits, LogPolicy())
        models_with = {**fleet.models, "slow": {"1": self.slow}}
        self.fleet = Fleet(snapshot=snapshot, tokens=fleet.tokens, models=models_with)
        assert snapshot.log is not None
        self.recorder = Recorder(folder / "log", "ab", segment_limits(snapshot.log))
        siblings = Siblings(folder, 0, snapshot.workers)
        self.plane = ServingPlane(plane.path, self.fleet, self.recorder, siblings)
        self.app = DataPlane(self.plane)
        self.runner = asyncio.Runner()

    async def post(self, path: str, body: object) -> tuple[int, Any]:
        """One request through the ASGI app."""
        sent: list[Any] = []
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "headers": [(b"authorization", PREDICT["authorization"].encode())],
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": json.dumps(body).encode()}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"])

    def all(self, *calls: tuple[str, object]) -> list[tuple[int, Any]]:
        """Many requests in one turn."""

        async def go() -> list[tuple[int, Any]]:
            return await asyncio.gather(*(self.post(path, body) for path, body in calls))

        return self.runner.run(go())

    def metrics(self) -> list[str]:
        return render(self.plane.counts()).splitlines()


@pytest.fixture
def house(
    tmp_path: Path, first_model: Path, second_model: Path, brittle_model: Path, echo_model: Path
) -> Iterator[House]:
    house = House(
        tmp_path,
        [
            served(first_model, "1"),
            served(second_model, "2"),
            served(brittle_model, "1", "brittle"),
            served(echo_model, "1", "echo"),
        ],
    )
    with house.runner:
        yield house
    house.recorder.close()


def _xs(*values: float) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "shape": [len(values)], "datatype": "FP64", "data": values}]}


def _index(value: int) -> dict[str, Any]:
    return {"inputs": [{"name": "index", "shape": [1], "datatype": "INT64", "data": [value]}]}


def _data(answer: tuple[int, Any]) -> list[Any]:
    status, body = answer
    assert status == 200, body
    values: list[Any] = body["outputs"][0]["data"]
    return values


def test_requests_of_one_turn_are_one_call(house: House) -> None:
    answers = house.all(*((SLOW, _xs(float(n), n + 0.5)) for n in range(10)))

    assert house.engine.rows == [20]
    assert [_data(answer) for answer in answers] == [[2.0 * n, 2 * n + 1.0] for n in range(10)]
    lines = house.metrics()
    slow = 'model="tumour",version="1"'
    assert f'mainspring_batches_total{{{slow},reason="turn"}} 1' in lines
    assert f'mainspring_batch_requests_bucket{{{slow},le="8"}} 0' in lines
    assert f'mainspring_batch_requests_bucket{{{slow},le="16"}} 1' in lines
    assert f"mainspring_queue_wait_seconds_count{{{slow}}} 10" in lines
    assert f"mainspring_rows_total{{{slow}}} 20" in lines
    assert f'mainspring_request_seconds_bucket{{{slow},le="+Inf"}} 10' in lines


def test_one_request_is_not_held_up(house: House) -> None:
    house.all((SLOW, _xs(1.0)))
    house.all((SLOW, _xs(2.0)))

    assert house.engine.rows == [1, 1]


def test_the_next_batch_fills_while_the_engine_is_busy(house: House) -> None:
    engine = house.engine
    engine.go.clear()

    async def go() -> list[tuple[int, Any]]:
        first = [asyncio.create_task(house.post(SLOW, _xs(*[1.0] * 40))) for _ in range(2)]
        await asyncio.to_thread(engine.began.wait, 20)
        later = [asyncio.create_task(house.post(SLOW, _xs(float(n)))) for n in range(3)]
        # The loop is free meanwhile, also for other models.
        assert (await house.post(INFER, row()))[0] == 200
        later.append(asyncio.create_task(house.post(SLOW, _xs(9.0))))
        await asyncio.to_thread(engine.go.set)
        return await asyncio.gather(*first, *later)

    answers = house.runner.run(go())

    assert engine.rows == [80, 4]
    assert [_data(answer) for answer in answers[2:]] == [[0.0], [2.0], [4.0], [18.0]]
    reason = 'mainspring_batches_total{model="tumour",version="1",reason="engine"} 1'
    assert reason in house.metrics()


def test_a_batch_has_an_end(house: House) -> None:
    answers = house.all(*((SLOW, _xs(*[float(n)] * 60)) for n in range(40)))

    assert house.engine.rows == [1020, 1020, 360]
    assert [_data(answer)[0] for answer in answers] == [2.0 * n for n in range(40)]
    assert any('reason="full"' in line for line in house.metrics())


def test_a_slow_engine_is_called_in_a_thread(house: House) -> None:
    house.slow.line.learn(1.0, 1)
    house.slow.line.learn(1.0, 1)
    house.engine.go.clear()

    async def go() -> tuple[int, Any]:
        asked = asyncio.create_task(house.post(SLOW, _xs(1.0)))
        await asyncio.to_thread(house.engine.began.wait, 20)
        house.engine.go.set()  # on the loop, which therefore is not held up
        return await asked

    assert _data(house.runner.run(go())) == [2.0]


def test_one_call_that_took_long_says_nothing_yet(house: House) -> None:
    house.slow.line.learn(0.001, 1)
    house.slow.line.learn(5.0, 1)
    assert house.slow.line.seconds == 0.001

    house.slow.line.learn(4.0, 1)
    assert house.slow.line.seconds == 4.0


def test_one_bad_row_fails_alone(house: House) -> None:
    answers = house.all(*((BRITTLE, _index(value)) for value in (0, 99, 0, 0)))

    assert [status for status, _ in answers] == [200, 400, 200, 200]
    assert [_data(answer) for answer in answers if answer[0] == 200] == [[1.0]] * 3
    assert house.recorder.rows == 3


def test_a_bad_first_row_fails_alone_too(house: House) -> None:
    answers = house.all(*((BRITTLE, _index(value)) for value in (99, 0, 98)))

    assert [status for status, _ in answers] == [400, 200, 400]


def test_a_request_is_checked_before_it_joins(house: House) -> None:
    answers = house.all((SLOW, _xs(1.0)), (SLOW, {"inputs": []}), (SLOW, _xs(2.0)))

    assert [status for status, _ in answers] == [200, 400, 200]
    assert house.engine.rows == [2]


def test_a_log_that_refuses_refuses_every_member(house: House) -> None:
    house.recorder.close()

    answers = house.all(*((SLOW, _xs(float(n))) for n in range(3)))

    assert [status for status, _ in answers] == [503] * 3
    assert all("the prediction log is closed" in body["error"] for _, body in answers)


def test_whoever_leads_may_be_cancelled(house: House) -> None:
    async def go() -> tuple[Any, ...]:
        house.engine.go.clear()
        house.slow.line.learn(1.0, 1)
        house.slow.line.learn(1.0, 1)
        tasks = [asyncio.create_task(house.post(SLOW, _xs(float(n)))) for n in range(2)]
        await asyncio.to_thread(house.engine.began.wait, 20)
        tasks[0].cancel()
        house.engine.go.set()
        gone = await asyncio.gather(*tasks, return_exceptions=True)
        return gone[0], gone[1], await house.post(SLOW, _xs(7.0))

    leader, member, later = house.runner.run(go())

    assert isinstance(leader, asyncio.CancelledError)
    assert _data(member) == [2.0]
    assert _data(later) == [14.0]


def test_versions_and_models_stay_apart(house: House) -> None:
    paths = [INFER, "/v2/models/tumour/versions/2/infer", ECHO, SLOW]
    alone = [_data(house.all((path, row()))[0]) for path in paths[:2]]

    mixed = house.all(*((path, row()) for path in paths[:2] * 5))

    assert [_data(answer) for answer in mixed] == alone * 5
    assert alone[0] != alone[1]


def _asked(counts: list[int]) -> list[tuple[str, dict[str, Any], list[Any]]]:
    """Requests of so many rows, in both dialects, and what each must be answered."""
    asked: list[tuple[str, dict[str, Any], list[Any]]] = []
    for number, count in enumerate(counts):
        words = [f"{number}/{index}" for index in range(count)]
        rows = [
            {"flag": index % 2 == 0, "count": number, "small": 0.5, "big": index / 3, "word": word}
            for index, word in enumerate(words)
        ]
        if number % 2:
            asked.append(("/predict/echo", {"rows": rows}, words))
            continue
        datatypes = {"flag": "BOOL", "count": "INT64", "small": "FP32", "big": "FP64"}
        inputs = [
            {
                "name": name,
                "shape": [count],
                "datatype": datatypes.get(name, "BYTES"),
                "data": [found[name] for found in rows],
            }
            for name in rows[0]
        ]
        body = {"inputs": inputs, "id": str(number), "outputs": [{"name": "same_word"}]}
        asked.append((ECHO, body, words))
    return asked


def _told(body: dict[str, Any]) -> list[Any]:
    if "rows" in body:
        return [found["same_word"] for found in body["rows"]]
    words: list[Any] = body["outputs"][0]["data"]
    return words


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(counts=st.lists(st.integers(1, 70), min_size=1, max_size=40))
def test_answers_never_cross(house: House, counts: list[int]) -> None:
    asked = _asked(counts)

    answers = house.all(*((path, body) for path, body, _ in asked))

    for (_, body, words), (status, told) in zip(asked, answers, strict=True):
        assert status == 200
        assert _told(told) == words
        assert told.get("id") == body.get("id")


def test_answers_never_cross_between_connections(plane: Plane) -> None:
    def caller(number: int) -> None:
        with httpx2.Client(base_url=plane.client.base_url, headers=PREDICT, verify=False) as client:
            for path, body, words in _asked([1 + (number + n) % 3 for n in range(20)]):
                told = client.post(path, json=body).json()
                assert _told(told) == words

    with ThreadPoolExecutor(8) as callers:
        for done in [callers.submit(caller, number) for number in range(8)]:
            done.result(60)


def test_what_a_batch_gives_is_what_one_gives(house: House) -> None:
    bodies = []
    for radius in np.linspace(5, 30, 20).tolist():
        body = row()
        body["inputs"][0]["data"] = [radius]
        bodies.append(body)

    together = [_data(answer) for answer in house.all(*((INFER, body) for body in bodies))]

    assert together == [_data(house.all((INFER, body))[0]) for body in bodies]


def test_a_caller_who_leaves_takes_nobody_with_it(house: House) -> None:
    """The first one of a batch is cancelled while the others join it."""

    async def go() -> list[tuple[int, Any]]:
        calls = [asyncio.create_task(house.post(SLOW, _xs(value))) for value in (1.0, 2.0, 3.0)]
        await asyncio.sleep(0)
        calls[0].cancel()
        answers = await asyncio.gather(*calls[1:])
        return [*answers, await house.post(SLOW, _xs(4.0))]

    assert [_data(answer) for answer in house.runner.run(go())] == [[4.0], [6.0], [8.0]]
    assert house.engine.rows == [2, 1]
    assert house.slow.line.waiting == 0


@pytest.mark.parametrize("error", [StopIteration("no more"), KeyError("x"), SystemError("odd")])
def test_whatever_a_model_raises_is_answered(house: House, error: Exception) -> None:
    async def go() -> list[tuple[int, Any]]:
        calls = [house.post(SLOW, _xs(value)) for value in (1.0, 2.0)]
        return [*await asyncio.gather(*calls), await house.post(SLOW, _xs(3.0))]

    house.engine.error = error

    assert [status for status, _ in house.runner.run(go())] == [500, 500, 500]


def test_a_caller_who_leaves_alone_leaves_nothing(house: House) -> None:
    async def go() -> tuple[int, Any]:
        call = asyncio.create_task(house.post(SLOW, _xs(1.0)))
        await asyncio.sleep(0)
        call.cancel()
        return await house.post(SLOW, _xs(2.0))

    assert _data(house.runner.run(go())) == [4.0]
    assert house.engine.rows == [1]
