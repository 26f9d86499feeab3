"""`python -m mainspring.validation.engine_child`: examines the engines of one version.

The task is a line of standard input. When the input ends, whoever asked is gone, and so is this process.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from mainspring.core.errors import Invalid, MainspringError
from mainspring.core.signature import Signature
from mainspring.datasets.inputs import to_inputs
from mainspring.datasets.storage import read_rows
from mainspring.engines.examination import Examination, Sample, examine, libraries
from mainspring.engines.made_rows import made_rows
from mainspring.engines.source import load_source
from mainspring.engines.table import SIZES, Budget, EngineTable
from mainspring.engines.tensor import DTYPES, Array, Tensors, check_inputs
from mainspring.registry.engine_contract import CONVERSION
from mainspring.validation.engine_timing import TABLE, Task

MOST_ROWS = 5_000
MADE_ROWS = 2 * max(SIZES)
SEED = 20130101
LABEL = "label"


def main() -> int:
    """Do the task."""
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    threading.Thread(target=_listen, daemon=True).start()
    found = examined(task)
    if found.model is not None:
        Path(task.out, CONVERSION).write_bytes(found.model)
    Path(task.out, TABLE).write_bytes(msgspec.json.encode(found.table))
    return 0


def _listen() -> None:
    # Not through the buffer, whose lock the end of the interpreter would wait for.
    while os.read(0, 4096):
        pass
    os._exit(1)


def examined(task: Task) -> Examination:
    """What was found; a model that cannot be loaded or asked has a reason and no times."""
    try:
        native = load_source(task.folder)
        return examine(Path(task.folder), native, sampled(task, native.signature))
    except MainspringError as error:
        why = error.message
    except Exception as error:  # noqa: BLE001  the edge of foreign models
        why = f"{type(error).__name__}: {error}"[:500]
    reason = f"its own engine does not answer: {why}"
    return Examination(EngineTable(native="", reason=reason, libraries=libraries()))


def sampled(task: Task, signature: Signature) -> Sample:
    """The rows of the run if they fit; rows that are made up are added where they do not suffice."""
    if not signature.inputs:
        raise Invalid("it declares no inputs, so that no rows can be made for it")
    lacking, few, labels = "its run kept no rows", None, None
    if task.rows is not None:
        table = _some(read_rows(Path(task.rows)))
        try:
            inputs = _typed(signature, table)
            if len(table) >= Budget().rows:
                told = f"{len(table)} of {task.origin}"
                return Sample(inputs=inputs, labels=_labels(table), task=task.task, origin=told)
            lacking = f"{task.origin} come first, and are {len(table)}, too few by themselves"
            few, labels = inputs, _labels(table)
        except (KeyError, ValueError, TypeError, MainspringError) as error:
            lacking = f"{task.origin} do not fit its signature ({error})"
    inputs = made_rows(signature, MADE_ROWS, SEED, task.ranges)
    if few is not None and all(few[name].shape[1:] == inputs[name].shape[1:] for name in inputs):
        inputs = {name: np.concatenate([few[name], values]) for name, values in inputs.items()}
    else:
        labels = None  # a width that may be any was made up otherwise
    known = sum(column.name in task.ranges for column in signature.inputs)
    told = (
        f"{MADE_ROWS} rows made up of its signature with the seed {SEED}, "
        f"{known} of {len(signature.inputs)} columns in their recorded range: {lacking}"
    )
    return Sample(inputs=inputs, labels=labels, task=task.task, origin=told)


def _some(table: pa.Table) -> pa.Table:
    if len(table) <= MOST_ROWS:
        return table
    chosen = np.random.default_rng(SEED).choice(len(table), MOST_ROWS, replace=False)
    return table.take(np.sort(chosen))


def _typed(signature: Signature, table: pa.Table) -> Tensors:
    raw = to_inputs(table, [column.name for column in signature.inputs])
    inputs = {
        column.name: raw[column.name].astype(DTYPES[column.datatype], copy=False)
        for column in signature.inputs
    }
    check_inputs(signature, inputs)
    return inputs


def _labels(table: pa.Table) -> Array | None:
    return table[LABEL].to_numpy() if LABEL in table.column_names else None


if __name__ == "__main__":
    sys.exit(main())
