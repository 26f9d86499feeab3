"""What a call of the tracking client costs its caller, beside wandb (offline), trackio, aim and mlflow.

    python -m benchmarks.client [--quick] [--only ours|wandb|trackio|aim|mlflow ...] [--rounds 3] [--kills 5]

Each client has an environment of its own in `.cache/bench-client`, made at the first use with the newest
release that can be installed; one that cannot be is said so, and left out. A call logs two metrics. All run
with their defaults, in a small git repository, without telemetry, and take turns; the figures are medians of
the rounds; the longest call, and what was lost of a run that ended, are the worst of them.

- *A run of one call*: the import; from then until the first call has returned; from the last call until all
  processes have ended; CPU of all processes; what is on the disk.
- *Work between calls*: each call after some 200 us of plain Python, as a short training step; threads of the
  client can run. `step +us` is by how much a step of the loop is longer than without a client: the call, and
  what the threads take from the loop, at the start too. CPU is that of all processes, a call, without the
  work and without a run of one call.
- *Back to back*: nothing between the calls.
- *After kill -9*: the process logs back to back and kills itself as soon as the last call has returned. What
  can be read back was on the disk by then, or in the hands of a process that lives on.

Ours runs three times: without a server, with `mainspring up` on the home, and with one at an address where
nobody answers. Ends with 1 if a median of ours is above the bar, or a point of ours is lost or doubled.
Needs Linux. Read the ratios: the microseconds are of the machine. Takes about half an hour; with --quick,
five minutes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

from benchmarks.client_peers import work
from benchmarks.client_trials import (
    OURS,
    Figures,
    Side,
    adopt_orphans,
    python_of,
    trial,
    version_of,
)

BAR_US = 20.0
WORK_US = 200
KILLED_AFTER = 1000
BARE = Side("no client", "nothing", "", 20_000)
SIDES = (
    Side("mainspring", "mainspring", OURS, 20_000),
    Side("  server runs", "mainspring", OURS, 20_000, "up"),
    Side("  server away", "mainspring", OURS, 20_000, "away"),
    Side("wandb offline", "wandb", "wandb", 20_000),
    Side("trackio", "trackio", "trackio", 20_000),
    Side("aim", "aim", "aim", 5_000),
    Side("mlflow", "mlflow", "mlflow", 300),
    Side("mlflow async", "mlflow_async", "mlflow", 1_000),
)
OUR = [side for side in SIDES if side.package == OURS]
WORST = {"max_ms", "lost", "doubled"}
Table = dict[Side, Figures]


def rounds_of_work(microseconds: int) -> int:
    """How many rounds of `work` take so long on this machine."""
    sample = 20_000
    fastest = float("inf")
    for _ in range(30):
        began = time.perf_counter()
        work(sample)
        fastest = min(fastest, time.perf_counter() - began)
    return round(microseconds / 1e6 / fastest * sample)


def installed(chosen: list[str]) -> dict[Side, Path]:
    """The sides to compare with their Pythons; says which release each is."""
    found: dict[Side, Path] = {BARE: Path(sys.executable)}
    for side in SIDES:
        if chosen and side.package not in {*chosen, OURS}:
            continue
        python = python_of(side.package)
        if isinstance(python, str):
            print(f"{side.title:<15}{python}")
            continue
        if side.package not in {one.package for one in found}:
            print(f"{side.package:<15}{version_of(side.package, python)}")
        found[side] = python
    return found


def measured(sides: dict[Side, Path], rounds: int, share: float) -> tuple[Table, Table, Table]:
    """The medians of some rounds in which the sides take turns: one call, with work, back to back."""
    spent = rounds_of_work(WORK_US)
    found: dict[Side, list[list[Figures]]] = {side: [[], [], []] for side in sides}
    for _ in range(rounds):
        for side, python in sides.items():
            calls = max(100, int(side.calls * share))
            for results, (count, inner) in zip(
                found[side], ((1, 0), (calls, spent), (calls, 0)), strict=True
            ):
                with trial(side, python) as one:
                    results.append({**one.cost(count, inner), "calls": count})
    alone, busy, bare = (
        {side: _middle(results[place]) for side, results in found.items()} for place in range(3)
    )
    for table in (busy, bare):
        _per_call(table, alone)
    return alone, busy, bare


def _middle(results: list[Figures]) -> Figures:
    """The median of each figure; the worst of what must not happen once."""
    return {
        key: (max if key in WORST else statistics.median)([one[key] for one in results])
        for key in results[0]
    }


def _per_call(table: Table, alone: Table) -> None:
    """Add what each call costs beyond a run of one call, and beyond the loop without a client."""
    for side, one in table.items():
        more = one["calls"] - alone[side]["calls"]
        one["cpu_us"] = (one["cpu_s"] - alone[side]["cpu_s"]) * 1e6 / more
        one["bytes_call"] = (one["bytes"] - alone[side]["bytes"]) / more
    bare = table.pop(BARE)
    for one in table.values():
        one["cpu_us"] -= bare["cpu_us"]
        one["step_us"] = one["loop_us"] - bare["loop_us"]


def tell_start(table: Table) -> None:
    """Print what a run costs beside its calls."""
    print(f"\n{'a run of one call':<18}{'import s':>10}{'first s':>10}{'end s':>10}"
          f"{'CPU s':>10}{'kB':>10}")  # fmt: skip
    for side, one in table.items():
        print(f"{side.title:<18}{one['import_s']:>10.2f}{one['first_s']:>10.2f}"
              f"{one['finish_s']:>10.2f}{one['cpu_s']:>10.2f}{one['bytes'] / 1024:>10.0f}")  # fmt: skip


def tell_calls(title: str, table: Table) -> None:
    """Print what the calls cost."""
    ours = table[OUR[0]]["median_us"]
    print(f"\n{title:<18}{'calls':>7}{'median us':>11}{'x ours':>8}{'p99 us':>9}{'max ms':>9}"
          f"{'step +us':>10}{'CPU us':>9}{'end s':>8}{'bytes':>8}{'lost':>6}")  # fmt: skip
    for side, one in table.items():
        print(f"{side.title:<18}{one['calls']:>7.0f}{one['median_us']:>11.1f}"
              f"{one['median_us'] / ours:>8.1f}{one['p99_us']:>9.1f}{one['max_ms']:>9.1f}"
              f"{one['step_us']:>10.1f}{one['cpu_us']:>9.1f}{one['finish_s']:>8.2f}"
              f"{one['bytes_call']:>8.0f}{one['lost']:>6.0f}")  # fmt: skip


def tell_kills(sides: dict[Side, Path], kills: int) -> dict[Side, tuple[int, int]]:
    """Kill, and print what can be read back; answers how many calls are lost and doubled."""
    print(f"\n{'after kill -9':<18}{'read back':>12}{'calls':>8}{'least':>8}{'doubled':>10}")
    found: dict[Side, tuple[int, int]] = {}
    for side, python in sides.items():
        kept, doubled = [], 0
        for _ in range(kills):
            with trial(side, python) as one:
                figures = one.kill(KILLED_AFTER)
            kept.append(int(figures["kept"]))
            doubled += int(figures["doubled"])
        calls = kills * KILLED_AFTER
        print(f"{side.title:<18}{sum(kept):>12}{calls:>8}{min(kept):>8}{doubled:>10}", flush=True)
        found[side] = (calls - sum(kept), doubled)
    return found


def verdict(tables: list[Table], killed: dict[Side, tuple[int, int]]) -> bool:
    """Say whether what is promised of ours holds."""
    worst = max(table[side]["median_us"] for table in tables for side in OUR)
    ended = sum(table[side][key] for table in tables for side in OUR for key in ("lost", "doubled"))
    lost, doubled = (sum(killed[side][place] for side in OUR) for place in range(2))
    quick, whole = worst <= BAR_US, not (ended or lost or doubled)
    print(
        f"\nour slowest median is {worst:.1f} us: the bar of {BAR_US:g} us "
        f"{'holds' if quick else 'DOES NOT HOLD'}"
    )
    print(
        f"of ours {lost} points are lost and {doubled} doubled by kill -9, "
        f"and {ended:.0f} in runs that ended"
    )
    return quick and whole


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls, once")
    parser.add_argument("--only", nargs="*", default=[], help="ours is always among them",
                        choices=["ours", *dict.fromkeys(side.package for side in SIDES[3:])])  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=5)
    given = parser.parse_args()
    adopt_orphans()
    sides = installed(given.only)
    rounds, share, kills = (1, 0.1, 1) if given.quick else (given.rounds, 1.0, given.kills)
    print(f"load when it began: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    alone, busy, bare = measured(sides, rounds, share)
    tell_start(alone)
    tell_calls("work between calls", busy)
    tell_calls("back to back", bare)
    del sides[BARE]
    holds = verdict([busy, bare], tell_kills(sides, kills))
    print(f"load when it ended: {os.getloadavg()[0]:.1f}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
