"""The kinds of events that the code announces, read off its text."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import mainspring
from mainspring.retraining.policy import RetrainingState
from mainspring.tracking.run import FINAL

SOURCE = Path(mainspring.__file__).parent
KIND = re.compile(r"[a-z_]+\.[a-z_]+")
STATES: dict[str, set[str]] = {
    "run.": set(FINAL),
    "retraining.": set(get_args(RetrainingState)),
    "deployment.": {"ready", "failed", "stopped"},
}
"""What stands after the dot where the code writes `f"run.{state}"`."""


def announced() -> set[str]:
    """Every kind of event that a service may announce."""
    files = [*SOURCE.glob("*/*service.py"), SOURCE / "core/work.py", SOURCE / "app.py"]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text()))]
    written = {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and KIND.fullmatch(node.value)
    }
    built = {node.values[0].value for node in nodes if isinstance(node, ast.JoinedStr)
             if isinstance(node.values[0], ast.Constant)}  # fmt: skip
    expanded = {
        f"{noun}{state}" for noun, states in STATES.items() if noun in built for state in states
    }
    return written | expanded
