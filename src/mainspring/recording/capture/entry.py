"""What was started: the script of this process, or the one that a command line names."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mainspring.recording.capture.cells import Cell, executed_cells, shell

_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*(?:\.exe)?$")
_TAKES_VALUE = frozenset({"-W", "-X", "--check-hash-based-pycs"})
_SHELLS = frozenset(
    {"ipykernel_launcher", "ipykernel", "IPython", "ipython", "colab_kernel_launcher"}
)


class Entry(NamedTuple):
    """A script, what it was given, and where: as it was when it started."""

    path: Path | None
    arguments: Sequence[str] = ()
    module: str | None = None
    """The name under which `python -m` runs it."""
    interpreter: str | None = None
    """The Python that runs it, if it is not this one."""
    folder: Path | None = None
    """The working folder; the one of this process if it is left out."""
    cells: Sequence[Cell] = ()
    """What was executed so far, if there is a notebook or a shell and no script."""


def entry_point() -> Entry:
    """What this process runs: its script, or the cells of its notebook or shell."""
    here = Path.cwd()
    if in_shell():
        return Entry(None, folder=here, cells=executed_cells() or ())
    named = getattr(sys.modules.get("__main__"), "__file__", None)
    path = Path(named).absolute() if isinstance(named, str) else None
    return Entry(path, sys.argv[1:], main_module(), folder=here)


def main_module() -> str | None:
    """The name under which `python -m` runs this process."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    name = getattr(spec, "name", None)
    return name.removesuffix(".__main__") if isinstance(name, str) else None


def in_shell() -> bool:
    """Whether somebody types the code, cell by cell."""
    return shell() is not None or (main_module() or "").partition(".")[0] in _SHELLS


def entry_of(command: Sequence[str], folder: Path) -> Entry:
    """What a command line runs: the script behind `python`, a module, or the program itself.

    Launchers (`torchrun`, `uv run`, `accelerate launch`) are looked through: the first word that is a
    Python file here is what they run.
    """
    words = list(command)
    for at, word in enumerate(words):
        if word.endswith((".py", ".ipynb")) and (folder / word).is_file():
            return Entry((folder / word).absolute(), words[at + 1 :])
        if _PYTHON.match(Path(word).name):
            return _behind_python(words[at:], folder)._replace(interpreter=shutil.which(word))
    found = shutil.which(words[0])
    return Entry(Path(found).absolute() if found else None, words[1:])


def _behind_python(words: list[str], folder: Path) -> Entry:
    at = 1
    while at < len(words):
        word = words[at]
        if word.startswith("-m"):
            module = word[2:] or (words[at + 1] if at + 1 < len(words) else "")
            rest = words[at + (1 if word[2:] else 2) :]
            return Entry(_module_file(module, folder), rest, module or None)
        if word.startswith("-c"):
            return Entry(None, words[at:])  # the code itself is among the arguments
        if word == "-":
            return Entry(None, words[at + 1 :])
        if not word.startswith("-"):
            path = folder / word
            path = path / "__main__.py" if path.is_dir() else path
            return Entry(path.absolute() if path.is_file() else None, words[at + 1 :])
        at += 2 if word in _TAKES_VALUE else 1
    return Entry(None, [])


def _module_file(module: str, folder: Path) -> Path | None:
    place = folder.joinpath(*module.split("."))
    for root in (place, folder / "src" / place.relative_to(folder)):
        for path in (root.with_name(f"{root.name}.py"), root / "__main__.py"):
            if module and path.is_file():
                return path.absolute()
    return None
