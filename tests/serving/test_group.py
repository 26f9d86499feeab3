"""Several processes behind one port: they are replaced, told, counted and stopped as one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from mainspring.engines.source import digest_of
from mainspring.serving.group import GroupState, read_state
from mainspring.serving.heartbeat import READY, Heartbeats
from mainspring.serving.metrics import Counts

from . import python_models
from .data_plane import INFER, PREDICT, Plane, row, served, until
from .test_durability import Hammer, _recorded

MOODY = "/v2/models/moody/infer"


def moody(name: str = "Moody") -> dict[str, str]:
    return served(f"{python_models.__name__}:{name}", "1", name.lower())


def numbers(*values: float, **changes: object) -> dict[str, Any]:
    tensor = {"name": "x", "shape": [len(values)], "datatype": "FP64", "data": list(values)}
    return {"inputs": [tensor], **changes}


def state(plane: Plane) -> GroupState:
    return read_state(plane.path)


def replaced(plane: Plane, count: int = 1) -> list[str]:
    """The reasons, once so many processes were replaced and the new ones answer."""
    until(lambda: len(state(plane).restarts) >= count)
    url = f"{plane.client.base_url}/health"
    # On connections of their own: one that is kept may be to the process that goes.
    until(lambda: httpx2.get(url, verify=False).json()["worker"] in plane.workers())
    plane.client.close()
    plane.client = plane.caller()
    return [restart.reason for restart in state(plane).restarts]


def test_a_killed_process_is_replaced_and_nothing_acknowledged_is_lost(
    tmp_path: Path, first_model: Path
) -> None:
    with Plane(tmp_path, [served(first_model)], workers=2) as plane:
        before = plane.workers()
        hammer = Hammer(plane)
        until(lambda: hammer.reached(100))
        os.kill(before[0], signal.SIGKILL)
        assert replaced(plane) == ["it was ended by SIGKILL"]
        assert plane.infer(row(id="after")).status_code == 200
        hammer.stop()

        assert plane.workers()[1] == before[1]
        assert plane.workers()[0] != before[0]
        assert hammer.refused == []
        assert hammer.broken <= 4
        assert plane.stop() == 0

        recorded = _recorded(plane)
    assert {recorded[id_] for id_, _ in hammer.acknowledged} == {1}
    assert max(recorded.values()) == 1


def test_a_stopped_process_is_replaced(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        os.kill(plane.workers()[0], signal.SIGSTOP)

        (reason,) = replaced(plane)

        assert reason.startswith("it was stopped")
        assert plane.infer(row()).status_code == 200


def test_a_call_that_hangs_is_given_up_and_its_process_replaced(
    tmp_path: Path, first_model: Path
) -> None:
    models = [served(first_model), moody()]
    with Plane(tmp_path, models, limits={"predict_seconds": 0.5}) as plane:
        answer = plane.client.post(MOODY, json=numbers(python_models.HANG))
        assert answer.status_code == 504
        assert "there was no answer within 0.5 s" in answer.json()["error"]

        (reason,) = replaced(plane)

        assert reason == "a call of moody 1 has taken longer than 0.5 s"
        assert plane.client.post(MOODY, json=numbers(4)).json()["outputs"][0]["data"] == [8]
        assert plane.infer(row()).status_code == 200


def test_a_model_that_ends_its_process_does_not_end_the_service(tmp_path: Path) -> None:
    with Plane(tmp_path, [moody()]) as plane:
        for count in range(1, 4):
            with pytest.raises(httpx2.TransportError):
                plane.client.post(MOODY, json=numbers(python_models.DIE))
            assert replaced(plane, count) == ["it was ended by SIGABRT"] * count
        assert plane.client.post(MOODY, json=numbers(1)).status_code == 200


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (python_models.RAISE, "the model or the server failed"),
        (python_models.SHORT, "the model or the server failed"),
    ],
)
def test_a_model_that_fails_fails_for_its_request_alone(
    tmp_path: Path, number: float, message: str
) -> None:
    with Plane(tmp_path, [moody()]) as plane, ThreadPoolExecutor(8) as callers:
        asked = [numbers(number if place == 3 else place, 10.0) for place in range(8)]
        answers = list(callers.map(lambda body: plane.client.post(MOODY, json=body), asked))

        statuses = Counter(answer.status_code for answer in answers)
        assert statuses == {200: 7, 500: 1}
        assert message in answers[3].json()["error"]
        assert [answer.json()["outputs"][0]["data"] for answer in answers if answer.is_success] == [
            [2.0 * place, 20.0] for place in range(8) if place != 3
        ]


def test_with_the_leader_its_processes_end_and_the_port_is_free(
    tmp_path: Path, first_model: Path
) -> None:
    with Plane(tmp_path, [served(first_model)], workers=2) as plane:
        workers = plane.workers()
        plane.stop(signal.SIGKILL)

        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
        left = Path(state(plane).run)
        plane.start()
        assert plane.infer(row()).status_code == 200
        assert not left.exists()


def test_a_process_that_never_comes_up_ends_the_group(tmp_path: Path, first_model: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(first_model, damaged)
    (damaged / "model.txt").write_text("tree")
    plane = Plane(tmp_path, [served(first_model), served(damaged, "1", "damaged")], workers=2)

    with pytest.raises(AssertionError, match="no LightGBM model"):
        plane.start()
    assert plane.stop() == 2
    plane.client.close()


def test_one_that_is_killed_while_it_loads_does_not_end_those_that_serve(tmp_path: Path) -> None:
    with Plane(tmp_path, [moody("KilledOnce")], workers=2) as plane:
        assert replaced(plane) == ["it was ended by SIGKILL"]

        assert plane.client.post("/v2/models/killedonce/infer", json=numbers(1)).status_code == 200
        assert len(plane.workers()) == 2


def test_requests_under_way_are_answered_while_it_stops(tmp_path: Path) -> None:
    with Plane(tmp_path, [moody("Slow")], workers=2) as plane, ThreadPoolExecutor(4) as callers:
        asked = [callers.submit(plane.client.post, "/v2/models/slow/infer", json=numbers(700))]
        asked += [callers.submit(plane.client.post, "/v2/models/slow/infer", json=numbers(800))]
        page = f"{plane.client.base_url}/metrics"
        until(
            lambda: (
                _figure(httpx2.get(page, verify=False).text, "mainspring_requests_in_flight") >= 3
            )
        )

        assert plane.stop() == 0

        assert [call.result().status_code for call in asked] == [200, 200]
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(page, verify=False)
        assert not Path(state(plane).run).exists()


@pytest.mark.slow
def test_who_cannot_be_answered_before_the_end_is_told_to_come_again(tmp_path: Path) -> None:
    with Plane(tmp_path, [moody("Slow")]) as plane, ThreadPoolExecutor(4) as callers:
        call = partial(plane.client.post, timeout=60)
        asked = [
            callers.submit(call, "/v2/models/slow/infer", json=numbers(60_000)),
            callers.submit(call, "/predict/slow", json={"x": 60_000}),
        ]
        page = f"{plane.client.base_url}/metrics"
        until(lambda: _figure(httpx2.get(page).text, "mainspring_requests_in_flight") >= 3)

        assert plane.stop() == 0

        for answer in (one.result() for one in asked):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert answer.json()["error"] == "this process is stopping; call again"


def test_a_group_counts_as_one_and_goes_on_after_a_death(tmp_path: Path, first_model: Path) -> None:
    name = 'mainspring_rows_total{model="tumour",version="1"}'
    with Plane(tmp_path, [served(first_model)], workers=2) as plane:
        for _ in range(40):
            # Each on a connection of its own: the kernel shares them out.
            assert httpx2.post(
                f"{plane.client.base_url}{INFER}", json=row(), headers=PREDICT, verify=False
            ).is_success
        page = f"{plane.client.base_url}/metrics"
        assert _figure(httpx2.get(page, verify=False).text, name) == 40
        assert _figure(httpx2.get(page, verify=False).text, "mainspring_log_rows_total") == 40
        kept = [Path(state(plane).run, f"{number}.counts") for number in range(2)]
        until(lambda: sum(_kept_rows(path) for path in kept) == 40)

        os.kill(plane.workers()[0], signal.SIGKILL)

        replaced(plane)
        assert _figure(httpx2.get(page, verify=False).text, name) == 40


def _kept_rows(path: Path) -> int:
    if not path.exists():
        return 0
    counts = msgspec.json.decode(path.read_bytes(), type=Counts)
    return sum(found.rows for _, _, found in counts.models)


def _figure(page: str, name: str) -> float:
    (line,) = [line for line in page.splitlines() if line.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])


def test_a_model_is_unloaded_and_loaded_in_all_processes(
    tmp_path: Path, first_model: Path, second_model: Path
) -> None:
    place = tmp_path / "model"
    shutil.copytree(first_model, place)
    models = [served(place), served(second_model, "1", "other")]
    with Plane(tmp_path, models, workers=2, is_steered=False) as plane:
        assert plane.client.post("/v2/repository/models/tumour/unload").status_code == 200

        assert _everywhere(plane, INFER, row()) == {404}
        index = plane.client.post("/v2/repository/index").json()
        assert [entry["state"] for entry in index] == ["UNAVAILABLE", "READY"]
        ready = plane.client.post("/v2/repository/index", json={"ready": True}).json()
        assert [entry["name"] for entry in ready] == ["other"]
        assert plane.client.get("/v2/models/tumour/ready").status_code == 404

        assert plane.client.post("/v2/repository/models/tumour/load").status_code == 200
        assert _everywhere(plane, INFER, row()) == {200}
        assert plane.client.post("/v2/repository/models/none/load").status_code == 404


def _everywhere(plane: Plane, path: str, body: object) -> set[int]:
    """The statuses over many connections, which both processes share."""
    url = f"{plane.client.base_url}{path}"
    return {
        httpx2.post(url, json=body, headers=PREDICT, verify=False).status_code for _ in range(12)
    }


def test_a_changed_source_is_a_new_version_and_every_answer_is_from_one(
    tmp_path: Path, first_model: Path, second_model: Path
) -> None:
    place = tmp_path / "model"
    shutil.copytree(first_model, place)
    answers: list[tuple[str, float]] = []
    stop = threading.Event()
    with Plane(tmp_path, [served(place)], workers=2, is_steered=False) as plane:

        def call() -> None:
            with httpx2.Client(headers=PREDICT, verify=False) as client:
                while not stop.is_set():
                    found = client.post(f"{plane.client.base_url}{INFER}", json=row()).json()
                    answers.append((found["model_version"], found["outputs"][0]["data"][0]))

        with ThreadPoolExecutor(4) as callers:
            calls = [callers.submit(call) for _ in range(4)]
            for number, source in enumerate([second_model, first_model, second_model], 2):
                target = len(answers) + 50
                until(lambda target=target: len(answers) > target)  # type: ignore[misc]
                shutil.copytree(source, place, dirs_exist_ok=True)
                assert plane.client.post("/v2/repository/models/tumour/load").status_code == 200
                assert plane.infer(row()).json()["model_version"] == str(number)
            stop.set()
            for done in calls:
                done.result()

    scores = {version: {score for at, score in answers if at == version} for version in "1234"}
    assert {len(found) for found in scores.values()} == {1}
    assert scores["1"] == scores["3"] != scores["2"] == scores["4"]


def test_of_two_versions_the_one_that_changed_gets_a_number_of_its_own(
    tmp_path: Path, first_model: Path, second_model: Path
) -> None:
    place = shutil.copytree(first_model, tmp_path / "model")
    models = [
        {**served(folder, version), "digest": digest_of(str(folder))}
        for folder, version in ((place, "1"), (first_model, "2"))
    ]
    with Plane(tmp_path, models, is_steered=False) as plane:
        shutil.copytree(second_model, place, dirs_exist_ok=True)
        assert plane.client.post("/v2/repository/models/tumour/load").status_code == 200

        index = plane.client.post("/v2/repository/index").json()
        assert [one["version"] for one in index] == ["3", "2"]
        found = {
            version: plane.client.post(f"/v2/models/tumour/versions/{version}/infer", json=row())
            for version in "123"
        }
        assert [found[version].status_code for version in "123"] == [404, 200, 200]
        os.kill(plane.workers()[0], signal.SIGKILL)
        assert replaced(plane) == ["it was ended by SIGKILL"]


def test_a_sign_of_life_is_whole_whenever_it_is_read() -> None:
    file = Heartbeats.made(1)
    beats = Heartbeats(os.dup(file), 1)
    beats.beat(0, READY)
    writer = (
        "from mainspring.serving.heartbeat import READY, Heartbeats\n"
        f"beats = Heartbeats({file}, 1)\n"
        "print(flush=True)\n"
        "while True: beats.beat(0, READY)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", writer], pass_fds=[file], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seen = {(at > 0, state) for at, state, _ in (beats.read(0) for _ in range(300_000))}
        process.kill()

    assert seen == {(True, READY)}


def test_a_sign_of_life_is_read_as_it_was_written() -> None:
    file = Heartbeats.made(2)
    mine, theirs = Heartbeats(os.dup(file), 2), Heartbeats(file, 2)

    mine.beat(1, READY, "wörds")

    assert theirs.read(1)[1:] == (READY, "wörds")
    assert theirs.read(0) == (0.0, 0, "")
