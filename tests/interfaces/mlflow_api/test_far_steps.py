"""The steps at the ends of 64 bits, which MLflow's clients may send."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

API = "/api/2.0/mlflow"
LAST = 2**63 - 1
STEPS = [-LAST, LAST - 1, LAST]


@pytest.fixture
def http(url: str, tokens: dict[str, str]) -> Iterator[httpx2.Client]:
    """A client of a developer."""
    headers = {"Authorization": f"Bearer {tokens['dora']}"}
    with httpx2.Client(
        base_url=url + API, headers=headers, trust_env=False, verify=False
    ) as client:
        yield client


@pytest.fixture
def run(http: httpx2.Client) -> str:
    """A run that logged at each of them."""
    run = http.post("/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
    metrics = [{"key": "a", "value": 1, "timestamp": 253_402_300_799_999, "step": s} for s in STEPS]
    logged = http.post("/runs/log-batch", json={"run_id": run, "metrics": metrics})
    assert logged.status_code == 200
    return str(run)


def pages(http: httpx2.Client, run: str) -> Iterator[int]:
    """The steps of the history, read one value at a time."""
    asked = {"run_id": run, "metric_key": "a", "max_results": "1"}
    while True:
        page = http.get("/metrics/get-history", params=asked).json()
        yield from (one["step"] for one in page["metrics"])
        if "next_page_token" not in page:
            return
        asked["page_token"] = page["next_page_token"]


def test_they_are_read_page_by_page(http: httpx2.Client, run: str) -> None:
    assert list(pages(http, run)) == STEPS


def test_charts_show_them(http: httpx2.Client, run: str) -> None:
    asked: dict[str, Any] = {
        "run_ids": [run],
        "metric_key": "a",
        "start_step": -LAST,
        "end_step": LAST,
    }
    found = http.get("/metrics/get-history-bulk-interval", params=asked).json()

    assert [one["step"] for one in found["metrics"]] == STEPS


@pytest.mark.parametrize("token", ["9223372036854775808.1", "1.-9999999999999999999", "1", "٣.1"])
def test_a_token_of_no_page_is_refused(http: httpx2.Client, run: str, token: str) -> None:
    asked: dict[str, Any] = {
        "run_id": run,
        "metric_key": "a",
        "max_results": 1,
        "page_token": token,
    }

    assert http.get("/metrics/get-history", params=asked).status_code == 400
