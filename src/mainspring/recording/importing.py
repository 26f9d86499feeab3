"""Something to do as soon as a module is imported: at once if it is, else whenever it will be."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

Act = Callable[[ModuleType], object]


class _Wrapped(Loader):
    """The module's own loader, and then the acts."""

    def __init__(self, loader: Loader, acts: list[Act]) -> None:
        self._loader = loader
        self._acts = acts

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = self._loader  # what asks the module for its loader finds its own
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        for act in self._acts:
            act(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _Finder(MetaPathFinder):
    """Stands before all finders, for the modules that somebody waits for."""

    def __init__(self) -> None:
        self.awaited: dict[str, list[Act]] = {}

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        acts = self.awaited.pop(fullname, None)
        if acts is None:
            return None
        # Not awaited any more, so that the real finders are asked this time.
        try:
            spec = find_spec(fullname)
        except (ImportError, ValueError, AttributeError):
            spec = None
        if spec is None or spec.loader is None or not hasattr(spec.loader, "exec_module"):
            self.awaited[fullname] = acts
            return None
        spec.loader = _Wrapped(spec.loader, acts)
        return spec


_finder = _Finder()


def when_imported(name: str, act: Act) -> None:
    """Call `act` with the module once it is imported; what it raises goes to the importer."""
    module = sys.modules.get(name)
    if module is not None:
        act(module)
        return
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    _finder.awaited.setdefault(name, []).append(act)
