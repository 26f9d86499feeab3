"""How a load is paced: it warms up, says so, waits for the word, counts, and says what it found.

Part of serving.py. Whoever started the load reads the server's CPU time while all connections rest, between
the line `warm` and the word. Needs the standard library only: it runs in several environments.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from array import array
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

PATIENCE_S = 60.0
"""How long after its time a load waits for the last answers."""
Spec = dict[str, Any]
"""What a load is told: `connections`, `warm_s`, `seconds`, `cores`, and what its transport needs."""
Drive = Callable[[float], "Awaitable[array[float]]"]
"""Keep every connection busy for some seconds and let it finish; the seconds that each answer took."""


def read_spec() -> Spec:
    """What the file named on the command line says; stays on the cores that it names."""
    spec: Spec = json.loads(Path(sys.argv[1]).read_text())
    os.sched_setaffinity(0, spec["cores"])
    return spec


async def paced(spec: Spec, drive: Drive) -> dict[str, float]:
    """Warm up, wait for the word, and measure; answers the figures of the second part."""
    # A full collection among thousands of answers would count as the server's time.
    gc.disable()
    warm = await asyncio.wait_for(drive(spec["warm_s"]), spec["warm_s"] + PATIENCE_S)
    print("warm", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    began, used = time.perf_counter(), time.process_time()
    latencies = await asyncio.wait_for(drive(spec["seconds"]), spec["seconds"] + PATIENCE_S)
    took, used = time.perf_counter() - began, time.process_time() - used
    return {
        "requests": len(latencies),
        "answered": len(warm) + len(latencies),
        "rate": len(latencies) / took,
        "load_cpu_us": used * 1e6 / len(latencies),
        "p50_ms": quantile(sorted(latencies), 0.5) * 1000,
        "p99_ms": quantile(sorted(latencies), 0.99) * 1000,
    }


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which that share lies, by the nearest rank."""
    return ordered[max(0, min(len(ordered) - 1, round(share * len(ordered)) - 1))]


def told(found: dict[str, Any]) -> None:
    """Give the figures to whoever started the load."""
    print(json.dumps(found), flush=True)
