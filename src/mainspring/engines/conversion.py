"""A model folder as ONNX, by whatever converter its engine has; what cannot be converted has a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mainspring.core.errors import Invalid, MainspringError, Unavailable
from mainspring.engines import estimator_conversion, forest_conversion
from mainspring.engines.engine import read_description
from mainspring.engines.forest_conversion import Asked
from mainspring.engines.table import Precision

Converter = Callable[[Asked], bytes]
CONVERTERS: dict[str, Converter] = {
    "lightgbm": forest_conversion.convert,
    "scikit-learn": estimator_conversion.convert,
}
"""By the name of the engine. Each reads what the engine itself would read, and no more."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """The ONNX file, or why there is none."""

    precision: Precision
    model: bytes | None = None
    reason: str = ""


def convert(folder: Path, precision: Precision, *, allow_code: bool = False) -> Conversion:
    """Convert the model of the folder so that the result takes and gives its signature's columns."""
    try:
        return Conversion(precision, _converted(folder, precision, allow_code=allow_code))
    except Unavailable as error:
        reason = f"no converter installed: {error.message}; {error.fix}"
    except MainspringError as error:
        reason = f"it cannot be converted: {error.message}"
    except Exception as error:  # noqa: BLE001  the edge of foreign converters
        said = f"{type(error).__name__}: {error}".strip().partition("\n")[0]
        reason = f"it cannot be converted: {said[:500]}"
    return Conversion(precision, reason=reason)


def _converted(folder: Path, precision: Precision, *, allow_code: bool) -> bytes:
    description = read_description(folder)
    converter = CONVERTERS.get(description.engine)
    if description.engine == "onnx":
        raise Invalid("it is ONNX already")
    if converter is None:
        raise Invalid(f"there is no converter for the engine {description.engine!r}")
    asked = Asked(
        folder=folder,
        signature=description.signature,
        precision=precision,
        allow_code=allow_code,
    )
    return converter(asked)
