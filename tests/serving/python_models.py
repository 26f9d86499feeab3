"""Models in Python as users write them: good ones, and ones that go wrong on demand."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, ClassVar
from urllib.request import urlopen

import numpy as np

Tensors = dict[str, np.ndarray]
HANG, DIE, RAISE, SHORT = -1.0, -2.0, -3.0, -4.0
"""What `Moody` does when a row holds this number."""


class Echo:
    """Answers what it is sent; it declares nothing."""

    def predict(self, inputs: Tensors) -> Tensors:
        return inputs


class Moody:
    """Doubles numbers, but for those that tell it to go wrong."""

    inputs: ClassVar[Any] = [{"name": "x", "datatype": "FP64", "shape": [-1]}]
    outputs: ClassVar[Any] = [{"name": "y", "datatype": "FP64", "shape": [-1]}]

    def predict(self, inputs: Tensors) -> Tensors:
        values = inputs["x"]
        if HANG in values:
            time.sleep(3600)
        if DIE in values:
            os.abort()
        if RAISE in values:
            raise ValueError("this number is not liked")
        return {"y": values[:-1] if SHORT in values else values * 2}


class KilledOnce(Moody):
    """Of two processes the one that is later dies while it loads, once the other one answers."""

    def load(self) -> None:
        snapshot = Path(sys.argv[sys.argv.index("--snapshot") + 1])
        for name in ("first", "second"):
            try:
                snapshot.with_name(name).mkdir()
            except FileExistsError:
                continue
            if name == "second":
                port = json.loads(snapshot.read_text())["port"]
                while not _is_answered(f"http://127.0.0.1:{port}/v2/health/ready"):
                    time.sleep(0.01)
                os.kill(os.getpid(), signal.SIGKILL)
            return


def _is_answered(url: str) -> bool:
    try:
        urlopen(url).close()
    except OSError:
        return False
    return True


class Slow:
    """Takes as many milliseconds as its first number says."""

    inputs: ClassVar[Any] = Moody.inputs
    outputs: ClassVar[Any] = Moody.outputs

    def predict(self, inputs: Tensors) -> Tensors:
        time.sleep(float(inputs["x"][0]) / 1000)
        return {"y": inputs["x"] * 2}


class Brain:
    """Takes BF16 and gives it back, and doubled in either of the types that have its range."""

    inputs: ClassVar[Any] = [{"name": "x", "datatype": "BF16", "shape": [-1, 2], "nullable": True}]
    outputs: ClassVar[Any] = [
        {"name": "x", "datatype": "BF16", "shape": [-1, 2]},
        {"name": "twice", "datatype": "FP32", "shape": [-1, 2]},
        {"name": "tenth", "datatype": "BF16", "shape": [-1, 2]},
    ]

    def predict(self, inputs: Tensors) -> Tensors:
        values = inputs["x"]
        return {"x": values, "twice": values * 2, "tenth": np.float32(0.1) * np.asarray(values)}


class Total:
    """Adds up the columns of a matrix."""

    inputs: ClassVar[Any] = [{"name": "x", "datatype": "FP64", "shape": [-1, 2]}]
    outputs: ClassVar[Any] = Moody.outputs

    def predict(self, inputs: Tensors) -> Tensors:
        return {"y": inputs["x"].sum(axis=1)}


class Halve:
    """Takes FP32 and gives half of it in FP16, beside the double as it came."""

    def predict(self, inputs: Tensors) -> Tensors:
        values = inputs["x"]
        return {"half": (values / 2).astype(np.float16), "twice": values * 2}
