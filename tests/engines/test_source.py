"""What may be named as a source: files, folders, classes; hostile ones are refused in words."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import lightgbm
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.linear_model import LinearRegression

from mainspring.core.errors import Invalid, MainspringError, NotFound
from mainspring.core.signature import Column, Datatype, Signature
from mainspring.engines import lightgbm as lightgbm_engine
from mainspring.engines.engine import LoadedModel
from mainspring.engines.source import FILES, digest_of, load_source
from mainspring.engines.tensor import Tensors
from mainspring.testing.engine import EngineContract

DATA, TARGET = load_diabetes(return_X_y=True)


def _booster(data: np.ndarray, target: np.ndarray, **parameters: object) -> lightgbm.Booster:
    plain = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 2}
    return lightgbm.train(plain | parameters, lightgbm.Dataset(data, target), num_boost_round=5)


class TestLightGBMFile(EngineContract):
    datatypes = ("FP64", "FP32", "INT32", "INT64", "BOOL", "BYTES")

    def model_of(self, datatype: Datatype, folder: Path) -> LoadedModel:
        """Trees over one column; of texts, over their codes."""
        numbers = np.tile(np.arange(100.0), 3).reshape(-1, 1)
        if datatype == "BOOL":
            numbers %= 2
        levels = tuple(f"text {number}" for number in range(100)) if datatype == "BYTES" else ()
        signature = Signature(
            inputs=(Column(name="x", datatype=datatype, categories=levels),),
            outputs=(Column(name="score", datatype="FP32"),),
        )
        text = _booster(numbers, numbers[:, 0]).model_to_string()
        lightgbm_engine.save(text, folder, signature)
        return load_source(str(folder))

    @pytest.fixture
    def model(self, tmp_path: Path) -> LoadedModel:
        path = tmp_path / "model.txt"
        path.write_text(_booster(DATA, TARGET).model_to_string())
        return load_source(str(path))

    @pytest.fixture
    def inputs(self) -> Tensors:
        return {"input": DATA[:10].copy()}

    @pytest.fixture
    def expected(self) -> Tensors:
        return {"score": np.asarray(_booster(DATA, TARGET).predict(DATA[:10]))}


@pytest.mark.parametrize("ending", [".txt", ".lgb", ".lightgbm", ".TXT"])
def test_a_lightgbm_text_says_its_features_and_classes(tmp_path: Path, ending: str) -> None:
    data, target = load_wine(return_X_y=True)
    booster = _booster(data, target, objective="multiclass", num_class=3)
    path = tmp_path / f"model{ending}"
    path.write_text(booster.model_to_string())

    model = load_source(str(path))

    assert model.signature == Signature(
        inputs=(Column(name="input", datatype="FP64", shape=(13,), nullable=True),),
        outputs=(Column(name="score", datatype="FP64", shape=(3,)),),
    )
    np.testing.assert_array_equal(
        model.predict({"input": np.asfortranarray(data)})["score"], booster.predict(data)
    )


@pytest.mark.parametrize("name", ["model.pkl", "model.pickle", "model.joblib"])
def test_a_pickle_is_read_only_where_code_is_allowed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    fitted = LinearRegression().fit(DATA, TARGET)
    joblib.dump(fitted, path) if name.endswith("joblib") else path.write_bytes(pickle.dumps(fitted))

    with pytest.raises(Invalid, match=f"the pickle {name} may hold code") as refusal:
        load_source(str(path))

    assert "--allow-code-models" in str(refusal.value.fix)
    found = load_source(str(path), allow_code=True).predict({"input": DATA})
    np.testing.assert_array_equal(found["predict"], fitted.predict(DATA))


class Marks:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path, str]]:
        return Path.write_text, (self.path, "was here")


@pytest.mark.parametrize(
    "name", ["model.pkl", "model.joblib", "model.skops", "model.onnx", "model.txt"]
)
def test_nothing_in_a_file_is_run_where_code_is_not_allowed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Marks(tmp_path / "mark")))

    with pytest.raises(Invalid):
        load_source(str(tmp_path / name))

    assert not (tmp_path / "mark").exists()


class Doubles:
    """A Python model that is no estimator."""

    def predict(self, inputs: Tensors) -> Tensors:
        return {"y": inputs["x"] * 2}


def test_a_pickled_python_model_is_called_as_one(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Doubles()))

    model = load_source(str(tmp_path / "model.pkl"), allow_code=True)

    assert model.name == "python"
    assert model.predict({"x": np.ones(2)})["y"].tolist() == [2, 2]


LACKING = b"cno_such_package.inside\nThing\n."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a pickle"),
        (b"hello", "cannot be read as a pickle"),
        (pickle.dumps(list(range(1000)))[:-10], "cannot be read as a pickle"),
        (pickle.dumps(3), "int has no method `predict`"),
        (LACKING, "needs the package 'no_such_package'"),
    ],
)
def test_a_damaged_pickle_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "model.pkl").write_bytes(content)

    with pytest.raises(Invalid, match=message):
        load_source(str(tmp_path / "model.pkl"), allow_code=True)


@pytest.mark.parametrize("ending", sorted(FILES))
@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"tree\n", b"\xff" * 5000])
def test_no_damaged_file_of_any_kind_gives_another_error(
    tmp_path: Path, ending: str, content: bytes
) -> None:
    path = tmp_path / f"model{ending}"
    path.write_bytes(content)

    with pytest.raises(MainspringError) as refusal:
        load_source(str(path), allow_code=True)

    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("", NotFound, "no file or folder ''"),
        ("gone.onnx", NotFound, "no file or folder 'gone.onnx'"),
        ("x\0y", NotFound, "no file or folder"),
        ("n" * 5000, NotFound, "no file or folder"),
        ("../up:Class", NotFound, "no file or folder"),
        ("here.bin", Invalid, r"here\.bin ends in none of \.onnx, \.txt"),
        ("empty", NotFound, r"holds no model\.json and no MLmodel"),
    ],
)
def test_what_is_no_source_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    kind: type[MainspringError],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.bin").write_bytes(b"")
    (tmp_path / "empty").mkdir()

    with pytest.raises(kind, match=message):
        load_source(source)


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.json").mkdir()

    with pytest.raises(NotFound):
        load_source(str(tmp_path))


def test_a_digest_names_the_content_and_the_names_of_a_folder(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / "b").write_text("two")
        (folder / "a").write_text("one")
    (second / "__pycache__").mkdir()
    (second / "__pycache__" / "x.pyc").write_bytes(b"cache")

    same = digest_of(str(second))
    (second / "inner" / "b").rename(second / "inner" / "c")

    assert digest_of(str(first)) == same
    assert digest_of(str(second)) != same
    assert same.startswith("sha256:")
    assert len(same) == 71


def test_a_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_bytes(b"abc")

    assert digest_of(str(tmp_path / "model.txt")) == (
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


@pytest.mark.parametrize("source", ["gone", "no_such_module:Class"])
def test_a_digest_of_nothing_is_refused(source: str) -> None:
    with pytest.raises(NotFound):
        digest_of(source)


def test_no_framework_is_imported_before_it_is_needed(tmp_path: Path) -> None:
    data, target = load_iris(return_X_y=True)
    path = tmp_path / "model.txt"
    path.write_text(_booster(data, target).model_to_string())
    script = (
        "import json, sys\n"
        "from mainspring.engines.source import load_source\n"
        "load_source(sys.argv[1])\n"
        "names = 'sklearn onnxruntime pandas scipy skops joblib yaml lightgbm sqlalchemy'.split()\n"
        "print(json.dumps([name for name in names if name in sys.modules]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], check=True, capture_output=True, text=True
    )

    assert json.loads(done.stdout) == []
