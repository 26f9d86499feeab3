"""Tracking and registry beside `mlflow server`, driven by the same unmodified MLflow client.

    python -m benchmarks.tracking [--mlflow PYTHON] [--quick] [--only NAME ...] [--database URL]

PYTHON is a Python that has mlflow 3.17 or newer; without it one is made in `.cache/mlflow`. Both servers
run in turns on this machine with their defaults (SQLite); ours with its access checks and events on.
With --database postgresql://... ours runs on that (empty) database, and no bar applies.
Read the ratios: the milliseconds are of the machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import reading
from benchmarks.servers import RunningServer, free_port, mainspring_command, mlflow_command, running

HERE = Path(__file__).parent
BAR_START_S, BAR_MEMORY_MB = 1.5, 150


@dataclass(frozen=True, slots=True)
class Measure:
    """What is asked of both servers, and what ours must reach beside the peer."""

    workload: str
    processes: int
    calls: int
    rate: float
    """How many times the peer's calls a second."""
    cpu: float | None
    """How many times less server CPU a call."""


MEASURES = (
    Measure("log_metric", 1, 600, 4, 12),
    Measure("log_metric", 4, 300, 5, 12),
    Measure("log_batch", 1, 30, 4, 15),
    Measure("log_batch", 4, 15, 6, 15),
    Measure("create_version", 1, 200, 3, None),
    Measure("resolve_alias", 1, 300, 3, None),
)


@dataclass(frozen=True, slots=True)
class Result:
    """What one server did."""

    rate: float
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    """Server CPU a call."""


def drive(python: Path, server: RunningServer, measure: Measure) -> Result:
    """Run one workload against one server."""
    script = str(HERE / "mlflow_client.py")
    words = [server.url, measure.workload, str(measure.calls), str(measure.processes)]
    with subprocess.Popen(
        [str(python), script, *words], stdout=subprocess.PIPE, text=True, env=reading.environment()
    ) as client:
        assert client.stdout is not None
        line = client.stdout.readline()
        if line.strip() != "started":
            raise SystemExit(f"{measure.workload}: the client said {line!r}")
        before = server.cpu_s()
        found = json.loads(client.stdout.read())
    spent = server.cpu_s() - before
    return Result(found["rate"], found["p50_ms"], found["p95_ms"], spent * 1000 / found["calls"])


def peers_python(given: Path | None) -> Path:
    """The Python that has mlflow; made when none is given."""
    if given is not None:
        return given
    command = [sys.executable, "-m", "tests_integrations.mlflow_environment"]
    done = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())


@contextmanager
def ours(folder: Path, database: str | None) -> Any:
    """Our server on a fresh home."""
    port = free_port()
    home = folder / "home"
    with running(mainspring_command(home, port, database), port, folder, "/health") as server:
        yield server


@contextmanager
def theirs(folder: Path, python: Path) -> Any:
    """The peer's server on a fresh database."""
    port = free_port()
    with running(mlflow_command(python, port), port, folder, "/health") as server:
        yield server


def side_by_side(python: Path, measures: list[Measure], database: str | None) -> None:
    """Drive both servers, print a line for each measure."""
    print(f"{'measure':<24}{'mlflow':>22}{'mainspring':>22}{'calls/s':>14}{'server CPU':>16}")
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as other,
        # Ours first: the peer's many processes go on starting for a while after it answers.
        ours(Path(other), database) as mine,
        theirs(Path(one), python) as peer,
    ):
        print(f"{'start to first answer':<24}{peer.start_s:>20.1f} s{mine.start_s:>20.2f} s")
        for measure in measures:
            results = [drive(python, server, measure) for server in (peer, mine)]
            _line(measure, *results, bars=database is None)
        print(f"{'memory (PSS)':<24}{peer.pss_mb():>19.0f} MB{mine.pss_mb():>19.0f} MB")


def _line(measure: Measure, peer: Result, mine: Result, *, bars: bool) -> None:
    rate, cpu = mine.rate / peer.rate, peer.cpu_ms / max(mine.cpu_ms, 1e-6)
    name = f"{measure.workload}, {measure.processes} proc"
    verdicts = f"{rate:>8.1f}x" + (_against(rate, measure.rate) if bars else "")
    verdicts += f"{cpu:>9.1f}x" + (_against(cpu, measure.cpu) if bars and measure.cpu else "")
    sides = "".join(f"{one.rate:>9.0f}/s {one.cpu_ms:>7.2f} ms" for one in (peer, mine))
    print(f"{name:<24}{sides}{verdicts}  p50 {peer.p50_ms:.1f} / {mine.p50_ms:.1f} ms", flush=True)


def _against(found: float, bar: float) -> str:
    return f" ({'>=' if found >= bar else 'UNDER'} {bar:g})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mlflow", type=Path, help="a Python that has mlflow")
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs and points")
    parser.add_argument("--only", nargs="*", default=[], help="calls, searches, history, registry")
    parser.add_argument("--database", help="ours on this empty PostgreSQL database")
    given = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "calls": lambda: side_by_side(peers_python(given.mlflow), list(MEASURES), given.database),
        "searches": lambda: reading.searches(5_000 if given.quick else 50_000, given.database),
        "history": lambda: reading.history(100_000 if given.quick else 1_000_000, given.database),
        "registry": lambda: reading.registry(1_000 if given.quick else 10_000, given.database),
    }
    for name in given.only or parts:
        parts[name]()


if __name__ == "__main__":
    main()
