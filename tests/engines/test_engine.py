"""A model folder is read strictly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import Invalid, MainspringError, NotFound, Unavailable
from mainspring.core.extras import require
from mainspring.engines.engine import load_model, read_description

GOOD: dict[str, Any] = {
    "engine": "lightgbm",
    "signature": {
        "inputs": [{"name": "a", "datatype": "FP64"}],
        "outputs": [{"name": "score", "datatype": "FP64"}],
    },
    "files": ["model.txt"],
}


def _folder(tmp_path: Path, **changes: object) -> Path:
    (tmp_path / "model.txt").write_text("tree")
    (tmp_path / "model.json").write_text(json.dumps(GOOD | changes))
    return tmp_path


def test_a_good_description_is_read(tmp_path: Path) -> None:
    description = read_description(_folder(tmp_path))

    assert (description.engine, description.files) == ("lightgbm", ("model.txt",))


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"engine": "abacus"}, NotFound, r"'abacus'.*lightgbm, onnx"),
        ({"extra": 1}, Invalid, "unknown field `extra`"),
        ({"signature": {**GOOD["signature"], "more": 1}}, Invalid, "unknown field `more`"),
        ({"files": ["../model.txt"]}, Invalid, "not a plain file name"),
        ({"files": [".."]}, Invalid, "not a plain file name"),
        ({"files": ["gone.txt"]}, NotFound, "'gone.txt', which is not there"),
        ({"files": "model.txt"}, Invalid, "Expected `array`, got `str` at 'files'"),
        ({"signature": {"inputs": [], "outputs": []}}, Invalid, "has no inputs"),
    ],
)
def test_a_bad_description_is_refused(
    tmp_path: Path, changes: dict[str, object], kind: type[MainspringError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        load_model(_folder(tmp_path, **changes))


def test_a_folder_without_a_description_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"holds no model\.json"):
        load_model(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000])
def test_a_description_that_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.json").write_bytes(content)

    with pytest.raises(Invalid):
        load_model(tmp_path)


def test_a_missing_package_is_named_with_its_extra() -> None:
    with pytest.raises(Unavailable) as refusal:
        require("no_such_package_at_all", "loop")

    assert refusal.value.fix == "pip install 'mainspring[loop]'"
