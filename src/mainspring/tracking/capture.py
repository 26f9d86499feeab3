"""What surrounds a run and nobody should have to write down: code, packages, machine."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

GIT_TIMEOUT_S = 5.0


def code(entry_point: Path | None, arguments: Sequence[str]) -> dict[str, Any]:
    """The commit and whether the tree differs from it; the entry point and its own digest."""
    found: dict[str, Any] = {"arguments": list(arguments)}
    if entry_point is not None and entry_point.is_file():
        found["entry_point"] = entry_point.name
        found["source_digest"] = f"sha256:{hashlib.sha256(entry_point.read_bytes()).hexdigest()}"
    folder = entry_point.parent if entry_point is not None else Path.cwd()
    commit = _git(folder, "rev-parse", "HEAD")
    if commit:
        found["commit"] = commit
        found["branch"] = _git(folder, "rev-parse", "--abbrev-ref", "HEAD")
        found["dirty"] = bool(_git(folder, "status", "--porcelain"))
    return found


def entry_point() -> tuple[Path | None, list[str]]:
    """The script that this process runs, and its arguments; no script in a notebook or shell."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return (Path(main).absolute() if main else None), sys.argv[1:]


def environment() -> dict[str, Any]:
    """Python, packages, system and hardware."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "packages": {
            distribution.metadata["Name"]: distribution.version
            for distribution in sorted(distributions(), key=lambda one: one.metadata["Name"] or "")
        },
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "memory_bytes": _memory(),
        "gpus": _gpus(),
    }


def _git(folder: Path, *arguments: str) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603  fixed arguments, no shell
            [git, "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _memory() -> int | None:
    try:
        first = Path("/proc/meminfo").read_text().split()[1]
    except OSError:
        return None
    return int(first) * 1024


def _gpus() -> list[str]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run(  # noqa: S603  fixed arguments, no shell
            [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.strip().splitlines() if done.returncode == 0 else []
