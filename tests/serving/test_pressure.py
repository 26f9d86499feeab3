"""More than a data plane takes: queues end, deadlines are kept, memory is bounded."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from .data_plane import Plane, row, served, until
from .test_group import _figure, moody, numbers

SLOW = "/v2/models/slow/infer"


def test_a_full_queue_says_when_to_come_again(tmp_path: Path) -> None:
    with (
        Plane(tmp_path, [moody("Slow")], limits={"queue": 2}) as plane,
        ThreadPoolExecutor(12) as callers,
    ):
        answers = list(callers.map(lambda _: plane.client.post(SLOW, json=numbers(300)), range(12)))

        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) == {200, 429}
        assert statuses[200] >= 2
        for answer in answers:
            if answer.status_code == 429:
                assert answer.headers["retry-after"] == "1"
                assert "requests wait for 'slow'" in answer.json()["error"]
        page = plane.client.get("/metrics").text
        refused = f'mainspring_errors_total{{model="slow",kind="queue_full"}} {statuses[429]}'
        assert refused in page.splitlines()
        assert plane.client.post(SLOW, json=numbers(1)).status_code == 200


@pytest.mark.parametrize("by", ["parameter", "header"])
def test_a_deadline_is_kept_and_what_is_late_is_not_computed(tmp_path: Path, by: str) -> None:
    body, headers = numbers(5), {}
    if by == "parameter":
        body["parameters"] = {"timeout": 50_000}
    else:
        headers["x-request-timeout-ms"] = "50"
    with Plane(tmp_path, [moody("Slow")]) as plane, ThreadPoolExecutor(2) as callers:
        first = callers.submit(plane.client.post, SLOW, json=numbers(1000))
        page = f"{plane.client.base_url}/metrics"
        until(
            lambda: (
                _figure(httpx2.get(page, verify=False).text, "mainspring_requests_in_flight") >= 2
            )
        )

        late = plane.client.post(SLOW, json=body, headers=headers)

        assert not first.done()
        assert late.status_code == 504
        assert "before the request's deadline" in late.json()["error"]
        assert first.result().status_code == 200
        assert plane.client.post(SLOW, json=numbers(0)).status_code == 200
        rows = 'mainspring_rows_total{model="slow",version="1"}'
        assert _figure(plane.client.get("/metrics").text, rows) == 2


@pytest.mark.parametrize(
    ("parameters", "headers", "status", "message"),
    [
        ({"timeout": 0}, {}, 400, "the parameter 'timeout' is 0"),
        ({"timeout": "5"}, {}, 400, "the parameter 'timeout' is '5'"),
        ({"timeout": True}, {}, 400, "the parameter 'timeout' is True"),
        ({}, {"x-request-timeout-ms": "-5"}, 400, "X-Request-Timeout-Ms is '-5'"),
        ({}, {"x-request-timeout-ms": "0"}, 504, "X-Request-Timeout-Ms is 0"),
        ({"timeout": 60_000_000}, {}, 200, ""),
        ({}, {"x-request-timeout-ms": "60000"}, 200, ""),
    ],
)
def test_a_deadline_is_read_strictly(
    plane: Plane, parameters: dict[str, object], headers: dict[str, str], status: int, message: str
) -> None:
    answer = plane.client.post(
        "/v2/models/tumour/infer", json=row(parameters=parameters), headers=headers
    )

    assert answer.status_code == status
    assert message in answer.text


def test_requests_beyond_the_limit_are_told_to_come_again(tmp_path: Path) -> None:
    with (
        Plane(tmp_path, [moody("Slow")], limits={"requests": 3}) as plane,
        ThreadPoolExecutor(10) as callers,
    ):
        answers = list(callers.map(lambda _: plane.client.post(SLOW, json=numbers(300)), range(10)))

        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) == {200, 503}
        assert all(
            answer.headers["retry-after"] == "1" for answer in answers if answer.status_code == 503
        )
        assert plane.client.post(SLOW, json=numbers(1)).status_code == 200


def test_bodies_beyond_the_memory_for_them_are_refused(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)], limits={"body_bytes": 2_000}) as plane:
        for _ in range(20):
            assert plane.infer(row(100)).status_code == 503
            assert plane.infer(row()).status_code == 200
