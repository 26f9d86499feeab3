"""Columns to the one float matrix that tree models and ONNX eat; training uses it too."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mainspring.core.errors import Invalid
from mainspring.core.signature import Signature
from mainspring.engines.tensor import Tensors

Matrix = npt.NDArray[np.float64]


class Encoder:
    """Encodes rows of one signature; keeps the category codes at hand."""

    def __init__(self, signature: Signature) -> None:
        self._columns: list[tuple[str, dict[str | None, float] | None]] = []
        for column in signature.inputs:
            if column.datatype != "BYTES":
                self._columns.append((column.name, None))
            elif column.categories:
                codes: dict[str | None, float] = {
                    level: float(code) for code, level in enumerate(column.categories)
                }
                self._columns.append((column.name, codes))
            else:
                raise Invalid(
                    f"the text column {column.name!r} has no categories to encode it by",
                    field=column.name,
                )

    def encode(self, inputs: Tensors) -> Matrix:
        """One row of floats for each row; an unseen or missing category becomes NaN."""
        rows = len(inputs[self._columns[0][0]])
        matrix = np.empty((rows, len(self._columns)), dtype=np.float64)
        for index, (name, codes) in enumerate(self._columns):
            values = inputs[name]
            if codes is None:
                matrix[:, index] = values
            else:
                code = codes.get
                matrix[:, index] = [code(value, np.nan) for value in values.tolist()]
        return matrix


@lru_cache(maxsize=64)
def _encoder(signature: Signature) -> Encoder:
    return Encoder(signature)


def encode(signature: Signature, inputs: Tensors) -> Matrix:
    """Encode `inputs` in the signature's order, as training and serving both must."""
    return _encoder(signature).encode(inputs)
