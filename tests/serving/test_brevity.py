"""What a process says of faults that its callers cause, over and over."""

from __future__ import annotations

import logging
from pathlib import Path

from mainspring.serving.brevity import Brief

from .data_plane import Plane, served
from .python_models import RAISE


def test_a_model_that_always_fails_does_not_fill_the_disk(tmp_path: Path) -> None:
    tensor = {"name": "x", "shape": [1], "datatype": "FP64", "data": [RAISE]}
    model = served("tests.serving.python_models:Moody", name="moody")
    with Plane(tmp_path, [model]) as plane:
        for _ in range(150):
            answer = plane.infer({"inputs": [tensor]}, "/v2/models/moody/infer")
            assert answer.status_code == 500

        said = plane.errors.read_text()
    assert said.count("ValueError: this number is not liked") == 100


def test_what_was_left_out_is_told() -> None:
    brief, brisk = Brief(most=2, seconds=1e9), Brief(most=2, seconds=0.0)

    assert [brief.filter(_record()) for _ in range(4)] == [True, True, False, False]
    brief._seconds = 0.0
    after = _record()
    assert brief.filter(after)
    assert after.getMessage() == "model late failed (2 messages before it were left out)"
    assert all(brisk.filter(_record()) for _ in range(4))


def _record() -> logging.LogRecord:
    return logging.LogRecord("x", logging.ERROR, "", 0, "model %s failed", ("late",), None)
