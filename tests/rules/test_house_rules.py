"""Rules of the house that no linter knows."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

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
    "open_run": "keyword-only, the words of the SDK",
    "log_dataset": "keyword-only, the words of the SDK",
    "log_model": "keyword-only, the words of the SDK",
    "monitor": "keyword-only, the words of the SDK",
    "retrain_policy": "keyword-only, the words of the SDK",
}
SLEEPERS = {
    "tests/journeys/test_survives_kill.py": "kills at random moments, which have to pass first",
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
         "onnxruntime", "click", "httpx2"}  # fmt: skip


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


EVERY_FILE = pytest.mark.parametrize("path", SOURCES + TESTS, ids=named)
EVERY_SOURCE = pytest.mark.parametrize("path", SOURCES, ids=named)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> list[Function]:
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def length(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def parameters(function: Function) -> int:
    given = function.args
    return len([*given.posonlyargs, *given.args, *given.kwonlyargs]) - _bound(function)


def _bound(function: Function) -> int:
    first = (function.args.posonlyargs + function.args.args)[:1]
    return len([one for one in first if one.arg in ("self", "cls")])


@EVERY_FILE
def test_a_file_is_read_in_one_go(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE or named(path) in LONG_FILES


@EVERY_FILE
def test_a_function_fits_on_a_screen(path: Path) -> None:
    long = {
        one.name
        for one in functions(path)
        if length(one) > LONGEST_FUNCTION and (named(path), one.name) not in LONG_FUNCTIONS
    }

    assert long == set()


@EVERY_SOURCE
def test_a_function_takes_few_parameters(path: Path) -> None:
    greedy = {
        one.name
        for one in functions(path)
        if parameters(one) > MOST_PARAMETERS and one.name not in MANY_PARAMETERS
    }

    assert greedy == set()


@EVERY_FILE
def test_a_file_is_named_after_what_is_in_it(path: Path) -> None:
    assert path.stem.lstrip("_") not in SAYS_NOTHING


@EVERY_SOURCE
def test_a_module_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()

    assert not text.strip() or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", TESTS, ids=named)
def test_nothing_is_replaced_by_a_mock(path: Path) -> None:
    imported = {
        name.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [*node.names, ast.alias(getattr(node, "module", None) or "")]
    }

    assert imported.isdisjoint({"mock", "unittest", "unittest.mock", "MagicMock"})


@pytest.mark.parametrize("path", TESTS, ids=named)
def test_no_test_sleeps(path: Path) -> None:
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }

    assert "time.sleep" not in calls or named(path) in SLEEPERS


@EVERY_FILE
def test_nothing_is_left_to_do(path: Path) -> None:
    marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]

    assert not [mark for mark in marks if mark in path.read_text()]


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


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))
def test_an_operation_says_what_it_does_in_a_sentence(operation: object) -> None:
    summary: str = getattr(operation, "summary")  # noqa: B009
    assert summary.endswith(".")
    assert summary[0].isupper()


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_is_named_noun_and_verb(name: str) -> None:
    noun, dot, verb = name.partition(".")

    assert dot
    assert f"{noun}{verb}".replace("-", "").isalpha()


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
