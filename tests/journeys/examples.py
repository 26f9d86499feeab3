"""Runs the examples of all public docstrings against one server, in an order that makes a story.

python -m tests.journeys.examples

The home is the one of `MAINSPRING_HOME`, on which a server runs. Ends with 1 if an example fails, or
if a public name has none.
"""
# ruff: noqa: T201  the answer

from __future__ import annotations

import doctest
import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightgbm
import matplotlib as mpl
import numpy as np
import pyarrow as pa

import mainspring as ms
from mainspring.administration import contract as administration
from mainspring.administration.contract import AddPerson, CreateToken
from mainspring.interfaces.sdk import words

STORY = [
    "Client", "suite", "register", "version", "engines", "promote", "Pending", "reject", "missing", "approve",
    "deploy", "endpoint", "Endpoint", "predict", "log_truth", "label", "coverage", "send", "runbook",
    "monitor", "watch", "retrain_policy",
]  # fmt: skip
"""What has to come in an order; everything else stands alone."""


def main() -> int:
    """Run them; answers the exit code."""
    client = ms.Client()
    shared = _shared(client)
    wrong = [name for name, text in _found() if ">>>" not in text]
    print(*(f"{name} has no example" for name in wrong), sep="\n", end="\n" if wrong else "")
    failed = 0
    for name, text in sorted(_found(), key=lambda one: _place(one[0])):
        failed += _failures(name, text, shared)
    return 1 if failed or wrong else 0


def _place(name: str) -> int:
    last = name.rpartition(".")[2]
    return STORY.index(last) if last in STORY else len(STORY)


def _found() -> Iterator[tuple[str, str]]:
    """Public names and their docstrings, each thing once."""
    seen: set[int] = set()
    for name in sorted(ms.__all__):
        if name.startswith("_") or name == "config":
            continue
        thing = getattr(ms, name)
        if inspect.isclass(thing) and issubclass(thing, Exception) and name != "AlreadyTried":
            continue  # nobody makes one
        for path, one in [(name, thing), *_members(name, thing)]:
            here = inspect.unwrap(getattr(one, "__func__", one))
            if id(here) not in seen and not path.endswith(INSIDE):
                seen.add(id(here))
                yield path, inspect.getdoc(one) or ""


INSIDE = (
    ".describe",
    ".measured",
    ".console",
    ".ships_by",
    ".tick",
    ".say",
    ".is_opener",
    ".surface",
)
"""Members of runs and clients for the parts of Mainspring that make runs."""

ALONE = ("start_run", "end_run")
"""Words that refuse to be inside a run."""


def _members(name: str, thing: Any) -> Iterator[tuple[str, Any]]:
    if inspect.isclass(thing) and not issubclass(thing, Exception):
        for key, one in inspect.getmembers(thing):
            ours = callable(one) or isinstance(one, property)
            if not key.startswith("_") and ours and not hasattr(dict, key):
                yield f"{name}.{key}", one


def _shared(client: ms.Client) -> dict[str, Any]:
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  once it knows that there is no screen

    Path("report.txt").write_text("well")
    Path("plots").mkdir()
    Path("plots", "a.txt").write_text("a")
    values = np.random.default_rng(7).uniform(size=400)
    labels = (values > 0.5).astype(np.float64)
    settings = {"objective": "binary", "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5}
    booster = lightgbm.train(settings, lightgbm.Dataset(values[:, None], labels), 5)
    table = pa.table({"x": values})
    client.call(administration.add_person, AddPerson(name="vera", roles=["approver", "viewer"]))
    token = client.call(administration.create_token, CreateToken(owner="vera", days=1)).token
    client.suite("tiny", checks={"latency": {"p99_ms": 5000}}, approvals=1)
    with client.run("a model") as trained:
        rows = table.append_column("label", pa.array(labels))
        trained.log_dataset(rows.slice(0, 300), name="tiny")
        trained.log_dataset(rows.slice(300), name="tiny", role="holdout")
        trained.log_model(booster, sample=table)
    return {
        "ms": ms,
        "client": client,
        "second_person": ms.Client(url=client.url, token=token),
        "trained": trained,
        "booster": booster,
        "table": table,
        "figure": plt.figure(),
    }


def _failures(name: str, text: str, shared: dict[str, Any]) -> int:
    """Run one example inside a run; it leaves the story what it made."""
    run = shared["trained"] if name.endswith(".register") else _around(name)
    if name.endswith((".missing", ".approve", ".reject", "Pending")):
        _asked_anew(shared, name)
    test = doctest.DocTestParser().get_doctest(text, shared | {"run": run}, name, name, 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    result = runner.run(test, clear_globs=False)
    if "endpoint" in test.globs:
        shared["endpoint"] = test.globs["endpoint"]
    return result.failed


def _around(name: str) -> ms.Run | None:
    """The run that is active; a new one if the example before has ended it."""
    run = words.active_run()
    if name in ALONE:
        while run is not None:
            run.finish()
            run = words.active_run()
        return None
    return run or ms.run("an example", config={"rate": 0.1})


def _asked_anew(shared: dict[str, Any], name: str) -> None:
    """Examples that decide have something to decide; those that ask find nothing open."""
    client, other = shared["client"], shared["second_person"]
    if name.endswith((".approve", ".reject")):
        client.promote("tiny@1", reason="again")
        return
    try:
        other.reject("tiny@1", reason="asked again")
    except ms.NotFound:
        return


if __name__ == "__main__":
    os.environ.pop("MAINSPRING_ACTIVE_RUN", None)
    sys.exit(main())
