"""One tracking client in one process, in that client's own environment. Part of client.py.

    python client_peers.py cost PEER CALLS WORK     what calls cost their caller
    python client_peers.py kill PEER CALLS          logs as fast as it goes, and kills itself
    python client_peers.py count PEER               which steps can be read back

PEER is one of `OPENERS`. Everything is kept in the working folder, and the answer is written there as
`answer.json`. Only what each client's own documentation shows is used, with its defaults. WORK is how many
rounds of `work` a training step has.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

Log = Callable[[Mapping[str, float], int], Any]
KEY = "loss"
HEADER, BLOCK, PIECE = 7, 32768, struct.Struct("<IHB")
FULL, FIRST, LAST = 1, 2, 4


class Words(NamedTuple):
    """What a training script says to a client."""

    log: Log
    finish: Callable[[], Any]


def nothing(_: Any) -> Words:
    """A script without a client."""
    return Words(lambda *_: None, lambda: None)


def mainspring(ms: Any) -> Words:
    """Into the home in this process, or to a server; the environment says which."""
    run = ms.run("cost")
    return Words(lambda metrics, step: run.log(metrics, step=step), run.finish)


def wandb(client: Any) -> Words:
    """Offline, as `WANDB_MODE` in the environment says."""
    run = client.init(project="cost")
    return Words(lambda metrics, step: run.log(metrics, step=step), run.finish)


def trackio(client: Any) -> Words:
    """Into SQLite, by a thread."""
    client.init(project="cost", embed=False)
    return Words(lambda metrics, step: client.log(metrics, step=step), client.finish)


def aim(client: Any) -> Words:
    """Into RocksDB."""
    run = client.Run(repo=".")
    return Words(lambda metrics, step: run.track(metrics, step=step), run.close)


def mlflow(client: Any) -> Words:
    """Into its default store."""
    client.start_run()
    return Words(lambda metrics, step: client.log_metrics(metrics, step=step), client.end_run)


def mlflow_async(client: Any) -> Words:
    """The same by a thread of its own."""
    client.start_run()
    return Words(
        lambda metrics, step: client.log_metrics(metrics, step=step, synchronous=False),
        client.end_run,
    )


OPENERS: dict[str, tuple[str, Callable[[Any], Words]]] = {
    "nothing": ("json", nothing),
    "mainspring": ("mainspring", mainspring),
    "wandb": ("wandb", wandb),
    "trackio": ("trackio", trackio),
    "aim": ("aim", aim),
    "mlflow": ("mlflow", mlflow),
    "mlflow_async": ("mlflow", mlflow_async),
}
"""The module of each client, and how a script begins."""


def work(rounds: int) -> float:
    """What a training step computes: plain Python, which holds the interpreter's lock."""
    total = 0.0
    for at in range(rounds):
        total += at * 0.5
    return total


def metrics_of(step: int) -> dict[str, float]:
    """Two metrics, as most training loops have."""
    return {KEY: 1 / (step + 1), "acc": step / (step + 1)}


def cost(peer: str, calls: int, rounds: int) -> dict[str, float]:
    """What calls cost: the import, the start, each call, and the loop as a whole."""
    module, opened = OPENERS[peer]
    began = time.perf_counter()
    client = import_module(module)
    imported = time.perf_counter()
    words = opened(client)
    words.log(metrics_of(0), 0)
    first = time.perf_counter()
    nanoseconds = _timed(words.log, calls, rounds)
    loop_s = time.perf_counter() - first
    last_at = time.monotonic()  # the machine's clock, which the measuring process reads too
    words.finish()
    nanoseconds.sort()
    return {
        "import_s": imported - began,
        "first_s": first - imported,
        "median_us": nanoseconds[len(nanoseconds) // 2] / 1000,
        "p99_us": nanoseconds[len(nanoseconds) * 99 // 100] / 1000,
        "max_ms": nanoseconds[-1] / 1e6,
        "loop_us": loop_s * 1e6 / calls,
        "last_at": last_at,
    }


def _timed(log: Log, calls: int, rounds: int) -> list[int]:
    """The nanoseconds of each call."""
    clock = time.perf_counter_ns
    found = [0] * calls
    for step in range(1, calls + 1):
        work(rounds)
        metrics = metrics_of(step)
        start = clock()
        log(metrics, step)
        found[step - 1] = clock() - start
    return found


def kill(peer: str, calls: int) -> None:
    """Log as fast as it goes, and die by SIGKILL as soon as the last call has returned."""
    module, opened = OPENERS[peer]
    log = opened(import_module(module)).log
    for step in range(calls):
        log(metrics_of(step), step)
    os.kill(os.getpid(), signal.SIGKILL)


def steps_of_mainspring() -> list[int]:
    """After `mainspring sync`, through the client."""
    client = import_module("mainspring").Client()
    client.sync()
    [run] = client.runs()
    steps: list[int] = client.history(run, KEY).to_dict()["step"]
    return steps


def steps_of_wandb() -> list[int]:
    """From the file that `wandb sync` uploads; this release has no reader of it in Python."""
    wire = import_module("wandb.proto.wandb_internal_pb2")
    found = []
    for path in Path().glob("wandb/offline-run-*/*.wandb"):
        for data in _leveldb_records(path.read_bytes()):
            record = wire.Record()
            record.ParseFromString(data)
            items = {
                item.key or ".".join(item.nested_key): item.value_json
                for item in record.history.item
            }
            if KEY in items:
                found.append(int(items["_step"]))
    return found


def _leveldb_records(content: bytes) -> Iterator[bytes]:
    """The whole records of a log in LevelDB's format (its doc/log_format.md), behind W&B's header."""
    place, whole = HEADER, b""
    while place + PIECE.size <= len(content):
        left = BLOCK - place % BLOCK
        if left < PIECE.size:
            place += left
            continue
        _, length, kind = PIECE.unpack_from(content, place)
        place += PIECE.size
        piece = content[place : place + length]
        if kind == 0 or len(piece) < length:
            return
        place += length
        whole = piece if kind in {FULL, FIRST} else whole + piece
        if kind in {FULL, LAST}:
            yield whole


def steps_of_trackio() -> list[int]:
    """From its database."""
    found = []
    for path in Path(os.environ["TRACKIO_DIR"]).glob("*.db"):
        with sqlite3.connect(path) as connection:
            rows = connection.execute("SELECT step, metrics FROM metrics").fetchall()
        found += [step for step, metrics in rows if KEY in json.loads(metrics)]
    return found


def steps_of_aim() -> list[int]:
    """From its repository; runs that were not closed are found only after it is indexed again."""
    command = [str(Path(sys.executable).with_name("aim")), "storage", "reindex", "--yes"]
    subprocess.run(command, check=False, capture_output=True)
    found: list[int] = []
    for run in import_module("aim").Repo(".").iter_runs():
        for metric in run.metrics():
            if metric.name == KEY:
                found += [int(step) for step in metric.values.sparse_list()[0]]
    return found


def steps_of_mlflow() -> list[int]:
    """Through its client."""
    client = import_module("mlflow")
    [run] = client.search_runs(output_format="list")
    return [one.step for one in client.MlflowClient().get_metric_history(run.info.run_id, KEY)]


READERS: dict[str, Callable[[], list[int]]] = {
    "mainspring": steps_of_mainspring,
    "wandb": steps_of_wandb,
    "trackio": steps_of_trackio,
    "aim": steps_of_aim,
    "mlflow": steps_of_mlflow,
    "mlflow_async": steps_of_mlflow,
}


def count(peer: str) -> dict[str, float]:
    """How many steps can be read back, and how many of them more than once."""
    steps = READERS[peer]()
    return {"kept": len(set(steps)), "doubled": len(steps) - len(set(steps))}


def main() -> None:
    """Do as the command line says."""
    task, peer, *numbers = sys.argv[1:]
    if task == "kill":
        kill(peer, int(numbers[0]))
    answer = cost(peer, *map(int, numbers)) if task == "cost" else count(peer)
    Path("answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
