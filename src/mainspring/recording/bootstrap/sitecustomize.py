"""Run by every Python that `mainspring run` starts: what it trains records itself.

Costs a Python that trains nothing next to nothing: Mainspring itself is loaded when one of the
libraries that MAINSPRING_AUTOLOG names is. Runs whatever other `sitecustomize` it stands before.
"""

import os
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import ModuleType

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  pathlib would be loaded for it
_WORKERS = ("multiprocessing.", "loky.")
_NAMES = [name for name in os.environ.get("MAINSPRING_AUTOLOG", "").split(",") if name]  # noqa: TID251  settings may not be installed here


def _run_the_next() -> None:
    """Run the `sitecustomize` that would have been found without this one."""
    places = [place for place in sys.path if os.path.abspath(place or ".") != _HERE]  # noqa: PTH100
    spec = PathFinder.find_spec("sitecustomize", places)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _is_worker() -> bool:
    """Whether this process works for another Python, which tells of the training itself."""
    words = list(getattr(sys, "orig_argv", ()))
    starts = [after for word, after in zip(words, words[1:]) if word in ("-c", "-m")]  # noqa: B905, RUF007  old Pythons
    return any(word in start for word in _WORKERS for start in starts[:1])


def _is_being_imported(name: str) -> bool:
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))


def _autolog(module: ModuleType) -> None:
    """Follow the library that has just been imported, unless the program itself asked for it."""
    if any(_is_being_imported(name) for name in _NAMES if name != module.__name__):
        return  # xgboost imports sklearn: followed when it is there itself
    try:
        words = import_module("mainspring.interfaces.sdk.words")
        if words._Session.autolog is None:  # noqa: SLF001  its own choices stay
            words.autolog()
    except Exception:  # noqa: BLE001  the program goes on without
        sys.stderr.write("mainspring: this program's trainings are not recorded\n")


def _wait_for_libraries() -> None:
    if not _NAMES or sys.version_info < (3, 11) or _is_worker():
        return
    try:
        importing = import_module("mainspring.recording.importing")
    except ImportError:
        return  # a Python that Mainspring is not installed for
    for name in _NAMES:
        importing.when_imported(name, _autolog)


_run_the_next()
_wait_for_libraries()
