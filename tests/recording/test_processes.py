"""Forks, threads, pools, ranks and ends: one run, no value lost, none doubled, and the state is right."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from mainspring.recording.records import Values, decode
from mainspring.recording.spool import folders, read_frames
from tests.recording.scripts import Place

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder for scripts."""
    return Place(tmp_path)


def test_a_script_without_a_word_about_its_end_has_finished(place: Place) -> None:
    ended = place.ran("""
        import mainspring as ms
        ms.init(project="delays", config={"rate": 0.1})
        for step in range(10):
            ms.log({"loss": step})
        print("done")
    """)

    assert (ended.code, ended.printed, ended.errors) == (0, "done\n", "")
    run = place.only()
    assert (run["status"], run["params"]) == ("finished", {"rate": "0.1"})
    assert run["points"] == {"loss": [(step, float(step)) for step in range(10)]}
    assert not place.waiting()


@pytest.mark.parametrize(
    ("ending", "code", "status"),
    [
        ("raise ValueError('boom')", 1, "failed"),
        ("sys.exit(3)", 3, "failed"),
        ("sys.exit('no data')", 1, "failed"),
        ("sys.exit(0)", 0, "finished"),
        ("raise KeyboardInterrupt", 130, "killed"),
        ("os.kill(os.getpid(), signal.SIGTERM); threading.Event().wait(9)", 143, "killed"),
        ("os.kill(os.getpid(), signal.SIGINT); threading.Event().wait(9)", 130, "killed"),
    ],
)
def test_the_state_says_how_the_process_ended(
    place: Place, ending: str, code: int, status: str
) -> None:
    ended = place.ran(f"""
        import os, signal, sys, threading
        import mainspring as ms
        run = ms.init()
        run.log({{"loss": 0.5}})
        {ending}
    """)

    assert ended.code in (code, -(code - 128))
    assert "mainspring/recording" not in ended.errors
    run = place.only()
    assert (run["status"], run["points"]) == (status, {"loss": [(0, 0.5)]})


def test_after_kill_nine_everything_that_a_call_returned_from_is_there(place: Place) -> None:
    script = """
        import os, signal
        from pathlib import Path
        import mainspring as ms
        Path("report.txt").write_text("well")
        run = ms.run("killed", config={"depth": 6})
        run.log_artifact("report.txt")
        for step in range(5000):
            run.log({"loss": step}, step=step)
        run.set_tags({"last": "word"})
        os.kill(os.getpid(), signal.SIGKILL)
    """
    with place.started(script) as process:
        process.wait(30)
    assert process.returncode == -signal.SIGKILL

    synced = place.synced()

    run = place.only()
    assert synced.shipped in ([run["id"]], [])  # whoever came first has taken it in
    assert run["status"] == "running"  # until it has been silent for too long
    assert (run["params"], run["tags"]) == ({"depth": "6"}, {"last": "word"})
    assert set(run["artifacts"]) == {"report.txt"}
    assert run["points"] == {"loss": [(step, float(step)) for step in range(5000)]}
    assert not place.waiting()


def test_threads_share_a_run_and_its_steps(place: Place) -> None:
    ended = place.ran("""
        import threading
        import mainspring as ms
        with ms.run("threads") as run:
            def log(number):
                for step in range(500):
                    run.log({f"thread-{number}": step, "all": step}, step=step)
            threads = [threading.Thread(target=log, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    """)

    assert (ended.code, ended.errors) == (0, "")
    points = place.only()["points"]
    for number in range(4):
        assert points[f"thread-{number}"] == [(step, float(step)) for step in range(500)]
    assert len(points["all"]) == 2000


def test_of_ranks_that_train_together_the_first_records(place: Place) -> None:
    script = """
        import os
        import mainspring as ms
        with ms.run("together", config={"rate": 0.1}) as run:
            for step in range(20):
                run.log({"loss": step}, step=step)
            run.log_text("well", "report.txt")
    """
    ranks = [
        place.started(script, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="3")
        for rank in range(3)
    ]
    for process in ranks:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")

    run = place.only()
    assert run["status"] == "finished"
    assert run["points"] == {"loss": [(step, float(step)) for step in range(20)]}
    assert set(run["artifacts"]) == {"report.txt"}


def test_a_run_inside_a_run_is_part_of_it(place: Place) -> None:
    ended = place.ran("""
        import subprocess, sys
        import mainspring as ms
        with ms.run("outer") as outer:
            with ms.run("inner") as inner:
                inner.log({"loss": 1})
                ms.log({"loss": 2})
            ms.log({"auc": 0.7})
        with ms.run("beside"):
            code = "import mainspring as ms; ms.run('started').finish()"
            subprocess.run([sys.executable, "-c", code], check=True)
    """)

    assert (ended.code, ended.errors) == (0, "")
    runs = {run["name"]: run for run in place.runs()}
    assert runs["inner"]["parent"] == runs["outer"]["id"]
    assert runs["started"]["parent"] == runs["beside"]["id"]
    assert runs["beside"]["parent"] is None
    assert runs["inner"]["points"] == {"loss": [(0, 1.0), (1, 2.0)]}
    assert runs["outer"]["points"] == {"auc": [(0, 0.7)]}


def test_a_run_goes_on_where_it_was(place: Place) -> None:
    place.ran("""
        import mainspring as ms
        with ms.run("long", id="0123456789abcdef0123456789abcdef") as run:
            for _ in range(3):
                run.log({"loss": 1.0})
    """)

    ended = place.ran("""
        import mainspring as ms
        with ms.run(resume="0123456789abcdef0123456789abcdef") as run:
            for _ in range(3):
                run.log({"loss": 2.0})
    """)

    assert (ended.code, ended.errors) == (0, "")
    run = place.only()
    assert (run["name"], run["status"]) == ("long", "finished")
    assert run["points"]["loss"] == [(0, 1.0), (1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0), (5, 2.0)]


def test_a_run_goes_on_where_it_was_though_no_server_could_say_where(place: Place) -> None:
    away = {"MAINSPRING_URL": "http://127.0.0.1:9", "MAINSPRING_FINISH_TIMEOUT": "1"}
    script = """
        import sys
        import mainspring as ms
        words = {"resume": sys.argv[1]} if len(sys.argv) > 1 else {}
        run = ms.run(id=None if words else "0123456789abcdef0123456789abcdef", **words)
        for _ in range(3):
            run.log({"loss": 1.0})
        run.finish()
    """
    away |= {"MAINSPRING_TOKEN": "msp_" + "0" * 40}
    first = place.ran(script, **away)
    again = place.ran(script, "0123456789abcdef0123456789abcdef", **away)

    assert first.errors.count("mainspring sync") == again.errors.count("mainspring sync") == 1
    (waiting,) = folders(place.home / "spool")
    steps = [
        record.step
        for segment in waiting.segments()
        for payload, _ in read_frames(segment, 0, 10**6)
        if isinstance(record := decode(payload), Values) and "loss" in record.values
    ]
    assert sorted(steps) == list(range(6))


def test_nothing_is_recorded_where_it_is_disabled(place: Place) -> None:
    ended = place.ran(
        """
        import mainspring as ms
        with ms.run("off", config={"rate": 0.1}) as run:
            ms.log({"loss": 1})
            assert run.config.rate == 0.1
            run.log_text("well", "report.txt")
        print(run.over)
        """,
        MAINSPRING_MODE="disabled",
    )

    assert (ended.code, ended.printed, ended.errors) == (0, "True\n", "")
    assert not place.waiting()
    assert not place.runs()


def test_offline_runs_wait_until_they_are_asked_for(place: Place) -> None:
    ended = place.ran("""
        import mainspring as ms
        run = ms.init(name="train", mode="offline", entity="us", config={"rate": 0.1})
        ms.log({"loss": 1})
        ms.config.update({"depth": 6})
        run.summary["best"] = 0.7
        ms.finish()
    """)

    assert ended.code == 0
    assert "entity: not used here" in ended.errors
    assert len(place.waiting()) == 1
    assert len(place.synced().shipped) == 1
    run = place.only()
    assert run["params"] == {"rate": "0.1", "depth": "6"}
    assert run["config"] == {"rate": 0.1, "depth": 6}
    assert run["points"] == {"loss": [(0, 1.0)], "best": [(1, 0.7)]}


@pytest.mark.parametrize("limited", ["spool", "file"])
def test_a_full_disk_is_said_once_and_the_training_goes_on(place: Place, limited: str) -> None:
    more = {"MAINSPRING_SPOOL_LIMIT_MB": "1"} if limited == "spool" else {}
    ended = place.ran(
        """
        import resource, signal, sys
        import mainspring as ms
        run = ms.init(mode="offline")
        run.log({"loss": 0.5}, step=0)
        if sys.argv[1] == "file":
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        for step in range(1, 40_000):
            run.log({"loss": 0.5, "a metric with a long name": 1.0}, step=step)
        print("trained")
        run.finish()
        """,
        limited,
        **more,
    )

    assert (ended.code, ended.printed) == (0, "trained\n")
    assert ended.errors.count("nothing more is recorded") == 1
    assert "training goes on" in ended.errors
    place.synced()
    points = place.only()["points"]["loss"]
    assert 1000 < len(points) < 39_000
    assert points == [(step, 0.5) for step in range(len(points))]
    written = sum(path.stat().st_size for path in place.home.rglob("*.wal"))
    assert written < 2 * 2**20


def test_runs_of_a_process_that_may_write_nowhere_do_not_end_it(place: Place) -> None:
    place.home.write_text("no folder")

    ended = place.ran("""
        import mainspring as ms
        try:
            ms.init()
        except ms.MainspringError as error:
            print(type(error).__name__)
    """)

    assert (ended.code, ended.printed) == (0, "Invalid\n")


def test_a_run_under_pytest_leaves_no_thread_and_no_word(place: Place) -> None:
    (place.folder / "test_training.py").write_text(
        "import threading\n"
        "import mainspring as ms\n"
        "def test_training(tmp_path):\n"
        "    with ms.run('tested') as run:\n"
        "        run.log({'loss': 1.0})\n"
        "    run.log({'late': 1.0})\n"
        "def test_another():\n"
        "    assert ms.active_run() is None\n"
        "    names = {one.name for one in threading.enumerate()}\n"
        "    assert not {one for one in names if one.startswith('mainspring-c')}\n"
    )

    ended = place.ran("""
        import sys, pytest
        sys.exit(pytest.main(["-q", "-W", "error", "-p", "no:cacheprovider", "test_training.py"]))
    """)

    assert ended.code == 0, ended.printed
    assert "2 passed" in ended.printed
    assert ended.errors == ""
    run = place.only()
    assert (run["status"], run["points"]) == ("finished", {"loss": [(0, 1.0)]})


def test_temporary_folders_are_there_until_the_run_has_ended(place: Place) -> None:
    ended = place.ran("""
        import tempfile
        from pathlib import Path
        import mainspring as ms
        run = ms.init()
        folder = tempfile.TemporaryDirectory()
        report = Path(folder.name) / "report.txt"
        report.write_text("well")
        run.observers.add(stop=lambda: run.log_artifact(report))
    """)

    assert (ended.code, ended.errors) == (0, "")
    assert set(place.only()["artifacts"]) == {"report.txt"}


def test_a_parent_that_was_named_is_nobody_elses(place: Place) -> None:
    ended = place.ran("""
        import mainspring as ms
        with ms.run("first") as first:
            pass
        with ms.run("part of it", parent=first.id):
            pass
        with ms.run("alone"):
            pass
    """)

    assert (ended.code, ended.errors) == (0, "")
    runs = {run["name"]: run for run in place.runs()}
    assert runs["part of it"]["parent"] == runs["first"]["id"]
    assert runs["alone"]["parent"] is None
