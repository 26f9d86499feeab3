"""A version with a conversion is answered by the engine that was chosen for so many rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from mainspring.engines.conversion import convert
from mainspring.engines.engine import load_model
from mainspring.engines.table import SIZES, EngineName, EngineTable, Timed
from mainspring.engines.tensor import DTYPES
from mainspring.serving.snapshot import Choice, Source
from tests.serving.data_plane import INFER, Plane, row, served


def chosen(folder: Path, *engines: EngineName) -> dict[str, object]:
    """What a snapshot says of a version whose conversion lies in the folder."""
    sizes = tuple(
        Timed(rows=rows, native_s=1.0, onnx_s=1.0, chosen=engine)
        for rows, engine in zip(SIZES, engines, strict=True)
    )
    table = EngineTable(native="lightgbm", sizes=sizes, reason="measured")
    found: dict[str, object] = msgspec.to_builtins(Choice(folder=str(folder), table=table))
    return found


@pytest.fixture
def conversion(second_model: Path, tmp_path: Path) -> Path:
    """That of another model, so that answers tell who gave them."""
    found = convert(second_model, "FP64")
    assert found.model is not None, found.reason
    folder = tmp_path / "conversion"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(found.model)
    return folder


def answer(plane: Plane, rows: int) -> float:
    outputs = plane.client.post(INFER, json=row(rows)).json()["outputs"]
    return float(next(one["data"][0] for one in outputs if one["name"] == "score"))


def test_the_number_of_rows_decides_who_answers(
    first_model: Path, second_model: Path, conversion: Path, tmp_path: Path
) -> None:
    model = {**served(first_model), "choice": chosen(conversion, "onnx", "native", "onnx")}
    with Plane(tmp_path, [model]) as plane:  # type: ignore[list-item]
        found = [answer(plane, rows) for rows in (1, 5, 6, 178, 179)]

    native, other = (score_of(folder) for folder in (first_model, second_model))
    assert abs(native - other) > 1e-3
    assert found == pytest.approx([other, other, native, native, other], abs=1e-6)


def score_of(folder: Path) -> float:
    model = load_model(folder)
    values = {one["name"]: one["data"] for one in row()["inputs"]}
    inputs = {
        column.name: np.array(values[column.name], dtype=DTYPES[column.datatype])
        for column in model.signature.inputs
    }
    return float(model.predict(inputs)["score"][0])


def test_a_conversion_that_answers_everything_is_loaded_alone(
    first_model: Path, second_model: Path, conversion: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(first_model, tmp_path / "native")
    (folder / "model.txt").write_text("what no engine could read")
    model = {**served(folder), "choice": chosen(conversion, "onnx", "onnx", "onnx")}
    with Plane(tmp_path, [model]) as plane:  # type: ignore[list-item]
        assert answer(plane, 1) == pytest.approx(score_of(second_model), abs=1e-6)


def test_a_conversion_that_cannot_be_loaded_keeps_nobody_from_an_answer(
    first_model: Path, conversion: Path, tmp_path: Path
) -> None:
    (conversion / "model.onnx").write_bytes(b"damaged")
    model = {**served(first_model), "choice": chosen(conversion, "onnx", "onnx", "native")}
    with Plane(tmp_path, [model]) as plane:  # type: ignore[list-item]
        found = answer(plane, 1)
        assert "its own engine answers alone" in plane.errors.read_text()

    assert found == pytest.approx(score_of(first_model))


def test_a_version_without_a_conversion_is_told_of_as_before() -> None:
    source = Source(name="a", version="1", place="/a", digest="sha256:00")

    assert msgspec.json.encode(source) == (
        b'{"name":"a","version":"1","place":"/a","digest":"sha256:00"}'
    )
