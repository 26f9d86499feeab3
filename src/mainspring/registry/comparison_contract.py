"""What may be asked about two versions at once."""

from __future__ import annotations

import msgspec

from mainspring.core.ids import ModelName, Version
from mainspring.core.operation import Operation
from mainspring.registry.comparison import Difference
from mainspring.registry.contract import NameVersion


class VersionComparison(msgspec.Struct, frozen=True, kw_only=True):
    """In what two versions differ: facts, files, metrics, parameters, data, code, packages."""

    left: str
    right: str
    same_files: bool
    """Whether they are the same model, byte for byte; False if the files of one are elsewhere."""
    differences: list[Difference]
    equal: dict[str, int]
    """How many entries of each part are the same."""


class CompareVersions(NameVersion, frozen=True, kw_only=True):
    """A version, and the one that it is held against."""

    other: Version
    other_model: ModelName | None = None
    """The model of the other version; the same one if it is left out."""


compare_versions = Operation(
    "model.compare", "GET", "/models/{model}/versions/{version}/comparison",
    CompareVersions, VersionComparison,
    allow="read", summary="Compare two versions: metrics, data, code, parameters, files.",
    names=("other_model",),
)  # fmt: skip
