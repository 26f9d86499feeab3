"""What the trials found: medians, ratios to the peers, and which bars are reached. Part of serving.py."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.serving_peers import Side
from benchmarks.serving_trials import Figures, Workload

ONNX = Side("mainspring, ONNX", "mainspring", "model.onnx")
SKLEARN = Side("mainspring, scikit-learn", "mainspring")
MLSERVER = Side("MLServer", "mlserver")
BENTOML = Side("BentoML", "bentoml")
WITHOUT_LOG = replace(ONNX, title="ONNX, without the log", flags=("--no-log",))
PEERS = (MLSERVER, BENTOML)

ONE, SIXTEEN, MANY = (Workload("json", 1, connections) for connections in (1, 16, 64))
ROWS, BINARY = Workload("json", 32, 64), Workload("binary", 32, 64)
START_S, LOG_US = 1.5, 15


@dataclass(frozen=True, slots=True)
class Bar:
    """How many times the peers' figure is to be ours."""

    title: str
    figure: str
    at_least: float
    work: Workload | None = None
    """None: what an idle server has."""
    side: Side = ONNX
    peers: tuple[Side, ...] = PEERS
    peers_work: Workload | None = None
    """What the peers are asked, where it is not the same."""


BARS = (
    Bar("CPU, ONNX, 1 connection", "cpu_us", 5, ONE),
    Bar("CPU, ONNX, 16 connections", "cpu_us", 10, SIXTEEN),
    Bar("CPU, ONNX, 64 connections", "cpu_us", 15, MANY),
    Bar("CPU, scikit-learn, 64 connections", "cpu_us", 10, MANY, SKLEARN),
    Bar("p50, ONNX, 1 connection", "p50_ms", 3, ONE),
    Bar("CPU, 32 rows in JSON", "cpu_us", 7, ROWS),
    Bar("CPU, 32 rows in binary", "cpu_us", 15, BINARY, peers_work=ROWS),
    Bar("memory", "memory_mb", 4 / 3, peers=(MLSERVER,)),
)


class Results:
    """The figures of all trials."""

    def __init__(self) -> None:
        self._trials: dict[tuple[Side, Workload | None], list[Figures]] = {}
        self.failures: list[str] = []

    def add(self, side: Side, work: Workload | None, figures: Figures) -> None:
        """Keep what one trial found; without a workload it is one of an idle server."""
        self._trials.setdefault((side, work), []).append(figures)

    def settle(self) -> None:
        """Work out the CPU time a request: of the load and the stop, less what a stop costs alone."""
        for (side, work), trials in self._trials.items():
            stop_s = self.median(side, None, "stop_s")
            if work is not None and stop_s is not None:
                for one in trials:
                    one["cpu_us"] = (one["cpu_s"] - stop_s) * 1e6 / one["requests"]

    def median(self, side: Side, work: Workload | None, figure: str) -> float | None:
        """The median over the rounds; None if it was not measured."""
        found = [one[figure] for one in self._trials.get((side, work), []) if figure in one]
        return statistics.median(found) if found else None

    def start_s(self, side: Side) -> float | None:
        """The median over all of its starts."""
        starts = [
            one["start_s"]
            for (whose, _), trials in self._trials.items()
            for one in trials
            if whose == side
        ]
        return statistics.median(starts) if starts else None

    def asked(self, work: Workload | None) -> list[Side]:
        """The servers that were asked this, in the order of the trials."""
        return [side for side, what in self._trials if what == work]

    def works(self) -> list[Workload]:
        """What was asked."""
        return list(dict.fromkeys(work for _, work in self._trials if work is not None))

    def trials(self) -> list[dict[str, Any]]:
        """Every trial, as it is kept in a file."""
        return [
            {
                "server": side.title,
                "work": None if work is None else [work.form, work.rows, work.connections],
                **figures,
            }
            for (side, work), found in self._trials.items()
            for figures in found
        ]


def print_tables(results: Results) -> None:
    """A table for each workload, and one of the idle servers."""
    for work in results.works():
        print(f"\n{work!s:<40}{'CPU us':>9}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}")
        for side in results.asked(work):
            figures = ("cpu_us", "rate", "p50_ms", "p99_ms")
            cpu, rate, p50, p99 = (results.median(side, work, figure) or 0 for figure in figures)
            line = f"{side.title:<40}{cpu:>9.1f}{rate:>9.0f}{p50:>9.2f}{p99:>9.2f}"
            print(line + _beside_peers(results, side, work))
    if sides := results.asked(None):
        print(f"\n{'':<40}{'start s':>9}{'stop s':>9}{'PSS MB':>9}")
        for side in sides:
            start, stop = results.start_s(side) or 0, results.median(side, None, "stop_s") or 0
            memory = results.median(side, None, "memory_mb")
            print(
                f"{side.title:<40}{start:>9.2f}{stop:>9.2f}" + (f"{memory:>9.0f}" if memory else "")
            )


def _beside_peers(results: Results, side: Side, work: Workload) -> str:
    if side.kind != "mainspring":
        return ""
    asked = work if work.form != "binary" else Workload("json", work.rows, work.connections)
    mine = results.median(side, work, "cpu_us")
    peers = ((peer, results.median(peer, asked, "cpu_us")) for peer in PEERS)
    return "".join(f"  {peer.title} {its / mine:.1f}x" for peer, its in peers if its and mine)


def print_parts(results: Results, parts: Iterable[Side], works: Sequence[Workload]) -> None:
    """What each part costs: the whole, less the server that goes without it."""
    whole = {work: results.median(ONNX, work, "cpu_us") for work in works}
    lines = []
    for side in parts:
        for work in works:
            less, full = results.median(side, work, "cpu_us"), whole[work]
            if less and full:
                connections = f"at {work.connections} conn."
                lines.append(f"{side.title:<40}{full - less:>9.1f} us less, {connections}")
    if lines:
        print("\nwhat the parts cost, CPU us a request", *lines, sep="\n")


def judged(results: Results) -> list[dict[str, Any]]:
    """Each bar for which there are figures: the smallest ratio to a peer, and whether that is enough."""
    found: list[dict[str, Any]] = []
    for bar in BARS:
        mine = results.median(bar.side, bar.work, bar.figure)
        asked = bar.peers_work or bar.work
        peers = (results.median(peer, asked, bar.figure) for peer in bar.peers)
        ratios = [its / mine for its in peers if its and mine]
        if ratios:
            low = min(ratios)
            found.append(
                _verdict(
                    bar.title, f"{low:.2f}x less", f">= {bar.at_least:.3g}x", low >= bar.at_least
                )
            )
    whole, less = (results.median(side, MANY, "cpu_us") for side in (ONNX, WITHOUT_LOG))
    if whole and less:
        cost = whole - less
        found.append(
            _verdict("log, 64 connections", f"{cost:.1f} us", f"<= {LOG_US} us", cost <= LOG_US)
        )
    start = results.start_s(ONNX)
    if start is not None:
        found.append(_verdict("start, ONNX", f"{start:.2f} s", f"< {START_S} s", start < START_S))
    return found


def _verdict(title: str, found: str, wanted: str, passed: bool) -> dict[str, Any]:  # noqa: FBT001
    return {"bar": title, "found": found, "wanted": wanted, "passed": passed}


def print_bars(bars: Iterable[dict[str, Any]]) -> None:
    """A line for each bar."""
    print(f"\n{'bar (beside the better peer)':<40}{'found':>14}{'wanted':>12}")
    for bar in bars:
        verdict = "pass" if bar["passed"] else "FAIL"
        print(f"{bar['bar']:<40}{bar['found']:>14}{bar['wanted']:>12}  {verdict}")
