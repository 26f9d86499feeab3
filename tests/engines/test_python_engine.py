"""Python models: what they say about themselves, and what is made of what they give."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mainspring.core.errors import Invalid, NotFound
from mainspring.core.signature import Column, Datatype, Signature
from mainspring.engines.engine import LoadedModel, ModelDescription, load_model, write_description
from mainspring.engines.python import PythonEngine
from mainspring.engines.source import digest_of, load_source
from mainspring.engines.tensor import DTYPES, Tensors
from mainspring.testing.engine import EngineContract

HALVES = """
import numpy as np

class Model:
    inputs = [
        {"name": "x", "datatype": "FP64", "shape": [-1, 2]},
        {"name": "word", "datatype": "BYTES"},
    ]
    outputs = [{"name": "half", "datatype": "FP64"}, {"name": "shout", "datatype": "BYTES"}]

    def predict(self, inputs):
        words = np.array([word.upper() for word in inputs["word"]], dtype=object)
        return {"shout": words, "half": inputs["x"].sum(axis=1) / 2}
"""
SIGNATURE = Signature(
    inputs=(
        Column(name="x", datatype="FP64", shape=(2,)),
        Column(name="word", datatype="BYTES"),
    ),
    outputs=(Column(name="half", datatype="FP64"), Column(name="shout", datatype="BYTES")),
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    path, known = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - known:
        del sys.modules[name]


class Echo:
    """Gives `x` back as `y`."""

    def __init__(self, datatype: Datatype) -> None:
        self.inputs = [{"name": "x", "datatype": datatype, "shape": [-1, 2]}]
        self.outputs = [{"name": "y", "datatype": datatype, "shape": [-1, 2]}]

    def predict(self, inputs: Tensors) -> Tensors:
        return {"y": inputs["x"]}


class TestPython(EngineContract):
    datatypes = tuple(DTYPES)

    def model_of(self, datatype: Datatype, folder: Path) -> LoadedModel:  # noqa: ARG002
        engine = PythonEngine(Echo(datatype), "Echo")
        return LoadedModel(name="python", signature=engine.signature, engine=engine)

    @pytest.fixture
    def model(self, here: Path) -> LoadedModel:
        (here / "halves.py").write_text(HALVES)
        return load_source("halves:Model")

    @pytest.fixture
    def inputs(self) -> Tensors:
        words = np.array([f"w{row}" for row in range(10)], dtype=object)
        return {"x": np.arange(20.0).reshape(10, 2), "word": words}

    @pytest.fixture
    def expected(self, inputs: Tensors) -> Tensors:
        shouted = np.array([f"W{row}" for row in range(10)], dtype=object)
        return {"half": inputs["x"].sum(axis=1) / 2, "shout": shouted}


class TestPythonInAFolder(TestPython):
    @pytest.fixture
    def model(self, tmp_path: Path) -> LoadedModel:
        (tmp_path / "model.py").write_text(HALVES)
        description = ModelDescription(engine="python", signature=SIGNATURE, files=("model.py",))
        write_description(tmp_path, description)
        return load_source(str(tmp_path), allow_code=True)


def test_a_folder_with_a_module_is_loaded_only_where_code_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(HALVES)
    description = ModelDescription(engine="python", signature=SIGNATURE, files=("model.py",))
    write_description(tmp_path, description)

    with pytest.raises(Invalid, match=r"model\.py may hold code") as refusal:
        load_model(tmp_path)

    assert "--allow-code-models" in str(refusal.value.fix)


def _engine(returned: object, **said: object) -> PythonEngine:
    kind = type("Made", (), {**said, "predict": lambda *_: returned})
    return PythonEngine(kind(), "Made")


ONE = {"x": np.ones((2, 1))}


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, r"Made gave NoneType \(None\); a dictionary of arrays by name is wanted"),
        ([1, 2], "Made gave list"),
        ({1: [1]}, "an output named 1; text is wanted"),
        ({"y": [[1], [2, 3]]}, "'y', which is no array"),
        ({"y": object()}, "'y' with object"),
        ({"y": [None, "a"]}, "'y' with NoneType"),
        ({"y": np.array([1j])}, "'y' as complex128, which the protocol has no datatype for"),
        ({"y": np.array(["2020-01-01"], dtype="M8[D]")}, "'y' as datetime64"),
    ],
)
def test_what_is_no_dictionary_of_arrays_is_told(returned: object, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        _engine(returned).predict(ONE)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ({}, "gave no output 'y', which it declares"),
        ({"y": [1.0, 2.0], "z": [1]}, "gave 'z', which its outputs do not declare"),
        ({"y": np.ones(3, dtype=np.float32)}, r"'y' with the shape \[3\]; \[2\] is wanted"),
        ({"y": np.ones((2, 1), dtype=np.float32)}, r"the shape \[2, 1\]; \[2\] is wanted"),
        ({"y": np.float32(1)}, r"the shape \[\]; \[2\] is wanted"),
        ({"y": np.ones(2)}, "'y' as float64; FP32 is declared"),
        ({"y": ["a", "b"]}, "'y' as object; FP32 is declared"),
    ],
)
def test_what_differs_from_the_declared_outputs_is_told(returned: object, message: str) -> None:
    engine = _engine(
        returned,
        inputs=[{"name": "x", "datatype": "FP64", "shape": [-1, 1]}],
        outputs=[{"name": "y", "datatype": "FP32"}],
    )

    with pytest.raises(RuntimeError, match=message):
        engine.predict(ONE)


def test_numbers_are_cast_where_nothing_is_lost() -> None:
    engine = _engine(
        {"y": np.array([1, 2], dtype=np.int16)}, outputs=[Column(name="y", datatype="FP32")]
    )

    found = engine.predict(ONE)["y"]

    assert (str(found.dtype), found.tolist()) == ("float32", [1, 2])


def test_rows_are_counted_where_only_inputs_are_declared() -> None:
    engine = _engine({"y": [1]}, inputs=[{"name": "x", "datatype": "FP64", "shape": [-1, 1]}])

    with pytest.raises(RuntimeError, match=r"'y' with the shape \[1\] for 2 rows"):
        engine.predict(ONE)


def test_an_open_model_takes_and_gives_any_tensors() -> None:
    engine = _engine({"n": 3, "words": ["a", "b"], "raw": np.array([b"\xff"], dtype=object)})

    found = engine.predict({"anything": np.ones((2, 3, 4), dtype=np.int8)})

    assert {name: values.tolist() for name, values in found.items()} == {
        "n": 3,
        "words": ["a", "b"],
        "raw": [b"\xff"],
    }
    assert engine.signature == Signature(inputs=(), outputs=())
    assert not engine.batching


def test_a_model_says_whether_requests_may_share_a_call() -> None:
    declared = {"inputs": [{"name": "x", "datatype": "FP64"}]}

    assert _engine({}, **declared).batching
    assert not _engine({}, **declared, batching=False).batching
    assert _engine({}, batching=True).batching


def test_a_fixed_number_of_rows_is_read_off_the_shape(here: Path) -> None:
    (here / "four.py").write_text(
        "class Four:\n"
        "    inputs = [{'name': 'x', 'datatype': 'FP64', 'shape': [4]}]\n"
        "    def predict(self, inputs): return {'y': inputs['x']}\n"
    )
    model = load_source("four:Four")

    assert (model.rows, model.batching) == (4, False)
    with pytest.raises(Invalid, match="takes 4 rows a call; these are 1"):
        model.predict({"x": np.ones(1)})


def test_a_model_is_loaded_once_and_closed_once(here: Path) -> None:
    (here / "living.py").write_text(
        "steps = []\n"
        "class Living:\n"
        "    def load(self): steps.append('load')\n"
        "    def predict(self, inputs): steps.append('predict'); return {}\n"
        "    def close(self): steps.append('close')\n"
    )
    model = load_source("living:Living")

    model.predict({})
    model.close()

    assert sys.modules["living"].steps == ["load", "predict", "close"]


CHANGING = "Y = %d\n%s\nclass M:\n    def predict(self, inputs): return {'y': [Y]}\n"


def test_a_changed_module_is_read_again(here: Path) -> None:
    place = here / "changing.py"
    place.write_text(CHANGING % (1, ""))
    first, digest = load_source("changing:M"), digest_of("changing:M")

    # As long as before, and within the same second: what Python compiled of it says nothing.
    place.write_text(CHANGING % (2, ""))
    second = load_source("changing:M")

    assert [one.predict({})["y"].tolist() for one in (first, second)] == [[1], [2]]
    assert digest_of("changing:M") != digest


@pytest.mark.parametrize("end", ["raise ValueError('no')", "raise SystemExit(1)", "def"])
def test_a_change_that_cannot_be_read_changes_nothing(here: Path, end: str) -> None:
    place = here / "breaking.py"
    place.write_text(CHANGING % (1, ""))
    first = load_source("breaking:M")

    place.write_text(CHANGING % (2, end))
    with pytest.raises(Invalid, match=r"breaking raised .*\(breaking\.py"):
        load_source("breaking:M")

    assert first.predict({})["y"].tolist() == [1]
    place.write_text(CHANGING % (1, ""))
    assert load_source("breaking:M").predict({})["y"].tolist() == [1]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"inputs": "x"}, "`inputs` is str; a list of columns is wanted"),
        ({"inputs": [3]}, "`inputs` holds 3; a Column or a dictionary is wanted"),
        ({"inputs": [{"name": "x"}]}, "`inputs`: .*`datatype`"),
        ({"inputs": [{"name": "x", "datatype": "FLOAT"}]}, "`inputs`: Invalid enum value 'FLOAT'"),
        (
            {"outputs": [{"name": "x", "datatype": "FP64", "shape": []}]},
            "the rows are wanted first",
        ),
        ({"outputs": [Column(name="x", datatype="FP64")] * 2}, "name 'x' 2 times"),
        ({"batching": 1}, "`batching` is 1; True or False is wanted"),
        (
            {
                "inputs": [
                    {"name": n, "datatype": "FP64", "shape": [r]} for n, r in (("a", 1), ("b", 2))
                ]
            },
            r"different numbers of rows: \[1, 2\]",
        ),
    ],
)
def test_a_wrong_declaration_is_refused(said: dict[str, object], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        _engine({}, **said)


@pytest.mark.parametrize(
    ("text", "source", "kind", "message"),
    [
        ("", "broken:M", NotFound, "broken has no class 'M'"),
        ("M = 3", "broken:M", NotFound, "broken has no class 'M'"),
        ("class M: pass", "broken:M", Invalid, "broken:M has no method `predict`"),
        ("x = 1 / 0", "broken:M", Invalid, r"broken raised ZeroDivisionError.*\(broken\.py:1\)"),
        ("class M(", "broken:M", Invalid, "broken raised SyntaxError"),
        ("import no_such_thing", "broken:M", Invalid, "raised ModuleNotFoundError"),
        ("", "no_such_module:M", NotFound, "no module 'no_such_module'"),
        ("", "broken.deeper:M", NotFound, "no module 'broken.deeper'"),
        (
            "class M:\n    def __init__(self, path): pass\n    def predict(self, inputs): pass",
            "broken:M",
            Invalid,
            r"M\(\) raised TypeError",
        ),
        (
            "class M:\n    def load(self): raise OSError('no weights')\n    predict = load",
            "broken:M",
            Invalid,
            r"broken:M\.load\(\) raised OSError: no weights \(broken\.py:2\)",
        ),
    ],
)
def test_code_that_cannot_be_loaded_is_told_with_its_place(
    here: Path, text: str, source: str, kind: type[Exception], message: str
) -> None:
    (here / "broken.py").write_text(text)

    with pytest.raises(kind, match=message):
        load_source(source)
