"""scikit-learn: what is fitted, searched, cross-validated and scored; models by skops, else joblib."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from mainspring.core.extras import require
from mainspring.recording.autologging import Autolog
from mainspring.recording.framework import Saved, has_its_own

ROOM = "mainspring.adapters.frameworks.scikit_learn"


class ScikitLearn:
    """Follows scikit-learn, and every estimator that derives from its `BaseEstimator`."""

    name = "scikit-learn"
    modules: Sequence[str] = ("sklearn.base", "sklearn.metrics", "sklearn.model_selection")

    def install(self, module: ModuleType, autolog: Autolog) -> None:
        """Wrap the estimators that there are and will be, or the functions of the module."""
        # Loaded now, when scikit-learn has brought numpy anyway.
        following = import_module(f"{ROOM}.following")
        following.follow(autolog, self)
        hooks = import_module(f"{ROOM}.hooks")
        hooks.install(module)

    def owns(self, model: object) -> bool:
        """Whether it is an estimator, and not one of a library that is followed by itself."""
        kind = type(model)
        if not any(base.__module__.partition(".")[0] == "sklearn" for base in kind.__mro__):
            return False
        return hasattr(kind, "get_params") and not has_its_own(kind, self)

    def save(self, model: object, folder: Path) -> Saved:
        """Write it with skops, which runs nothing when it is read; without skops as joblib's pickle."""
        saved: Saved = require(f"{ROOM}.saving", "loop").save(model, folder)
        return saved
