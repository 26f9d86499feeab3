"""Models written in Python: a class with `predict`, whose answers are checked here.

    class Doubler:
        inputs = [{"name": "x", "datatype": "FP64", "shape": [-1]}]

        def predict(self, inputs):
            return {"y": inputs["x"] * 2}

`inputs` and `outputs` may be left out: then it takes, or gives, any tensors. `batching` says whether
rows of several requests may come in one call. `load` is called once before the model is ready, `close`
when it is let go. `predict` is called from several threads at once.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from mainspring.core.errors import Invalid, NotFound
from mainspring.core.signature import Signature
from mainspring.engines.declaration import declared
from mainspring.engines.engine import ModelDescription
from mainspring.engines.pickles import check_allowed
from mainspring.engines.returned import as_tensors, checked
from mainspring.engines.tensor import Tensors

MODEL, CLASS = "model.py", "Model"


class PythonEngine:
    """Calls the object and checks what it gives."""

    def __init__(self, model: Any, name: str, signature: Signature | None = None) -> None:
        if not callable(getattr(model, "predict", None)):
            raise Invalid(
                f"{name} has no method `predict`",
                field="source",
                fix="def predict(self, inputs: dict[str, numpy.ndarray]) -> dict[str, numpy.ndarray]",
            )
        found = declared(model, name)
        self.signature = signature or found.signature
        self.rows = found.rows if signature is None else None
        self.batching = found.batching
        self._name = name
        self._model = model
        self._predict: Callable[[Tensors], object] = model.predict
        _tried(getattr(model, "load", None), f"{name}.load()")

    def predict(self, inputs: Tensors) -> Tensors:
        """Call it; errors: RuntimeError that says how the answer is not what was wanted."""
        # The model may write into what it is given; the prediction log wants what the caller sent.
        given = {name: values.copy() for name, values in inputs.items()}
        try:
            returned = self._predict(given)
        except (SystemExit, KeyboardInterrupt) as error:
            # It may end its own call, not the process with everybody else's.
            raise RuntimeError(f"{self._name} raised {type(error).__name__}") from error
        found = as_tensors(self._name, returned)
        if self.signature.outputs:
            rows = len(next(iter(inputs.values()))) if self.signature.inputs else None
            return checked(self._name, self.signature.outputs, found, rows)
        if self.signature.inputs:
            _check_rows(self._name, found, len(next(iter(inputs.values()))))
        return found

    def close(self) -> None:
        """Tell the model that it is let go."""
        close = getattr(self._model, "close", None)
        if close is not None:
            close()


def load(folder: Path, description: ModelDescription, *, allow_code: bool) -> PythonEngine:
    """Load the class `Model` of `model.py`."""
    check_allowed(f"the module {MODEL}", allow_code=allow_code)
    spec = importlib.util.spec_from_file_location(
        f"mainspring_model_{id(description)}", folder / MODEL
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    loader = spec.loader
    _tried(lambda: loader.exec_module(module), MODEL)
    return PythonEngine(_made(module, MODEL, CLASS), CLASS, description.signature)


def load_class(module: str, name: str) -> PythonEngine:
    """Import the class from the current folder or an installed package, and make one."""
    found = _imported(module)
    return PythonEngine(_made(found, module, name), f"{module}:{name}")


def file_of(module: str) -> Path:
    """The file that the module would be read from; errors: no such module, or no file."""
    _see_current_folder()
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        spec = None
    except Exception as error:
        raise _failed(module, error) from error
    if spec is None:
        raise _not_found(module)
    if spec.origin is None or not Path(spec.origin).is_file():
        raise Invalid(f"the module {module!r} has no file", field="source")
    return Path(spec.origin)


_read: dict[str, bytes] = {}
"""What the file of each module held when it was read; a change is read again at the next load."""


def _imported(module: str) -> ModuleType:
    path = file_of(module)
    content = path.read_bytes()
    known = sys.modules.get(module)
    if known is not None and _read.get(module, content) == content:
        return known
    try:
        found = _executed(module, content) if path.suffix == ".py" else import_module(module)
    except (Exception, SystemExit) as error:
        if known is not None:
            sys.modules[module] = known
        else:
            sys.modules.pop(module, None)
        raise _failed(module, error) from error
    _read[module] = content
    return found


def _executed(module: str, content: bytes) -> ModuleType:
    """A new module of the content.

    Not the one that there was, read again: models made of that one go on answering, and would find
    its new names. And not the compiled file beside it, which goes by the second of a change.
    """
    spec = importlib.util.find_spec(module) if module not in sys.modules else None
    spec = spec or sys.modules[module].__spec__
    assert spec is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[module] = found
    code = compile(content, spec.origin or module, "exec", dont_inherit=True)
    exec(code, found.__dict__)  # noqa: S102  the user's own
    parent, _, name = module.rpartition(".")
    if parent:
        setattr(sys.modules[parent], name, found)
    return found


def _see_current_folder() -> None:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    importlib.invalidate_caches()


def _made(module: ModuleType, source: str, name: str) -> Any:
    kind = getattr(module, name, None)
    if not isinstance(kind, type):
        raise NotFound(f"{source} has no class {name!r}", field="source")
    return _tried(kind, f"{name}()")


def _tried(call: Callable[[], Any] | None, what: str) -> Any:
    if call is None:
        return None
    try:
        return call()
    except (Exception, SystemExit) as error:
        raise _failed(what, error) from error


def _failed(what: str, error: BaseException) -> Invalid:
    """The error for code of the user's that raised while it was loaded: says where."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    # What is no Python says itself where.
    at = f" ({Path(place.filename).name}:{place.lineno})"
    told = "" if isinstance(error, SyntaxError) else at
    return Invalid(f"{what} raised {type(error).__name__}: {error}{told}", field="source")


def _not_found(module: str) -> NotFound:
    return NotFound(
        f"no module {module!r} in the current folder or among the installed packages",
        field="source",
    )


def _check_rows(name: str, found: dict[str, Any], rows: int) -> None:
    for output, values in found.items():
        if np.shape(values)[:1] != (rows,):
            raise RuntimeError(
                f"{name} gave {output!r} with the shape {list(np.shape(values))} for {rows} rows"
            )
