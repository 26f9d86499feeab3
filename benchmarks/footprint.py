"""How long `mainspring up` takes to answer, and the memory of all its processes after use.

    python -m benchmarks.footprint [--runs 5] [--days 10] [--quiet-seconds 60]

Start is from the launch of the command to the first answered GET /health, on a fresh home and on one
that exists. Memory is the summed PSS of the server and everything it started, after the demo has
used every part of it once and the given seconds of quiet.
"""

from __future__ import annotations

import argparse
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

BAR_START_S = 1.5
BAR_MEMORY_MB = 150


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_seconds(home: Path) -> float:
    """From launch to the first answer."""
    port = free_port()
    command = [sys.executable, "-m", "mainspring", "up", "--home", str(home), "--port", str(port)]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).read()
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.005)
        took = time.perf_counter() - began
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    return took


def pss_mb(home: Path) -> dict[str, float]:
    """The PSS of every process that works on the home, by its command."""
    found: dict[str, float] = {}
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        try:
            words = (place / "cmdline").read_text().split("\0")
            if not any(str(home) in word for word in words):
                continue
            lines = (place / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kib = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        found[" ".join(words[1:4])] = kib / 1024
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--quiet-seconds", type=float, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        fresh = [start_seconds(Path(name) / f"fresh{run}") for run in range(given.runs)]
        again = [start_seconds(Path(name) / "fresh0") for _ in range(given.runs)]
        for what, times in (("a fresh home", fresh), ("an existing home", again)):
            median = statistics.median(times)
            verdict = "within" if median <= BAR_START_S else "OVER"
            print(f"start on {what}: median {median:.2f} s, {verdict} the bar of {BAR_START_S} s")
        home = Path(name) / "demo"
        demo = [
            sys.executable,
            "-m",
            "mainspring",
            "demo",
            "--home",
            str(home),
            "--keep",
            "--quiet",
        ]
        subprocess.run([*demo, "--days", str(given.days)], check=True, stdout=subprocess.DEVNULL)
        time.sleep(given.quiet_seconds)
        found = pss_mb(home)
        for command, size in found.items():
            print(f"  {size:6.1f} MB  {command}")
        total = sum(found.values())
        verdict = "within" if total <= BAR_MEMORY_MB else "OVER"
        print(
            f"memory of {len(found)} processes: {total:.0f} MB, {verdict} the bar of {BAR_MEMORY_MB}"
        )
        subprocess.run(
            [sys.executable, "-m", "mainspring", "down", "--home", str(home)], check=True
        )


if __name__ == "__main__":
    main()
