"""LightGBM's text models, called through its C library.

The Python package costs 180 MB and a second to import; the library alone costs 10 MB.
"""

from __future__ import annotations

import ctypes
import functools
import weakref
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mainspring.core.errors import Invalid
from mainspring.core.extras import missing
from mainspring.core.signature import Signature
from mainspring.engines.encoding import Encoder
from mainspring.engines.engine import ModelDescription, write_description
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
    """One booster in the C library, freed with this object."""

    def __init__(self, text: bytes, signature: Signature) -> None:
        booster, iterations = ctypes.c_void_p(), ctypes.c_int()
        try:
            _call(
                "LGBM_BoosterLoadModelFromString",
                ctypes.c_char_p(text),
                ctypes.byref(iterations),
                ctypes.byref(booster),
            )
        except RuntimeError as error:
            raise Invalid(f"{MODEL} is no LightGBM model: {error}", field=MODEL) from None
        weakref.finalize(self, _library().LGBM_BoosterFree, booster)
        self._booster = booster
        self._encoder = Encoder(signature)
        self._outputs = [(column.name, DTYPES[column.datatype]) for column in signature.outputs]
        self._inputs = len(signature.inputs)
        self._check_counts()

    def _check_counts(self) -> None:
        count = ctypes.c_int()
        _call("LGBM_BoosterGetNumFeature", self._booster, ctypes.byref(count))
        if count.value != self._inputs:
            raise Invalid(
                f"the model takes {count.value} columns, its signature has {self._inputs}",
                field="inputs",
            )
        _call("LGBM_BoosterGetNumClasses", self._booster, ctypes.byref(count))
        if count.value != len(self._outputs):
            raise Invalid(
                f"the model gives {count.value} columns, its signature has {len(self._outputs)}",
                field="outputs",
            )

    def predict(self, inputs: Tensors) -> Tensors:
        matrix = self._encoder.encode(inputs)
        rows = len(matrix)
        result = np.empty((rows, len(self._outputs)), dtype=np.float64)
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
        return {
            name: result[:, index].astype(dtype)
            for index, (name, dtype) in enumerate(self._outputs)
        }


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
