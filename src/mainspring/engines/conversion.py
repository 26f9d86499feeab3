"""A model folder as ONNX, by whatever converter its engine has; what cannot be converted has a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mainspring.core.errors import MainspringError, Unavailable
from mainspring.core.signature import Signature
from mainspring.engines import forest_conversion
from mainspring.engines.engine import read_description
from mainspring.engines.table import Precision

Converter = Callable[[Path, Signature, Precision], bytes]
CONVERTERS: dict[str, Converter] = {
    "lightgbm": forest_conversion.convert,
}
"""By the name of the engine. Each reads data files alone, as the engine itself does."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """The ONNX file, or why there is none."""

    precision: Precision
    model: bytes | None = None
    reason: str = ""


def convert(folder: Path, precision: Precision) -> Conversion:
    """Convert the model of the folder so that the result takes and gives its signature's columns."""
    description = read_description(folder)
    converter = CONVERTERS.get(description.engine)
    if description.engine == "onnx":
        return Conversion(precision, reason="the version is ONNX itself")
    if converter is None:
        return Conversion(precision, reason=f"no converter for the engine {description.engine!r}")
    try:
        return Conversion(precision, converter(folder, description.signature, precision))
    except Unavailable as error:
        return Conversion(precision, reason=f"no converter installed: {error.message}; {error.fix}")
    except MainspringError as error:
        return Conversion(precision, reason=f"it cannot be converted: {error.message}")
    except Exception as error:  # noqa: BLE001  the edge of foreign converters
        said = f"{type(error).__name__}: {error}"
        return Conversion(precision, reason=f"it cannot be converted: {said[:500]}")
