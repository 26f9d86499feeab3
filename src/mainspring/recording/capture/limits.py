"""What a container lets a process use: less than the machine has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

GROUPS = Path("/sys/fs/cgroup")
NO_LIMIT = 2**60
"""Version 1 says an enormous number where there is no limit."""


def limits() -> dict[str, Any]:
    """The memory and the processors that the control group allows, where it sets a limit."""
    memory = [number for folder in _folders("memory") for number in _memory(folder)]
    cpus = [number for folder in _folders("cpu") for number in _cpus(folder)]
    return {
        "memory_limit_bytes": min((one for one in memory if one < NO_LIMIT), default=None),
        "cpu_limit": min(cpus, default=None),
    }


def container() -> str | None:
    """What kind of container this is, if it is one."""
    if Path("/var/run/secrets/kubernetes.io").exists():
        return "kubernetes"
    if Path("/.dockerenv").exists():
        return "docker"
    if Path("/run/.containerenv").exists():
        return "podman"
    return "singularity" if Path("/singularity").exists() else None


def _folders(controller: str) -> Iterator[Path]:
    """The control groups of this process, from its own to the outermost."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = GROUPS / controllers if controllers else GROUPS
        place = root / path.lstrip("/")
        while root in (place, *place.parents):
            yield place
            place = place.parent


def _memory(folder: Path) -> Iterator[int]:
    for name in ("memory.max", "memory.limit_in_bytes"):
        text = _text(folder / name)
        if text.isdigit():
            yield int(text)


def _cpus(folder: Path) -> Iterator[float]:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    quota = quota or _text(folder / "cpu.cfs_quota_us")
    period = period or _text(folder / "cpu.cfs_period_us")
    if quota.isdigit() and period.isdigit() and int(period):
        yield round(int(quota) / int(period), 3)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
