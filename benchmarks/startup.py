"""How long the command line and the import take over bare Python.

    python -m benchmarks.startup [--runs 30] [--mlflow PATH/TO/mlflow]

Medians of whole processes. The runs take turns, so that a busy machine slows all of them alike;
read the differences and ratios, not the milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

BARE = "bare Python"
TARGETS_MS = {"mainspring --help": 60, "import mainspring": 100}
"""What each may cost over bare Python."""


def commands(mlflow: Path | None) -> dict[str, list[str]]:
    """What is timed, by name."""
    mainspring = Path(sys.executable).with_name("mainspring")
    found = {
        BARE: [sys.executable, "-c", "pass"],
        "import mainspring": [sys.executable, "-c", "import mainspring"],
        "mainspring --help": [str(mainspring), "--help"],
        "mainspring runs --help": [str(mainspring), "runs", "--help"],
    }
    if mlflow is not None:
        found["mlflow --help"] = [str(mlflow), "--help"]
    return found


def seconds(command: list[str]) -> float:
    """How long the command takes from start to end."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def medians_ms(timed: dict[str, list[str]], runs: int) -> dict[str, float]:
    """The median of each, in turns; the first turn fills the caches and does not count."""
    took: dict[str, list[float]] = {name: [] for name in timed}
    for turn in range(runs + 1):
        for name, command in timed.items():
            spent = seconds(command)
            if turn:
                took[name].append(spent)
    return {name: statistics.median(values) * 1000 for name, values in took.items()}


def main() -> int:
    """Time, print, and say whether the targets hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--mlflow", type=Path, help="an mlflow executable to compare with")
    arguments = parser.parse_args()
    medians = medians_ms(commands(arguments.mlflow), arguments.runs)
    bare, ours = medians[BARE], medians["mainspring --help"]
    print(f"{'in ms':<24}{'median':>10}{'over bare':>12}{'x --help':>10}{'target':>8}")
    missed = []
    for name, median in medians.items():
        target = TARGETS_MS.get(name)
        over = median - bare
        print(f"{name:<24}{median:>10.1f}{over:>12.1f}{median / ours:>10.2f}{target or '':>8}")
        if target is not None and over > target:
            missed.append(name)
    print(f"missed: {', '.join(missed)}" if missed else "all within their targets")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
