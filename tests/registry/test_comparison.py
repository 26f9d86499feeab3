"""Two versions side by side: what differs is named, and what is the same is counted."""

from __future__ import annotations

import datetime as dt

from mainspring.registry.comparison import Difference, differences, equal_entries, flat
from mainspring.registry.comparison_contract import CompareVersions, compare_versions
from mainspring.tracking import contract as tracking
from mainspring.tracking.contract import LogRun, Point
from tests import story
from tests.house import Clients
from tests.story import MODEL


def made(clients: Clients, auc: float, depth: str, content: bytes) -> int:
    run = story.open_run(clients.developer, code={"commit": depth * 40})
    story.log_data(clients.developer, run, "training")
    points = [
        Point(key="auc", value=value, step=step, at=dt.datetime(2013, 1, 1, tzinfo=dt.UTC))
        for step, value in enumerate((0.5, auc))
    ]
    request = LogRun(run=run, points=points, params={"depth": depth, "rate": "0.1"})
    clients.developer.call(tracking.log_run, request)
    trained = story.log_model(clients.developer, run, content)
    story.finish(clients.developer, run)
    return story.register(clients.developer, trained)


def test_versions_differ_in_metrics_parameters_code_and_files(clients: Clients) -> None:
    made(clients, 0.7, "6", b"six")
    made(clients, 0.8, "8", b"eight")

    request = CompareVersions(model=MODEL, version=1, other=2)
    found = clients.viewer.call(compare_versions, request)

    told = {(one.part, one.key): (one.left, one.right) for one in found.differences}
    assert told["metrics", "auc"] == (0.7, 0.8)
    assert told["params", "depth"] == ("6", "8")
    assert told["code", "commit"] == ("6" * 40, "8" * 40)
    assert ("files", "model.txt") in told
    assert ("data", "training/training") not in told
    assert (found.left, found.right, found.same_files) == (f"{MODEL}@1", f"{MODEL}@2", False)
    assert found.equal["params"] == 1
    assert found.equal["data"] == 1


def test_the_same_files_are_the_same_model(clients: Clients) -> None:
    for _ in range(2):
        made(clients, 0.7, "6", b"six")

    found = clients.viewer.call(compare_versions, CompareVersions(model=MODEL, version=1, other=2))

    assert found.same_files
    assert {one.part for one in found.differences} == {"version"}


def test_what_one_side_lacks_is_none() -> None:
    left, right = {"params": {"a": 1, "b": 2}}, {"params": {"b": 3}}

    assert differences(left, right) == [
        Difference(part="params", key="a", left=1, right=None),
        Difference(part="params", key="b", left=2, right=3),
    ]
    assert equal_entries(left, right) == {"params": 0}


def test_documents_are_compared_leaf_by_leaf() -> None:
    assert flat({"a": {"b": 1, "c": {"d": [2]}}, "e": None}) == {"a.b": 1, "a.c.d": [2], "e": None}
