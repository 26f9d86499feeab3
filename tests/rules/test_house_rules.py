"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

import mainspring
from mainspring.app import OPERATIONS
from mainspring.core.jobs import REACTIONS
from mainspring.core.text import closest

ROOT = Path(mainspring.__file__).parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION, MOST_PARAMETERS = 400, 50, 5

LONG_FILES = {
    "src/mainspring/migrations/versions/0001_first_schema.py": "every table once, generated",
}
LONG_FUNCTIONS = {
    ("src/mainspring/migrations/versions/0001_first_schema.py", "upgrade"): "generated",
    ("src/mainspring/migrations/versions/0001_first_schema.py", "downgrade"): "generated",
}
MANY_PARAMETERS = {
    "init": "keyword-only, the words that W&B's users write",
    "log_dataset": "keyword-only, the words of the SDK",
    "log_model": "keyword-only, the words of the SDK",
    "monitor": "keyword-only, the words of the SDK",
    "retrain_policy": "keyword-only, the words of the SDK",
    "run": "keyword-only, the words of the SDK",
    "start_run": "keyword-only, the words that MLflow's users write",
}
SLEEPERS = {
    "tests/journeys/test_survives_kill.py": "kills at random moments, which have to pass first",
    "tests/serving/python_models.py": "models that are slow, or hang",
}
SAYS_NOTHING = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "manager",
    "managers",
    "misc",
    "base",
}
HEAVY = {"sqlalchemy", "alembic", "starlette", "uvicorn", "numpy", "pandas", "pyarrow", "lightgbm",
         "onnxruntime", "click", "httpx2", "cryptography"}  # fmt: skip


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


Function = ast.FunctionDef | ast.AsyncFunctionDef


T = TypeVar("T")


def found_in(paths: list[Path], look: Callable[[Path], T]) -> dict[str, T]:
    """What was found, by the file that it is in; files without it are left out."""
    return {named(path): found for path in paths if (found := look(path))}


@cache
def text_of(path: Path) -> str:
    return path.read_text()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(tree(path)))


def functions(path: Path) -> list[Function]:
    return [node for node in nodes(path) if isinstance(node, Function)]


def length(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def parameters(function: Function) -> int:
    given = function.args
    return len([*given.posonlyargs, *given.args, *given.kwonlyargs]) - _bound(function)


def _bound(function: Function) -> int:
    first = (function.args.posonlyargs + function.args.args)[:1]
    return len([one for one in first if one.arg in ("self", "cls")])


def test_a_file_is_read_in_one_go() -> None:
    long = found_in(
        SOURCES + TESTS,
        lambda path: (
            len(text_of(path).splitlines()) > LONGEST_FILE and named(path) not in LONG_FILES
        ),
    )

    assert long == {}


def test_a_function_fits_on_a_screen() -> None:
    long = found_in(
        SOURCES + TESTS,
        lambda path: {
            one.name
            for one in functions(path)
            if length(one) > LONGEST_FUNCTION and (named(path), one.name) not in LONG_FUNCTIONS
        },
    )

    assert long == {}


def test_a_function_takes_few_parameters() -> None:
    greedy = found_in(
        SOURCES,
        lambda path: {
            one.name
            for one in functions(path)
            if parameters(one) > MOST_PARAMETERS and one.name not in MANY_PARAMETERS
        },
    )

    assert greedy == {}


def test_a_file_is_named_after_what_is_in_it() -> None:
    assert found_in(SOURCES + TESTS, lambda path: path.stem.lstrip("_") in SAYS_NOTHING) == {}


def test_a_module_says_what_it_is_for() -> None:
    silent = found_in(
        SOURCES,
        lambda path: text_of(path).strip() and not ast.get_docstring(tree(path)),
    )

    assert silent == {}


def test_nothing_is_replaced_by_a_mock() -> None:
    mocks = {"mock", "unittest", "unittest.mock", "MagicMock"}
    replaced = found_in(
        TESTS,
        lambda path: mocks & {
            name.name
            for node in nodes(path)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in [*node.names, ast.alias(getattr(node, "module", None) or "")]
        },
    )  # fmt: skip

    assert replaced == {}


def test_no_test_sleeps() -> None:
    asleep = found_in(
        TESTS,
        lambda path: any(
            ast.unparse(node.func) == "time.sleep"
            for node in nodes(path)
            if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "sleep"
        ),
    )

    assert asleep.keys() == SLEEPERS.keys()


def test_nothing_is_left_to_do() -> None:
    marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]

    assert (
        found_in(SOURCES + TESTS, lambda path: [one for one in marks if one in text_of(path)]) == {}
    )


def loaded_by(statement: str) -> set[str]:
    program = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_importing_mainspring_loads_nothing_heavy() -> None:
    assert loaded_by("import mainspring").isdisjoint(HEAVY)


def test_importing_a_contract_loads_no_database_and_no_server() -> None:
    statement = "import mainspring.stages; mainspring.stages.operations()"

    assert loaded_by(statement).isdisjoint(HEAVY)


def test_an_operation_says_what_it_does_in_a_sentence() -> None:
    said = {name: one.summary for name, one in OPERATIONS.items()}

    assert {name: text for name, text in said.items() if not text.endswith(".")} == {}
    assert {name: text for name, text in said.items() if not text[0].isupper()} == {}


def test_an_operation_is_named_noun_and_verb() -> None:
    assert [name for name in OPERATIONS if not re.fullmatch(r"[a-z-]+\.[a-z-]+", name)] == []


def test_no_two_operations_share_a_route() -> None:
    routes = [(one.verb, one.scope, one.path) for one in OPERATIONS.values() if not one.inside]

    assert len(routes) == len(set(routes))


def test_every_path_field_is_a_field_of_its_request() -> None:
    stray = [
        operation.name
        for operation in OPERATIONS.values()
        if not set(operation.path_fields) <= set(operation.request.__struct_fields__)
    ]

    assert stray == []


def test_every_reaction_is_named_after_its_stage() -> None:
    stages = {path.parent.name for path in SOURCES}

    assert {name.partition(".")[0] for name in REACTIONS} <= stages


def test_a_close_name_is_offered_only_when_it_is_close() -> None:
    assert closest("productoin", ["production"]) == "; did you mean 'production'?"
    assert closest("xyz", ["production"]) == ""
