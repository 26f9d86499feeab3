"""The command line as a process: what it loads, how it ends, what it says when it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from mainspring import __version__

MAINSPRING = (sys.executable, "-m", "mainspring")
HEAVY = (
    "msgspec",
    "httpx2",
    "cryptography",
    "sqlalchemy",
    "numpy",
    "starlette",
    "mainspring.stages",
)
LOADED = """
import sys
from mainspring.interfaces.cli.program import main
code = main(sys.argv[1:])
print("modules:", *sorted(sys.modules))
sys.exit(code)
"""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return _run([*MAINSPRING, *arguments], environment)


def _run(command: list[str], extra: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if "MAINSPRING" not in name}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={**kept, **extra}
    )


def modules_after(*arguments: str) -> set[str]:
    """What is loaded once the command has run."""
    done = _run([sys.executable, "-c", LOADED, *arguments], {})
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("modules:")[2].split())


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), (), ("--version",)])
def test_help_loads_neither_contracts_nor_what_they_need(arguments: tuple[str, ...]) -> None:
    assert not modules_after(*arguments) & set(HEAVY)


def test_the_help_of_a_noun_loads_its_own_contract_alone() -> None:
    loaded = modules_after("runs", "--help")

    assert [name for name in loaded if name.endswith(".contract")] == [
        "mainspring.tracking.contract"
    ]
    assert not loaded & {"httpx2", "sqlalchemy", "numpy", "mainspring.interfaces.sdk.connection"}


def test_without_a_word_it_shows_the_help_and_is_content() -> None:
    done = run()

    assert done.returncode == 0
    assert done.stdout.startswith("Usage: mainspring")
    assert done.stdout == run("--help").stdout


def test_it_tells_its_version() -> None:
    assert run("--version").stdout == f"mainspring {__version__}\n"


def test_an_unknown_word_is_a_usage_error_that_names_the_nearest() -> None:
    done = run("evnts", "list")

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: no such command 'evnts'",
        "fix: did you mean events? else: mainspring --help",
        "code: MS-1001",
    ]


def test_an_unknown_option_names_the_nearest() -> None:
    done = run("up", "--prot", "1")

    assert done.returncode == 2
    assert "did you mean --port" in done.stderr


def test_a_port_out_of_range_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    done = run("up", "--port", "70000", "--home", str(tmp_path / "home"))

    assert done.returncode == 2
    assert "70000" in done.stderr
    assert not (tmp_path / "home").exists()


def test_with_json_an_error_is_an_object_on_stderr() -> None:
    done = run("evnts", "--json")

    assert done.returncode == 2
    assert json.loads(done.stderr)["code"] == "MS-1001"


def test_a_server_that_is_away_is_told_at_once() -> None:
    done = run("runs", "list", "--url", "http://127.0.0.1:1", "--token", "x")

    assert done.returncode == 7
    assert done.stderr.startswith("error: nothing answers at http://127.0.0.1:1")
    assert "Traceback" not in done.stderr


def test_a_traceback_is_shown_only_when_asked_for() -> None:
    done = run("runs", "list", "-v", "--url", "http://127.0.0.1:1", "--token", "x")

    assert done.returncode == 7
    assert "Traceback" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as output:
        done = subprocess.run(
            [*MAINSPRING, "--help"], stdout=output, stderr=subprocess.PIPE, text=True, check=False
        )

    assert (done.returncode, done.stderr) == (0, "")


def test_explain_needs_no_server_and_no_home(tmp_path: Path) -> None:
    done = run("explain", "ms-1007", MAINSPRING_HOME=str(tmp_path / "home"))

    assert done.returncode == 0
    assert "exit_code: 3" in done.stdout
    assert not (tmp_path / "home").exists()


def test_explain_names_the_nearest_code() -> None:
    done = run("explain", "MS-1105")

    assert done.returncode == 4
    assert "did you mean 'MS-1" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_completion(shell: str) -> None:
    done = run("completion", shell)

    assert done.returncode == 0
    assert "_MAINSPRING_COMPLETE" in done.stdout


def test_completion_offers_verbs_of_a_noun() -> None:
    done = run(
        COMP_WORDS="mainspring model v", COMP_CWORD="2", _MAINSPRING_COMPLETE="bash_complete"
    )

    assert done.stdout.split() == ["plain,version", "plain,versions"]


def test_looking_at_a_home_that_is_not_there_makes_none(tmp_path: Path) -> None:
    status = run("status", "--home", str(tmp_path / "home"), "--json")
    doctor = run("doctor", "--home", str(tmp_path / "home"), "--port", "65000")

    assert json.loads(status.stdout)["deployments"] == []
    assert doctor.returncode == 0, doctor.stdout
    assert not (tmp_path / "home").exists()


def test_down_without_a_server_says_so_and_is_content(tmp_path: Path) -> None:
    done = run("down", "--home", str(tmp_path))

    assert done.returncode == 0
    assert "no server runs" in done.stderr
