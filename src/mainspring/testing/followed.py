"""Runs a script of the exam of frameworks in this process, followed or not, and writes what it computed.

python -m mainspring.testing.followed SCRIPT ANSWER MODULE:FRAMEWORK [options]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import runpy
import sys
import tempfile
import threading
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from mainspring.interfaces.sdk import words
from mainspring.interfaces.sdk.session import default_client
from mainspring.recording.framework import Framework


def _flat(values: Any) -> list[str]:
    """Numbers so that two are the same text only if they are the same bits."""
    listed = values.tolist() if hasattr(values, "tolist") else list(values)
    found: list[str] = []
    for value in listed:
        if isinstance(value, list):
            found += _flat(value)
        else:
            found.append(value.hex() if isinstance(value, float) else str(value))
    return found


def _run(script: str) -> dict[str, Any]:
    return runpy.run_path(script, run_name="__main__")


def _run_in_worker(script: str) -> list[str]:
    return _flat(_run(script)["predictions"])


def _ran(wanted: argparse.Namespace) -> tuple[list[str], Any]:
    """The predictions, and the model."""
    if wanted.worker:
        with multiprocessing.get_context("fork").Pool(1) as pool:
            return pool.apply(_run_in_worker, (wanted.script,)), None
    found: dict[str, Any] = {}
    if wanted.thread:
        thread = threading.Thread(target=lambda: found.update(_run(wanted.script)))
        thread.start()
        thread.join()
    else:
        found = _run(wanted.script)
    return _flat(found["predictions"]), found["model"]


def _answer(wanted: argparse.Namespace, framework: Framework) -> dict[str, Any]:
    with ExitStack() as around:
        if wanted.active:
            around.enter_context(default_client().run("mine"))
        if wanted.inside:
            autolog = words._Session.autolog  # noqa: SLF001  what surrounds the script is the test
            assert autolog is not None
            around.enter_context(autolog.training("around"))
        predictions, model = _ran(wanted)
    answer: dict[str, Any] = {"predictions": predictions}
    if wanted.save:
        with tempfile.TemporaryDirectory() as folder:
            answer["owns"] = framework.owns(model)
            answer["saved"] = sorted(framework.save(model, Path(folder)).files)
            answer["found"] = sorted(
                path.relative_to(folder).as_posix()
                for path in Path(folder).rglob("*")
                if path.is_file()
            )
    return answer


def main() -> None:
    """Do as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("script")
    parser.add_argument("answer", type=Path)
    parser.add_argument("framework")
    parser.add_argument("--autolog", choices=["before", "after"])
    parser.add_argument("--without", nargs="*", default=[])
    for option in ("bare", "save", "thread", "worker", "inside", "active", "no-home"):
        parser.add_argument(f"--{option}", action="store_true")
    wanted = parser.parse_args()
    module, _, name = wanted.framework.partition(":")
    framework: Framework = getattr(import_module(module), name)()
    for one in wanted.without:
        sys.modules[one] = cast(ModuleType, None)  # it cannot be imported any more
    if wanted.autolog == "after":
        for one in framework.modules:
            import_module(one)
    if wanted.autolog:
        kept = not wanted.bare
        words.autolog(models=kept, datasets=kept, figures=False)
    wanted.answer.write_text(json.dumps(_answer(wanted, framework)))


if __name__ == "__main__":
    main()
