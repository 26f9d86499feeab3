"""BF16, for which numpy has no type: numbers of single precision that are marked, and rounded.

The mark is metadata of the dtype. It stays with an array through slices, shapes and calculations, so
that what a model gives back of such an input, or computes from it alone, is BF16 again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BFLOAT16: np.dtype[Any] = np.dtype("<f4", metadata={"datatype": "BF16"})
ITEM_BYTES = 2
"""What a value takes on the wire: the upper half of one in single precision."""
_HALF, _QUIET = np.uint32(0x7FFF), np.uint32(0x0040)


def is_bfloat16(values: npt.NDArray[Any]) -> bool:
    """Whether the array is marked."""
    metadata = values.dtype.metadata
    return metadata is not None and metadata.get("datatype") == "BF16"


def widened(raw: bytes) -> npt.NDArray[Any]:
    """The values that little-endian BF16 stands for."""
    return (np.frombuffer(raw, dtype="<u2").astype("<u4") << np.uint32(16)).view(BFLOAT16)


def shortened(values: npt.NDArray[Any]) -> bytes:
    """The values as little-endian BF16, rounded to the nearest, and to the even one of two."""
    bits = np.ascontiguousarray(values, dtype="<f4").view("<u4")
    upper = bits >> np.uint32(16)
    rounded = (bits + _HALF + (upper & np.uint32(1))) >> np.uint32(16)
    # Rounding could carry what is no number into an infinity.
    return np.where(np.isnan(values), upper | _QUIET, rounded).astype("<u2").tobytes()


def rounded(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Marked, and with no more digits than BF16 has."""
    return widened(shortened(values)).reshape(values.shape)
