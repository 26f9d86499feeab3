"""Children that a training forks, and workers of its pools: they take part, and nothing of ours hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.conftest import started
from tests.recording.scripts import Place

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder for scripts."""
    return Place(tmp_path)


def test_a_forked_child_takes_part_in_the_run(place: Place) -> None:
    ended = place.ran("""
        import os
        import mainspring as ms
        with ms.run("around") as run:
            run.log({"parent": 1}, step=0)
            children = []
            for number in range(3):
                child = os.fork()
                if child == 0:
                    for step in range(100):
                        run.log({f"child-{number}": step}, step=step)
                    os._exit(0)
                children.append(child)
            for child in children:
                os.waitpid(child, 0)
            run.log({"parent": 2}, step=1)
    """)

    assert (ended.code, ended.errors) == (0, "")
    run = place.only()
    assert run["status"] == "finished"
    assert run["points"]["parent"] == [(0, 1.0), (1, 2.0)]
    for number in range(3):
        points = [(step, float(step)) for step in range(100)]
        assert run["points"][f"child-{number}"] == points


def test_a_child_that_forks_while_others_log_does_not_hang(place: Place) -> None:
    ended = place.ran("""
        import os, threading
        import mainspring as ms
        with ms.run("busy") as run:
            ending = threading.Event()
            def log():
                while not ending.is_set():
                    run.log({"busy": 1.0})
            threads = [threading.Thread(target=log) for _ in range(2)]
            for thread in threads:
                thread.start()
            for number in range(20):
                child = os.fork()
                if child == 0:
                    run.log({"children": number}, step=number)
                    os._exit(0)
                os.waitpid(child, 0)
            ending.set()
            for thread in threads:
                thread.join()
    """)

    assert (ended.code, ended.errors) == (0, "")
    run = place.only()
    assert run["points"]["children"] == [(number, float(number)) for number in range(20)]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_a_pool_take_part_in_the_run(place: Place, method: str) -> None:
    ended = place.ran(
        """
        import multiprocessing, sys
        import mainspring as ms
        def work(number):
            ms.log({f"worker-{number}": number}, step=number)
        if __name__ == "__main__":
            with ms.run("around") as run:
                with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
                    pool.map(work, range(6))
                run.log({"parent": 1})
        """,
        method,
    )

    assert (ended.code, ended.errors) == (0, "")
    run = place.only()
    assert run["status"] == "finished"
    assert run["points"] == {
        "parent": [(0, 1.0)],
        **{f"worker-{number}": [(number, float(number))] for number in range(6)},
    }


def test_forked_workers_can_be_ended_as_ever(place: Place) -> None:
    ended = place.ran("""
        import os, signal
        import mainspring as ms
        run = ms.init()
        child = os.fork()
        if child == 0:
            os._exit(0 if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)

    assert (ended.code, ended.printed, ended.errors) == (0, "0\n", "")


def test_a_child_can_import_what_a_thread_of_ours_was_importing(place: Place) -> None:
    (place.folder / "slow.py").write_text(
        "import threading\nthreading.Event().wait(0.5)\nvalue = 7\n"
    )

    ended = place.ran("""
        import os, threading
        from mainspring.recording.forking import importing
        begun = threading.Event()
        def work():
            with importing():
                begun.set()
                import slow
        thread = threading.Thread(target=work)
        thread.start()
        begun.wait()
        child = os.fork()
        if child == 0:
            import slow
            os._exit(slow.value)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        thread.join()
    """)

    assert (ended.code, ended.printed, ended.errors) == (0, "7\n", "")


FORKED_RUNS = """
    import os
    import mainspring as ms
    with ms.run("outer") as outer:
        outer.log({"loss": 1.0})
        outer.flush()  # the connection is open now
        children = []
        for number in range(3):
            child = os.fork()
            if child == 0:
                with ms.run(f"inner {number}") as run:
                    for step in range(50):
                        run.log({"loss": number}, step=step)
                assert len(ms.Client().runs().to_dict()["id"]) > 0
                os._exit(0)
            children.append(child)
        for step in range(50):
            outer.log({"loss": 2.0})
        print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""


def test_forked_children_may_have_runs_of_their_own(place: Place) -> None:
    ended = place.ran(FORKED_RUNS)

    assert (ended.code, ended.printed) == (0, "[0, 0, 0]\n")
    runs = {run["name"]: run for run in place.runs()}
    assert [len(runs[f"inner {number}"]["points"]["loss"]) for number in range(3)] == [50] * 3
    assert {run["status"] for run in runs.values()} == {"finished"}
    assert {runs[f"inner {number}"]["parent"] for number in range(3)} == {runs["outer"]["id"]}
    assert len(runs["outer"]["points"]["loss"]) == 51


def test_forked_children_of_a_script_with_a_server_may_have_runs_of_their_own(place: Place) -> None:
    place.home.mkdir()
    with started(place.home) as server:
        token = (place.home / "token").read_text().strip()
        ended = place.ran(FORKED_RUNS, MAINSPRING_URL=server.url, MAINSPRING_TOKEN=token)
        assert (ended.code, ended.printed) == (0, "[0, 0, 0]\n")
        runs = place.runs()

    assert sorted(len(run["points"]["loss"]) for run in runs) == [50, 50, 50, 51]
    assert {run["status"] for run in runs} == {"finished"}
