"""NVIDIA's accelerators, as its management library tells of them; none if there is no such library."""

from __future__ import annotations

import ctypes
from typing import Any

from mainspring.core.errors import Unavailable
from mainspring.core.extras import require
from mainspring.core.settings import visible_accelerators

LIBRARY = "libnvidia-ml.so.1"


class Accelerators:
    """The accelerators that this process may use, by their number on the machine."""

    def __init__(self) -> None:
        self._library: Any = _library()
        self._handles: dict[int, Any] = {}
        if self._library is not None:
            self._handles = self._found()

    def described(self) -> dict[str, Any]:
        """Name and memory of each, the driver and the version of CUDA."""
        ml = self._library
        if ml is None:
            return {"gpus": []}
        cuda = self._told("nvmlSystemGetCudaDriverVersion_v2")
        return {
            "gpus": [
                {
                    "index": index,
                    "name": _text(self._told("nvmlDeviceGetName", handle)),
                    "memory_bytes": getattr(
                        self._told("nvmlDeviceGetMemoryInfo", handle), "total", None
                    ),
                }
                for index, handle in self._handles.items()
            ],
            "gpu_driver": _text(self._told("nvmlSystemGetDriverVersion")),
            "cuda": f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None,
        }

    def read(self) -> dict[str, float]:
        """How busy each is: share of time, memory, power, temperature; what it does not tell is left out."""
        found: dict[str, float] = {}
        for index, handle in self._handles.items():
            use = self._told("nvmlDeviceGetUtilizationRates", handle)
            memory = self._told("nvmlDeviceGetMemoryInfo", handle)
            power = self._told("nvmlDeviceGetPowerUsage", handle)
            celsius = self._told("nvmlDeviceGetTemperature", handle, 0)
            if use is not None:
                found[f"gpu{index}_percent"] = float(use.gpu)
            if memory is not None:
                found[f"gpu{index}_memory_mb"] = memory.used / 2**20
            if power is not None:
                found[f"gpu{index}_power_w"] = power / 1000
            if celsius is not None:
                found[f"gpu{index}_temperature_c"] = float(celsius)
        return found

    def _found(self) -> dict[int, Any]:
        wanted = visible_accelerators()
        found = {}
        for index in range(self._told("nvmlDeviceGetCount") or 0):
            handle = self._told("nvmlDeviceGetHandleByIndex", index)
            names = {str(index), _text(self._told("nvmlDeviceGetUUID", handle))}
            seen = wanted is None or any(
                one == name or (not one.isdigit() and name.startswith(one))
                for one in wanted
                for name in names
                if name
            )
            if handle is not None and seen:
                found[index] = handle
        return found

    def _told(self, function: str, *arguments: Any) -> Any:
        """What the library answers; None for what this device or driver does not tell."""
        ml = self._library
        try:
            return getattr(ml, function)(*arguments)
        except (ml.NVMLError, AttributeError):
            return None


def _library() -> Any:
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return None  # no driver: the wrapper need not be loaded
    try:
        ml = require("pynvml", "loop")
    except Unavailable:
        return None
    try:
        ml.nvmlInit()
    except ml.NVMLError:
        return None
    return ml


def _text(value: Any) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
