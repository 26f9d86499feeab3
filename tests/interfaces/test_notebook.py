"""`%load_ext mainspring`: the cells of a notebook are the code of its runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mainspring.interfaces.sdk.client import Client
from mainspring.tracking import contract
from mainspring.tracking.contract import NameRun, Run

pytestmark = pytest.mark.slow

SHELL = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in json.load(sys.stdin):
    shell.run_cell(cell, store_history=True).raise_error()
"""
NOTEBOOK = """
import json, sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in json.load(sys.stdin)])
NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
for cell in notebook.cells:
    for output in cell.outputs:
        print(output.get("text", ""), end="")
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of the notebook's runs."""
    return tmp_path / "home"


def executed(program: str, cells: list[str], home: Path) -> str:
    plain = {name: value for name, value in os.environ.items() if "MAINSPRING" not in name}
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(cells),
        env={**plain, "MAINSPRING_HOME": str(home), "IPYTHONDIR": str(home.parent / "ipython")},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
        cwd=home.parent,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def recorded(home: Path) -> dict[str, Run]:
    """The runs by their names."""
    client = Client(home)
    names = [run.id for run in client.call(contract.list_runs, contract.ListRuns()).items]
    found = [client.call(contract.show_run, NameRun(run=name)) for name in names]
    client.close()
    return {run.name: run for run in found}


def text_of(home: Path, run: Run, path: str) -> str:
    client = Client(home)
    file = next(one for one in run.artifacts if one.path == path)
    text = b"".join(client.files.download(file.digest)).decode()
    client.close()
    return text


CELLS = [
    "%load_ext mainspring",
    "import mainspring as ms\napi_key = 'hunter2'",
    "run = ms.init(name='whole')\nms.log({'auc': 0.7})",
    "print('in a cell')",
    "ms.finish()",
    "with ms.run('single') as one:\n    one.log({'auc': 0.8})",
    "print('after')",
]


@pytest.mark.parametrize("program", [SHELL, NOTEBOOK], ids=["shell", "kernel"])
def test_the_cells_that_were_executed_are_kept_with_the_run(program: str, home: Path) -> None:
    executed(program, CELLS, home)

    runs = recorded(home)
    whole, single = runs["whole"], runs["single"]

    kept = text_of(home, whole, "code/cells.py")
    assert [line for line in kept.splitlines() if line.startswith("# %%")] == [
        f"# %% [{number}]" for number in range(1, 6)
    ]
    assert "ms.finish()" in kept
    assert "hunter2" not in kept
    assert "single" in text_of(home, single, "code/cells.py")
    assert whole.code["cells"] == 3
    assert single.code["cells"] == 6
    assert "entry_point" not in whole.code


def test_what_is_printed_in_cells_is_kept(home: Path) -> None:
    assert "in a cell" in executed(NOTEBOOK, CELLS, home)

    whole = recorded(home)["whole"]
    printed = [one.path for one in whole.artifacts if one.path.startswith("console/stdout")]
    assert "in a cell" in text_of(home, whole, printed[0])


def test_the_same_cells_are_the_same_code_and_others_are_not(home: Path) -> None:
    def digest(cells: list[str], place: str) -> Any:
        executed(SHELL, cells, home.parent / place)
        return recorded(home.parent / place)["whole"].code["digest"]

    first = digest(CELLS, "first")

    assert digest(CELLS, "second") == first
    assert digest([*CELLS[:2], "rate = 0.2", *CELLS[2:]], "third") != first


def test_trainings_are_followed_from_then_on(home: Path) -> None:
    cells = ["%load_ext mainspring", "from mainspring.interfaces.sdk.words import _Session",
             "print('followed', _Session.autolog is not None)", "%unload_ext mainspring"]  # fmt: skip

    assert "followed True" in executed(SHELL, cells, home)
