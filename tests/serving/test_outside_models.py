"""Models that do not behave: they harm nobody but their own callers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mainspring.serving.journal import read_frames

from .data_plane import Plane, served
from .test_group import moody, numbers, state

SOURCE = """
import sys
import numpy as np

class Mutating:
    inputs = [{"name": "x", "datatype": "FP64", "shape": [-1]}]

    def predict(self, inputs):
        inputs["x"] *= 2
        return {"y": inputs.pop("x")}


class Leaving:
    def predict(self, inputs):
        sys.exit(3)


class Unready:
    def load(self):
        raise OSError("no weights")

    def predict(self, inputs):
        return inputs


class Gone:
    def __init__(self):
        sys.exit(0)

    def predict(self, inputs):
        return inputs


class Literate:
    inputs = [{"name": "word", "datatype": "BYTES", "shape": [-1]}]
    known = {"yes": 1.0, "no": 0.0}

    def predict(self, inputs):
        return {"y": np.array([self.known[word] for word in inputs["word"]])}
"""


def _model(folder: Path, name: str) -> dict[str, str]:
    (folder / "strange_models.py").write_text(SOURCE)
    return served(f"strange_models:{name}", name=name.lower())


@pytest.fixture(autouse=True)
def _found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = [str(tmp_path), *(part for part in sys.path if part)]
    monkeypatch.setenv("PYTHONPATH", ":".join(path))


def test_what_a_model_does_to_its_inputs_is_not_in_the_log(tmp_path: Path) -> None:
    with Plane(tmp_path, [_model(tmp_path, "Mutating")]) as plane:
        answer = plane.infer(numbers(1.0, 2.0), "/v2/models/mutating/infer")

        assert answer.json()["outputs"][0]["data"] == [2.0, 4.0]
        assert plane.stop() == 0
    (journal,) = plane.log_folder.glob("*.journal")
    (frame,) = read_frames(journal)
    values = {**frame.inputs, **frame.outputs}
    assert values["x"] != values["y"]


def test_a_model_that_exits_fails_its_own_request_only(tmp_path: Path) -> None:
    with Plane(tmp_path, [_model(tmp_path, "Leaving"), moody()]) as plane:
        for _ in range(3):
            failed = plane.infer(numbers(1.0), "/v2/models/leaving/infer")

            assert failed.status_code == 500
            assert list(failed.json()) == ["error"]
        assert plane.infer(numbers(1.0), "/v2/models/moody/infer").status_code == 200
        assert state(plane).restarts == []


def test_a_model_that_knows_no_empty_text_is_served(tmp_path: Path) -> None:
    """It is tried with a row that nobody sent; what it makes of that is told, and that is all."""

    def asked(*words: str) -> dict[str, object]:
        data = {"name": "word", "shape": [len(words)], "datatype": "BYTES", "data": words}
        return {"inputs": [data]}

    with Plane(tmp_path, [_model(tmp_path, "Literate")]) as plane:
        answer = plane.infer(asked("yes", "no"), "/v2/models/literate/infer")
        assert answer.json()["outputs"][0]["data"] == [1.0, 0.0]
        assert plane.infer(asked("perhaps"), "/v2/models/literate/infer").status_code == 500
        assert plane.stop() == 0

    assert "model 'literate' fails on the row that it was tried with" in plane.errors.read_text()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Unready", "strange_models:Unready.load() raised OSError: no weights"),
        ("Gone", "Gone() raised SystemExit: 0 (strange_models.py"),
    ],
)
def test_a_model_that_cannot_begin_says_why(tmp_path: Path, name: str, message: str) -> None:
    plane = Plane(tmp_path, [_model(tmp_path, name)])

    with pytest.raises(AssertionError) as refused:
        plane.start()

    said = str(refused.value)
    assert message in said
    assert "Traceback" not in said
    assert plane.stop() == 2


def test_a_log_that_cannot_be_kept_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    plane = Plane(tmp_path, [moody()])

    with pytest.raises(AssertionError) as refused:
        plane.start()

    assert "the prediction log cannot be kept in" in str(refused.value)
    assert "Traceback" not in str(refused.value)
    assert plane.stop() == 2
