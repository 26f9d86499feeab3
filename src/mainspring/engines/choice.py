"""One model with two engines: how many rows a call has decides which of them answers."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from mainspring.core.signature import Signature
from mainspring.engines.engine import (
    DESCRIPTION,
    Engine,
    LoadedModel,
    ModelDescription,
    as_loaded,
    read_description,
)
from mainspring.engines.onnx import MODEL, load
from mainspring.engines.table import EngineName, EngineTable, Parity, Precision, Timed
from mainspring.engines.tensor import Tensors
from mainspring.engines.timing import Medians


class ChosenEngine:
    """Hands each call to the engine that was quicker at the nearest number of rows.

    Between two sizes that were timed the border is their geometric mean: with 1, 32 and 1000 calls of
    up to 5 rows are answered as 1 row is, up to 178 as 32 are, and all larger ones as 1000.
    """

    def __init__(self, engines: Mapping[EngineName, Engine], table: EngineTable) -> None:
        self._borders = borders([size.rows for size in table.sizes])
        self._engines = [engines[size.chosen] for size in table.sizes]

    def predict(self, inputs: Tensors) -> Tensors:
        """The answer of the engine that was chosen for so many rows."""
        rows = len(next(iter(inputs.values())))
        return self._engines[bisect_left(self._borders, rows)].predict(inputs)

    def close(self) -> None:
        """Let go of what the engines hold."""
        for engine in {id(one): one for one in self._engines}.values():
            close = getattr(engine, "close", None)
            if close is not None:
                close()


def borders(sizes: list[int]) -> list[float]:
    """The geometric means of each two neighbours."""
    return [math.sqrt(low * high) for low, high in pairwise(sizes)]


def load_alone(folder: Path, onnx_folder: Path, table: EngineTable) -> LoadedModel | None:
    """The version's conversion by itself, where it answers everything; None where it does not.

    Neither the library nor the file of its own engine is read then: they may take seconds, and most of
    the memory. Errors: as `load_chosen`, and those of the folder's description.
    """
    if not _is_onnx_alone(table) or not (folder / DESCRIPTION).is_file():
        return None
    signature = read_description(folder).signature
    return as_loaded("onnx", signature, _converted(onnx_folder, signature))


def load_chosen(native: LoadedModel, onnx_folder: Path, table: EngineTable) -> LoadedModel:
    """The model with the engines that its table chose; `onnx_folder` holds `model.onnx`.

    Errors: `Invalid` where the file cannot be loaded or does not fit the model's signature.
    """
    if not table.uses_onnx:
        return native
    onnx = _converted(onnx_folder, native.signature)
    if _is_onnx_alone(table):
        return replace(native, name="onnx", engine=onnx)  # the other one's memory is given back
    engine = ChosenEngine({"native": native.engine, "onnx": onnx}, table)
    return replace(native, name=f"{native.name}, onnx", engine=engine)


def _is_onnx_alone(table: EngineTable) -> bool:
    return table.uses_onnx and all(size.chosen == "onnx" for size in table.sizes)


def _converted(folder: Path, signature: Signature) -> Engine:
    return load(folder, ModelDescription(engine="onnx", signature=signature, files=(MODEL,)))


def chosen(measured: Medians, parity: Parity | None) -> tuple[Timed, ...]:
    """Who answers at each size: the quicker one, and the native one if the other may not."""
    return tuple(_timed(rows, seconds, parity) for rows, seconds in sorted(measured.items()))


def _timed(rows: int, seconds: Mapping[str, float], parity: Parity | None) -> Timed:
    native, onnx = seconds["native"], seconds.get("onnx")
    allowed = parity is not None and parity.within
    quicker = allowed and onnx is not None and onnx < native
    return Timed(rows=rows, native_s=native, onnx_s=onnx, chosen="onnx" if quicker else "native")


def in_words(sizes: tuple[Timed, ...], precision: Precision | None) -> str:
    """Why: which engine is quicker where, of a conversion that is within its budget."""
    by_engine = {
        name: [str(size.rows) for size in sizes if size.chosen == name]
        for name in ("native", "onnx")
    }
    told = [
        f"{name} is quicker at {', '.join(rows)} rows" for name, rows in by_engine.items() if rows
    ]
    return f"the conversion ({precision}) is within the parity budget; {'; '.join(told)}"
