"""LightGBM's text models, called through its C library.

The Python package costs 180 MB and a second to import; the library alone costs 10 MB.
"""

from __future__ import annotations

import ctypes
import functools
import weakref
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mainspring.core.errors import Invalid
from mainspring.core.extras import missing
from mainspring.core.signature import Column, Signature
from mainspring.engines.encoding import Encoder, Matrix
from mainspring.engines.engine import ModelDescription, write_description
from mainspring.engines.lightgbm_text import check_text
from mainspring.engines.tensor import DTYPES, Tensors

MODEL = "model.txt"
PARAMETERS = b"num_threads=1 verbosity=-1"
FLOAT64 = 1  # C_API_DTYPE_FLOAT64


@functools.cache
def _library() -> ctypes.CDLL:
    spec = find_spec("lightgbm")
    places = spec.submodule_search_locations if spec is not None else None
    for place in places or ():
        path = Path(place, "lib", "lib_lightgbm.so")
        if path.is_file():
            library = ctypes.CDLL(str(path))
            library.LGBM_GetLastError.restype = ctypes.c_char_p
            return library
    raise missing("lightgbm", "loop")


def _call(function: str, *arguments: object) -> None:
    library = _library()
    if getattr(library, function)(*arguments) != 0:
        raise RuntimeError(f"{function}: {library.LGBM_GetLastError().decode(errors='replace')}")


class LightGBMEngine:
    """One booster in the C library, freed with this object.

    Without a signature it takes one matrix, `input`, and gives `score`: one number a row, or one for
    each class.
    """

    def __init__(self, text: bytes, signature: Signature | None = None) -> None:
        booster, iterations = ctypes.c_void_p(), ctypes.c_int()
        try:
            check_text(text)
            _call(
                "LGBM_BoosterLoadModelFromString",
                ctypes.c_char_p(text),
                ctypes.byref(iterations),
                ctypes.byref(booster),
            )
        except (RuntimeError, Invalid) as error:
            raise Invalid(f"{MODEL} is no LightGBM model: {error}", field=MODEL) from None
        weakref.finalize(self, _library().LGBM_BoosterFree, booster)
        self._booster = booster
        self._inputs = self._count("LGBM_BoosterGetNumFeature")
        self._classes = self._count("LGBM_BoosterGetNumClasses")
        self.signature = signature or _signature(self._inputs, self._classes)
        self._encode = self._encoding()
        self._outputs = [
            (column.name, DTYPES[column.datatype]) for column in self.signature.outputs
        ]
        self._whole = len(self._outputs) == 1 and bool(self.signature.outputs[0].shape)
        self._check_outputs()

    def _count(self, function: str) -> int:
        count = ctypes.c_int()
        _call(function, self._booster, ctypes.byref(count))
        return count.value

    def _encoding(self) -> Callable[[Tensors], Matrix]:
        columns = self.signature.inputs
        matrix = len(columns) == 1 and len(columns[0].shape) == 1
        width = columns[0].shape[0] if matrix else len(columns)
        if width not in (self._inputs, -1):
            raise Invalid(
                f"the model takes {self._inputs} columns, its signature has {width}", field="inputs"
            )
        if not matrix:
            return Encoder(self.signature).encode
        name = columns[0].name
        return lambda inputs: np.ascontiguousarray(inputs[name], dtype=np.float64)

    def _check_outputs(self) -> None:
        columns = self.signature.outputs
        width = columns[0].shape[0] if self._whole else len(columns)
        if width != self._classes:
            raise Invalid(
                f"the model gives {self._classes} columns, its signature has {width}",
                field="outputs",
            )

    def predict(self, inputs: Tensors) -> Tensors:
        matrix = self._encode(inputs)
        rows = len(matrix)
        if matrix.shape != (rows, self._inputs):
            raise Invalid(
                f"the model takes {self._inputs} numbers a row; the inputs have the shape "
                f"{list(matrix.shape)}",
                field="inputs",
            )
        result = np.empty((rows, self._classes), dtype=np.float64)
        length = ctypes.c_int64()
        _call(
            "LGBM_BoosterPredictForMat",
            self._booster,
            ctypes.c_void_p(matrix.ctypes.data),
            ctypes.c_int(FLOAT64),
            ctypes.c_int32(rows),
            ctypes.c_int32(self._inputs),
            ctypes.c_int(1),  # row-major
            ctypes.c_int(0),  # the transformed score, not raw or leaf numbers
            ctypes.c_int(0),
            ctypes.c_int(-1),  # every iteration
            ctypes.c_char_p(PARAMETERS),
            ctypes.byref(length),
            ctypes.c_void_p(result.ctypes.data),
        )
        if length.value != result.size:
            raise RuntimeError(f"LightGBM gave {length.value} numbers; {result.size} were wanted")
        if self._whole:
            name, dtype = self._outputs[0]
            return {name: result.astype(dtype, copy=False)}
        return {
            name: result[:, index].astype(dtype)
            for index, (name, dtype) in enumerate(self._outputs)
        }


def _signature(features: int, classes: int) -> Signature:
    given = (classes,) if classes > 1 else ()
    return Signature(
        inputs=(Column(name="input", datatype="FP64", shape=(features,), nullable=True),),
        outputs=(Column(name="score", datatype="FP64", shape=given),),
    )


def load(folder: Path, description: ModelDescription) -> LightGBMEngine:
    """Load `model.txt`."""
    return LightGBMEngine((folder / MODEL).read_bytes(), description.signature)


def save(booster_text: str, folder: Path, signature: Signature) -> ModelDescription:
    """Write a booster's text and its description into `folder`, refusing what cannot be loaded."""
    text = booster_text.encode()
    LightGBMEngine(text, signature)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL).write_bytes(text)
    description = ModelDescription(engine="lightgbm", signature=signature, files=(MODEL,))
    write_description(folder, description)
    return description
