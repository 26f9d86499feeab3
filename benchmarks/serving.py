"""`mainspring serve` beside MLServer and BentoML: CPU time a request, latency, memory, start.

    python -m benchmarks.serving [--rounds 3] [--seconds 5] [--quick] [--only GROUP ...]
                                 [--servers KIND ...] [--quiet-seconds 10] [--json FILE]

All serve one model, a scaled logistic regression of scikit-learn's breast cancer data, on this machine and in
one run, and take turns; the figures are medians of the rounds. Each trial starts a server anew on the first
core; the load is a process on the second. Ours runs as it is meant to: a token is asked for, every prediction
is logged, metrics are kept; a trial after which a row that was answered is not in the log counts as failed.
Every status has to be 200, and the first answers have to be the estimator's probabilities. The peers run with
their defaults in environments that are made in `.cache/bench-serving` (MLServer without worker processes,
which is its cheaper way).

- *CPU us* is user and system time of all processes of a deployment from the first counted request until the
  last process has ended after SIGTERM, a request; less what a stop costs without a load (`stop s`).
- *Memory* is the summed PSS after a few requests and some quiet; *start* is from the launch to the first 200
  of the path that says that the model can be called.

GROUP is one of

- `http`: one row in JSON over 1, 16 and 64 connections,
- `rows`: 32 rows over 64 connections, in JSON and (ours) in binary,
- `memory`: memory after some quiet, also without gRPC,
- `grpc`: one row over gRPC (ours and MLServer),
- `parts`: ours without the log, the metrics or the token,
- `workers`: one and two workers on two cores (which the load shares where there are no more),
- `tuned`: the peers without access log, and with their batching.

Ends with 1 if a bar is not reached or a trial failed. Needs Linux, two cores and scikit-learn. With --json
all trials are written to a file. Read the ratios: the microseconds are of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.client_trials import adopt_orphans
from benchmarks.serving_peers import Side, release_of, train, why_missing
from benchmarks.serving_processes import TrialFailed
from benchmarks.serving_report import (
    BENTOML,
    BINARY,
    MANY,
    MLSERVER,
    ONE,
    ONNX,
    ROWS,
    SIXTEEN,
    SKLEARN,
    WITHOUT_LOG,
    Results,
    judged,
    print_bars,
    print_parts,
    print_tables,
)
from benchmarks.serving_requests import WrongAnswer
from benchmarks.serving_trials import Bench, Pace, Workload

MAIN = (ONNX, SKLEARN, MLSERVER, BENTOML)
PARTS = (
    WITHOUT_LOG,
    replace(ONNX, title="ONNX, without metrics", flags=("--no-metrics",)),
    replace(ONNX, title="ONNX, without the token", token=False),
    replace(ONNX, title="ONNX, without all three", flags=("--no-log", "--no-metrics"), token=False),
)
WORKERS = tuple(
    replace(
        side,
        title=f"{side.title}, {count} on 2 cores",
        flags=("--workers", str(count)),
        cores=2,
    )
    for side in (ONNX, SKLEARN)
    for count in (1, 2)
)
TUNED = (
    replace(MLSERVER, title="MLServer, no access log", flags=("quiet",)),
    replace(MLSERVER, title="MLServer, no access log, batches", flags=("quiet", "batches")),
    replace(BENTOML, title="BentoML, batches", flags=("batches",)),
)
WITHOUT_GRPC = replace(ONNX, title="mainspring, ONNX, without gRPC", grpc=False)
CALLS = [Workload("grpc", 1, connections) for connections in (1, 16, 64)]

Plan = dict[Workload, list[Side]]
GROUPS: dict[str, list[tuple[Workload, tuple[Side, ...]]]] = {
    "http": [(ONE, MAIN), (SIXTEEN, MAIN), (MANY, MAIN)],
    "rows": [(ROWS, (ONNX, MLSERVER, BENTOML)), (BINARY, (ONNX,))],
    "memory": [],
    "grpc": [(work, (ONNX, MLSERVER)) for work in CALLS],
    "parts": [(ONE, (ONNX, *PARTS)), (MANY, (ONNX, *PARTS))],
    "workers": [(MANY, WORKERS)],
    "tuned": [(ONE, TUNED), (MANY, TUNED)],
}


def planned(groups: list[str], kinds: set[str]) -> Plan:
    """Whom to ask what, each once."""
    plan: Plan = {}
    for group in groups:
        for work, sides in GROUPS[group]:
            chosen = [side for side in sides if side.kind in kinds]
            plan[work] = list(dict.fromkeys([*plan.get(work, []), *chosen]))
    return plan


def measured(bench: Bench, plan: Plan, resting: list[Side], rounds: int) -> Results:
    """All trials, the servers taking turns; `resting` are those whose memory is read."""
    results = Results()
    sides = list(dict.fromkeys([*resting, *(side for asked in plan.values() for side in asked)]))
    for number in range(rounds):
        _tell(f"round {number + 1} of {rounds}")
        for side in sides:
            _idle(bench, results, side, quiet=side in resting)
        for work, asked in plan.items():
            for side in asked:
                _loaded(bench, results, side, work)
    results.settle()
    return results


def _idle(bench: Bench, results: Results, side: Side, *, quiet: bool) -> None:
    _tell(f"{side.title}: start and stop")
    try:
        found = bench.idle(side, quiet=quiet)
    except (TrialFailed, WrongAnswer) as failure:
        _failed(results, failure)
        return
    if not quiet:
        del found["memory_mb"]
    results.add(side, None, found)


def _loaded(bench: Bench, results: Results, side: Side, work: Workload) -> None:
    if results.start_s(side) is None:
        return  # it has failed already
    _tell(f"{side.title}: {work}")
    try:
        results.add(side, work, bench.loaded(side, work))
    except (TrialFailed, WrongAnswer) as failure:
        _failed(results, failure)


def _failed(results: Results, failure: Exception) -> None:
    results.failures.append(str(failure))
    _tell(f"FAILED: {failure}")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    """What the figures are of."""
    return {
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "releases": {name: version(name) for name in ("mainspring", "scikit-learn", "onnxruntime")},
    }


def installed(kinds: set[str]) -> tuple[set[str], dict[str, str]]:
    """The kinds that can be run, and the releases of the peers."""
    releases: dict[str, str] = {}
    for peer in ("mlserver", "bentoml"):
        why = why_missing(peer)
        if why and peer == "mlserver":
            raise SystemExit(f"the model is trained where MLServer is, which is missing: {why}")
        if why:
            print(f"{peer} is left out, as it cannot be installed: {why}")
            kinds = kinds - {peer}
        else:
            releases[peer] = release_of(peer)
    return kinds, releases


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of each load")
    parser.add_argument("--quiet-seconds", type=float, default=10, help="before memory is read")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--only", nargs="*", choices=list(GROUPS), default=list(GROUPS))
    kinds = ["mainspring", "mlserver", "bentoml"]
    parser.add_argument("--servers", nargs="*", choices=kinds, default=kinds)
    parser.add_argument("--json", type=Path, help="write all trials to this file")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    given = arguments()
    rounds, pace = given.rounds, Pace(1.0, given.seconds, given.quiet_seconds)
    if given.quick:
        rounds, pace = 1, Pace(0.4, 1.5, 2.0)
    kinds, releases = installed(set(given.servers))
    about = machine()
    about["releases"] |= releases
    adopt_orphans()
    resting = [*MAIN, WITHOUT_GRPC] if "memory" in given.only else []
    with tempfile.TemporaryDirectory() as name:
        train(Path(name))
        bench = Bench(Path(name), pace)
        plan = planned(given.only, kinds)
        results = measured(bench, plan, [side for side in resting if side.kind in kinds], rounds)
    print(*(f"{name} {release}" for name, release in about["releases"].items()), sep=", ")
    print(
        f"{about['cores']} cores, load {about['load'][0]:.1f} before, {os.getloadavg()[0]:.1f} after"
    )
    print_tables(results)
    if "parts" in given.only:
        print_parts(results, PARTS, (ONE, MANY))
    bars = judged(results)
    print_bars(bars)
    if given.json:
        kept = {"machine": about, "bars": bars, "failures": results.failures}
        given.json.write_text(json.dumps({**kept, "trials": results.trials()}, indent=1))
    sys.exit(bool(results.failures) or not all(bar["passed"] for bar in bars))


if __name__ == "__main__":
    main()
