"""`mainspring run -- COMMAND`: nothing about the command changes, and everything about it is known."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import venv
from pathlib import Path

import pytest

from tests.journeys.commands import DEADLINE_S, PYTHON, RUN, Place
from tests.journeys.conftest import started

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty folder, and a home that is made when it is needed."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Place(folder, tmp_path / "home")


TALKS = """
import sys
print("to people")
print("password = 'hunter2'")
for done in (10, 50, 100):
    sys.stderr.write(f"\\r{done}%")
sys.stderr.write("\\nto logs\\n")
print(sys.stdin.read().upper())
sys.exit(int(sys.argv[1]))
"""


def test_a_command_is_passed_through_and_recorded(place: Place) -> None:
    name = place.script(TALKS)

    done = place.run(
        PYTHON, name, "3", options=["--name", "first", "--tag", "team=delays"], said="in"
    )

    assert done.returncode == 3
    assert done.stdout == "to people\npassword = 'hunter2'\nIN\n"
    assert "\n10%\n50%\n100%\nto logs\n" in done.stderr  # in text, a return reads as a line end
    run = place.only()
    assert (run.name, run.status, run.tags) == ("first", "failed", {"team": "delays"})
    assert place.printed("stdout") == "to people\npassword = '[redacted]'\nIN\n"
    assert place.printed("stderr") == "100%\nto logs\n"
    assert (run.code["entry_point"], run.code["arguments"]) == ("train.py", ["3"])
    assert run.environment["packages"]["mainspring"]
    ours = [line for line in done.stderr.splitlines() if line.startswith("mainspring: ")]
    assert ours[0] == f"mainspring: recording run {run.id}"
    assert ours[1:] == [f"mainspring: run {run.id} has failed: mainspring runs show {run.id}"]


@pytest.mark.parametrize(
    ("script", "code", "status"),
    [
        ("exit 0", 0, "finished"),
        ("exit 41", 41, "failed"),
        ("kill -9 $$", 137, "killed"),
        ("kill -TERM $$", 143, "killed"),
    ],
)
def test_the_exit_code_is_the_commands(place: Place, script: str, code: int, status: str) -> None:
    done = place.run("bash", "-c", script, options=["-q"])

    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
    assert place.only().status == status


def test_a_command_that_is_not_there_ends_as_in_a_shell(place: Place) -> None:
    done = place.run("no-such-command")

    assert done.returncode == 127
    assert "error: no command 'no-such-command'" in done.stderr
    assert "fix: " in done.stderr
    assert "Traceback" not in done.stderr
    assert place.only().status == "failed"


def test_a_file_that_cannot_be_run_ends_as_in_a_shell(place: Place) -> None:
    done = place.run(f"./{place.script('print()')}")

    assert done.returncode == 126
    assert "Permission denied" in done.stderr


def test_parameters_are_configuration_and_reach_the_command(place: Place) -> None:
    name = place.script(
        "import json, os, sys\nprint(sys.argv[1:], json.loads(os.environ['MAINSPRING_PARAMS']))\n"
    )
    given = ["rate=0.1", "depth=6", "kind=tree", "fast=true", "api_key=hunter2", "layers=[1, 2]"]
    options = [word for entry in given for word in ("-p", entry)]

    done = place.run(
        PYTHON, name, "--rate={rate}", "{depth}", "{other}", "{api_key}", options=options
    )

    params = {"rate": 0.1, "depth": 6, "kind": "tree", "fast": True, "layers": [1, 2]}
    words = ["--rate=0.1", "6", "{other}", "hunter2"]
    assert done.stdout == f"{words} {params | {'api_key': 'hunter2'}}\n".replace(
        "'layers': [1, 2], 'api_key': 'hunter2'", "'api_key': 'hunter2', 'layers': [1, 2]"
    )
    run = place.only()
    assert run.config == params | {"api_key": "[redacted]"}
    assert run.code["arguments"] == ["--rate=0.1", "6", "{other}", "[redacted]"]


def test_an_entry_without_a_sign_is_a_usage_error_and_runs_nothing(place: Place) -> None:
    done = place.run("touch", "ran", options=["-p", "rate"])

    assert done.returncode == 2
    assert "KEY=VALUE" in done.stderr
    assert not (place.folder / "ran").exists()
    assert not place.home.exists()


JOINS = """
import mainspring as ms
with ms.run(config={"depth": 6}) as run:
    for step in range(3):
        run.log({"loss": 1 / (step + 1)}, step=step)
    print(run.id)
"""


def test_a_script_that_logs_by_itself_joins_the_run(place: Place) -> None:
    done = place.run(PYTHON, place.script(JOINS), options=["-p", "rate=0.1"])

    run = place.only()
    assert done.stdout == f"{run.id}\n"
    assert run.status == "finished"
    assert run.config == {"rate": 0.1, "depth": 6}
    assert [(one.key, one.count) for one in run.metrics if one.key == "loss"] == [("loss", 3)]
    assert run.code["entry_point"] == "train.py"
    assert place.printed("stdout") == f"{run.id}\n"


TRAINS = """
import mainspring as ms
with ms.run() as run:
    run.log_dataset({"x": [1, 2], "label": [0, 1]}, name="tiny", keep=False)
    print("reused" if run.reused else "trained")
"""


def test_a_command_that_was_tried_is_recognised_by_its_code_its_configuration_and_its_data(
    place: Place,
) -> None:
    name = place.script(TRAINS)

    first = place.run(PYTHON, name, options=["-p", "rate=0.1"])
    tried = place.only().id
    again = place.run(PYTHON, name, options=["-p", "rate=0.1"])
    other = place.run(PYTHON, name, options=["-p", "rate=0.2"])
    reused = place.run(PYTHON, name, options=["-p", "rate=0.1", "--on-duplicate", "reuse"])
    stopped = place.run(PYTHON, name, options=["-p", "rate=0.1", "--on-duplicate", "stop"])

    assert [done.stdout for done in (first, again, other)] == ["trained\n"] * 3
    assert "had the same configuration, code and data" not in first.stderr + other.stderr
    assert f"run {tried[:8]}" in again.stderr
    assert reused.stdout == "reused\n"
    assert stopped.returncode == 1
    assert "AlreadyTried" in stopped.stderr


LEARNS = """
import lightgbm
import numpy
rows = numpy.random.default_rng(0).normal(size=(200, 3))
late = (rows[:, 0] > 0).astype(int)
for leaves in (4, 8):
    lightgbm.train(
        {"objective": "binary", "verbose": -1, "num_leaves": leaves, "num_threads": 1},
        lightgbm.Dataset(rows, late), num_boost_round=5,
    )
"""


def test_what_an_unmodified_script_trains_is_recorded_in_the_commands_run(place: Place) -> None:
    done = place.run(PYTHON, place.script(LEARNS), options=["--name", "mine"])

    assert (done.returncode, done.stdout) == (0, "")
    run = place.only()
    assert (run.name, run.status) == ("mine", "finished")
    assert run.params["num_leaves"] == "4"
    assert [value for key, value in run.params.items() if key.endswith(".num_leaves")] == ["8"]
    assert len(run.models) == 2
    assert {one.rows for one in run.datasets} == {200}


def test_the_processes_of_the_command_are_measured(place: Place) -> None:
    burns = "import time\nend = time.time() + 2.5\nwhile time.time() < end:\n    sum(range(1000))\n"

    place.run(PYTHON, place.script(burns))

    metrics = {one.key: one for one in place.only().metrics}
    assert {"system/cpu_percent", "system/memory_mb"} <= set(metrics)


def test_python_programs_that_train_nothing_hardly_notice(place: Place) -> None:
    shadowed = place.folder / "site"
    shadowed.mkdir()
    (shadowed / "sitecustomize.py").write_text("print('the other one runs')\n")
    name = place.script(
        "import subprocess, sys\n"
        "print(sorted(name for name in sys.modules if name.startswith('mainspring.')))\n"
        "print('numpy' in sys.modules, 'msgspec' in sys.modules)\n"
        "subprocess.run([sys.executable, '-c', 'print(1)'], check=True)\n"
        "subprocess.run([sys.executable, '-I', '-c', 'print(2)'], check=True)\n"
    )

    done = place.run(PYTHON, name, PYTHONPATH=str(shadowed))

    assert done.stdout.splitlines()[0] == "the other one runs"
    assert done.stdout.splitlines()[-1] == "2"
    assert "False False" in done.stdout
    assert "interfaces" not in done.stdout
    assert done.returncode == 0


def test_processes_that_work_for_another_are_left_alone(place: Place) -> None:
    name = place.script(
        "import multiprocessing, sys\n"
        "def waits(_):\n"
        "    return 'mainspring.recording.importing' in sys.modules\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(waits(0), pool.map(waits, [0]))\n"
    )

    done = place.run(PYTHON, name)

    assert done.stdout == "True [False]\n"


def test_a_python_that_has_no_mainspring_runs_and_tells_its_packages(
    place: Place, tmp_path: Path
) -> None:
    venv.create(tmp_path / "other", with_pip=False, symlinks=True)
    other = str(tmp_path / "other" / "bin" / "python")

    done = place.run(other, place.script("import sys\nprint(sys.prefix)\n"))

    assert done.stdout == f"{tmp_path / 'other'}\n"
    run = place.only()
    assert run.environment["executable"] == other
    assert "mainspring" not in run.environment["packages"]


def test_without_autologging_the_python_path_is_left_alone(place: Place) -> None:
    name = place.script(
        "import os\nprint(os.environ.get('PYTHONPATH'), 'MAINSPRING_AUTOLOG' in os.environ)\n"
    )

    done = place.run(PYTHON, name, options=["--no-autolog"], PYTHONPATH="/somewhere")

    assert done.stdout == "/somewhere False\n"


def test_tracking_that_fails_does_not_fail_the_command(place: Place) -> None:
    place.home.write_text("a file is no home")

    done = place.run(PYTHON, place.script("print('trained')\nraise SystemExit(5)\n"))

    assert (done.returncode, done.stdout) == (5, "trained\n")
    assert "mainspring: the command is not recorded" in done.stderr


def test_a_server_that_is_away_does_not_hold_the_command_up(place: Place) -> None:
    done = place.run(
        PYTHON, place.script("print('trained')\n"),
        MAINSPRING_URL="http://127.0.0.1:1", MAINSPRING_TOKEN="msp_x",
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert "mainspring sync" in done.stderr


def test_with_a_server_the_run_arrives_there(place: Place) -> None:
    place.home.mkdir()
    with started(place.home) as server:
        done = place.run(PYTHON, place.script(JOINS))
        run = place.only()

    assert done.returncode == 0
    assert run.status == "finished"
    assert f"recording run {run.id} at {server.url}" in done.stderr


def test_a_process_left_in_the_background_is_not_waited_for(place: Place) -> None:
    done = place.run("bash", "-c", "sleep 300 & echo $!; exit 4")

    os.kill(int(done.stdout), signal.SIGKILL)
    assert done.returncode == 4


def test_a_reader_that_has_gone_ends_the_command_as_ever(place: Place) -> None:
    line = f"{' '.join(RUN)} -q -- bash -c 'while :; do echo y || exit 9; done' | head -n 2"

    done = subprocess.run(
        ["bash", "-c", f'set -o pipefail; {line}; echo "${{PIPESTATUS[0]}}"'],
        cwd=place.folder, env=place.environment(), capture_output=True, text=True, check=False,
        timeout=DEADLINE_S,
    )  # fmt: skip

    assert done.stdout in ("y\ny\n141\n", "y\ny\n9\n")


def test_help_tells_what_is_to_be_known(place: Place) -> None:
    done = subprocess.run([*RUN, "--help"], capture_output=True, text=True, check=True, timeout=60)

    assert "-- COMMAND..." in done.stdout
    assert "MAINSPRING_PARAMS" in json.dumps(done.stdout)


@pytest.mark.parametrize(
    ("options", "name"), [([], "DummyClassifier"), (["--name", "given"], "given")]
)
def test_a_run_that_was_given_a_name_keeps_it(place: Place, options: list[str], name: str) -> None:
    place.script(
        "from sklearn.dummy import DummyClassifier\nDummyClassifier().fit([[0], [1]], [0, 1])\n"
    )

    done = place.run(PYTHON, "train.py", options=options)

    assert done.returncode == 0, done.stderr
    assert place.only().name == name
