"""What was acknowledged is in the log exactly once, whatever happens to the process."""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from mainspring.monitoring.prediction_log import read_predictions
from mainspring.serving.compaction import seal_journals
from mainspring.serving.reserved import ids_of_rows

from .data_plane import PATIENCE, PREDICT, STEER, Plane, row, served, until


def _recorded(plane: Plane) -> Counter[str]:
    return Counter(read_predictions(plane.log_folder, None, None)["request_id"].to_pylist())


class Hammer:
    """Callers that send until told to stop, and remember what was acknowledged."""

    def __init__(self, plane: Plane, threads: int = 4) -> None:
        self.acknowledged: list[tuple[str, str]] = []
        self.refused: list[str] = []
        self.broken = 0
        self._url = f"http://127.0.0.1:{plane.port}/v2/models/tumour/infer"
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(threads)
        self._calls = [self._pool.submit(self._call, number) for number in range(threads)]

    def _call(self, number: int) -> None:
        with httpx2.Client(headers=PREDICT, timeout=PATIENCE, verify=False) as client:
            count = 0
            while not self._stop.is_set():
                count += 1
                # Some calls are large enough to be predicted in a thread.
                rows = 100 if count % 10 == 0 else 1
                try:
                    answer = client.post(
                        self._url, json=row(rows, id=f"{id(self)}-{number}-{count}")
                    )
                except httpx2.TransportError:
                    self.broken += 1
                    return
                if answer.status_code != 200:
                    self.refused.append(answer.text)
                    return
                body = answer.json()
                ids = ids_of_rows(body["id"], rows)
                self.acknowledged += [(id_, body["model_version"]) for id_ in ids]

    def stop(self) -> None:
        self._stop.set()
        for call in self._calls:
            call.result()
        self._pool.shutdown()

    def reached(self, count: int) -> bool:
        return len(self.acknowledged) >= count or self.broken > 0


def test_reload_under_load_drops_nothing(
    tmp_path: Path, first_model: Path, second_model: Path
) -> None:
    with Plane(tmp_path, [served(first_model, "1")], log={"segment_rows": 300}) as plane:
        hammer = Hammer(plane)
        for swap in range(2, 7):
            target = len(hammer.acknowledged) + 100
            until(lambda target=target: hammer.reached(target))  # type: ignore[misc]
            folder = second_model if swap % 2 == 0 else first_model
            plane.write(models=[served(folder, str(swap))])
            answer = plane.control("reload")
            assert answer.json()["models"][0]["version"] == str(swap)
            assert plane.infer(row()).json()["model_version"] == str(swap)
        hammer.stop()

        recorded = _recorded(plane)

    assert (hammer.broken, hammer.refused) == (0, [])
    assert {recorded[id_] for id_, _ in hammer.acknowledged} == {1}
    assert len({version for _, version in hammer.acknowledged}) >= 5


def test_a_reload_that_fails_keeps_the_old_model(
    tmp_path: Path, first_model: Path, second_model: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    with Plane(tmp_path, [served(first_model)]) as plane:
        changes: list[dict[str, object]] = [
            {"models": [served(broken, "2")]},
            {"models": [served(second_model, "2")], "nonce": "ffff"},
            {"models": []},
        ]
        for change in changes:
            plane.write(**{"nonce": "0a1b", **change})
            answer = plane.control("reload")
            assert answer.status_code == 409
            assert "the old models stay in service" in answer.json()["error"]
        plane.path.write_text("{")
        assert plane.control("reload").status_code == 409

        assert plane.infer(row()).json()["model_version"] == "1"


def test_a_reload_changes_who_may_predict(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        plane.write(tokens=["0" * 64])
        plane.control("reload")

        assert plane.infer(row()).status_code == 401


def test_a_reload_without_the_control_token_changes_nothing(
    tmp_path: Path, first_model: Path, second_model: Path
) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        plane.write(models=[served(second_model, "2")])

        assert plane.client.post("/control/reload").status_code == 401
        assert plane.infer(row()).json()["model_version"] == "1"


@pytest.mark.parametrize("round_", range(4))
def test_a_killed_server_forgets_nothing_it_acknowledged(
    tmp_path: Path, first_model: Path, round_: int
) -> None:
    moment = random.Random(round_).randint(20, 600)
    plane = Plane(tmp_path, [served(first_model)], log={"segment_rows": 150})
    with plane:
        hammer = Hammer(plane)
        until(lambda: hammer.reached(moment))
        plane.stop(signal.SIGKILL)
        hammer.stop()
        plane.start()
        after = plane.infer(row(id="after the restart"))
        seal_journals(plane.log_folder)

        recorded = _recorded(plane)

    assert after.status_code == 200
    assert hammer.refused == []
    assert {recorded[id_] for id_, _ in hammer.acknowledged} == {1}
    assert set(recorded.values()) == {1}
    assert not list(plane.log_folder.glob("*.journal"))


def test_rotate_seals_now_and_names_what_waits(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        assert plane.control("rotate").json() == {"sealed": []}
        plane.infer(row())
        (sealed,) = plane.control("rotate").json()["sealed"]
        plane.infer(row())

        assert plane.control("rotate").json()["sealed"][0] == sealed
        assert seal_journals(plane.log_folder)
        assert plane.control("rotate").json() == {"sealed": []}
        assert sum(_recorded(plane).values()) == 2


def test_an_old_segment_is_sealed_without_a_request(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)], log={"segment_seconds": 0.05}) as plane:
        plane.infer(row())

        until(lambda: len(list(plane.log_folder.glob("*.journal"))) == 1)


def test_sealing_while_serving_shows_every_row_once(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)], log={"segment_rows": 50}) as plane:
        hammer = Hammer(plane, threads=2)
        for target in range(200, 1400, 300):
            until(lambda target=target: hammer.reached(target))  # type: ignore[misc]
            before = [id_ for id_, _ in hammer.acknowledged]
            with ThreadPoolExecutor(1) as sealer:
                sealing = sealer.submit(seal_journals, plane.log_folder)
                recorded = _recorded(plane)
                sealing.result()
            assert {recorded[id_] for id_ in before} == {1}
            httpx2.post(
                f"http://127.0.0.1:{plane.port}/control/rotate", headers=STEER, verify=False
            )
        hammer.stop()

    assert hammer.refused == []
