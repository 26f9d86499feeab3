"""Health, metrics, start and stop of a data plane."""

from __future__ import annotations

import json
import resource
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from mainspring.monitoring.prediction_log import read_predictions
from mainspring.serving.journal import read_frames

from . import python_models
from .data_plane import INFER, PREDICT, Plane, row, served, until


def _run(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mainspring.serving", "--snapshot", str(path)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_it_says_when_it_is_ready(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        plane.stop()

        assert plane.start() == f"serving tumours on http://127.0.0.1:{plane.port}\n"


def test_health_tells_who_serves_what(plane: Plane) -> None:
    before = httpx2.get(f"{plane.client.base_url}/health", verify=False).json()
    plane.infer(row(3))

    health = httpx2.get(f"{plane.client.base_url}/health", verify=False).json()

    assert plane.process is not None
    assert (health["deployment"], health["nonce"]) == ("tumours", "0a1b")
    assert health["pid"] == plane.process.pid
    assert health["models"][1] == {"name": "tumour", "version": "2", "digest": "sha256:00"}
    assert health["log"] == {"rows": before["log"]["rows"] + 3, "failures": 0}


def test_metrics_count_answers_and_refusals(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        plane.infer(row(3))
        plane.infer({})
        plane.client.get("/v2/health/live")

        page = httpx2.get(f"{plane.client.base_url}/metrics", verify=False).text

    lines = page.splitlines()
    assert 'mainspring_requests_total{model="tumour",code="200"} 1' in lines
    assert 'mainspring_requests_total{model="tumour",code="400"} 1' in lines
    assert 'mainspring_errors_total{model="tumour",kind="invalid"} 1' in lines
    assert 'mainspring_rows_total{model="tumour",version="1"} 3' in lines
    assert "mainspring_log_rows_total 3" in lines
    assert 'mainspring_predict_seconds_count{model="tumour",version="1"} 1' in lines


def test_bad_requests_leave_no_trace_in_the_log(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        plane.infer({"inputs": 5})
        plane.client.post(INFER, content=b"{" * 100_000)
        plane.client.get("/nothing")
        plane.stop()

        assert plane.errors.read_text() == ""


def test_a_failing_model_is_a_500_with_one_traceback(tmp_path: Path) -> None:
    body = {
        "inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [python_models.RAISE]}]
    }
    with Plane(tmp_path, [served(f"{python_models.__name__}:Moody")]) as plane:
        response = plane.infer(body)
        plane.stop()

        assert response.status_code == 500
        assert list(response.json()) == ["error"]
        assert plane.errors.read_text().count("Traceback") == 1
        assert read_predictions(plane.log_folder, None, None).num_rows == 0


def test_a_taken_port_is_said_in_one_line(tmp_path: Path, first_model: Path) -> None:
    plane = Plane(tmp_path, [served(first_model)])
    plane.client.close()
    with socket.create_server(("127.0.0.1", plane.port)):
        done = _run(plane.path)

    assert done.returncode == 6
    assert done.stderr == (
        f"mainspring.serving: 127.0.0.1:{plane.port} is taken by another process\n"
    )


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"host": "0.0.0.0", "tokens": []}, 2, "without tokens; only loopback may"),
        ({"host": "example.org", "tokens": []}, 2, "without tokens; only loopback may"),
        ({"surprise": 1}, 2, "unknown field `surprise`"),
        ({"port": 0}, 2, "at 'port'"),
        ({"nonce": "../x"}, 2, "at 'nonce'"),
        ({"models": []}, 2, "at 'models'"),
        ({"tokens": ["plain"]}, 2, "at 'tokens[0]'"),
        ({"log": {"folder": "relative"}}, 2, "at 'log.folder'"),
        ({"models": [served(Path("/nowhere"))]}, 4, "there is no file or folder"),
        ({"models": [served(Path("/nowhere"))] * 2}, 2, "names tumour version 1 twice"),
    ],
)
def test_a_bad_snapshot_is_refused(
    tmp_path: Path, changes: dict[str, object], code: int, message: str
) -> None:
    plane = Plane(tmp_path, [served(tmp_path)])
    plane.write(**changes)
    plane.client.close()

    done = _run(plane.path)

    assert done.returncode == code
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_tokens_means_that_nobody_may_predict(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)], tokens=[]) as plane:
        assert plane.infer(row()).status_code == 401


def test_it_stays_small(plane: Plane) -> None:
    assert plane.process is not None
    script = (
        "import sys, mainspring.serving.__main__;"
        "print([n for n in ('sqlalchemy', 'starlette', 'numpy', 'pyarrow', 'httpx2', 'lightgbm', 'pandas',"
        " 'onnxruntime', 'mainspring.registry') if n in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    assert done.stdout == b"[]\n"


def test_sigterm_finishes_what_is_in_flight_and_seals_the_log(
    tmp_path: Path, first_model: Path
) -> None:
    body = json.dumps(row(id="late")).encode()
    head = f"POST {INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
    head += f"authorization: {PREDICT['authorization']}\r\n\r\n"
    with Plane(tmp_path, [served(first_model)]) as plane:
        plane.infer(row(id="early"))
        plane.client.close()
        with socket.create_connection(("127.0.0.1", plane.port)) as caller:
            caller.sendall(head.encode() + body[:10])
            # Answered on another connection: so the server has the half request by now.
            assert (
                httpx2.get(f"http://127.0.0.1:{plane.port}/health", verify=False).status_code == 200
            )
            assert plane.process is not None
            plane.process.send_signal(signal.SIGTERM)
            until(lambda: _refuses(plane.port))
            caller.sendall(body[10:])
            answer = caller.recv(65536)
        code = plane.process.wait(20)

        assert code == 0
        assert answer.startswith(b"HTTP/1.1 200")
        (journal,) = plane.log_folder.iterdir()
        assert journal.suffix == ".journal"
        assert [frame.request_ids for frame in read_frames(journal)] == [["early"], ["late"]]


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def test_an_idle_connection_does_not_delay_the_stop(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        plane.infer(row())
        started = time.monotonic()

        assert plane.stop() == 0
        assert time.monotonic() - started < 5


def test_a_full_disk_refuses_and_recovers(tmp_path: Path, first_model: Path) -> None:
    with Plane(tmp_path, [served(first_model)]) as plane:
        assert plane.infer(row(id="before")).status_code == 200
        (worker,) = plane.workers()
        (journal,) = plane.log_folder.glob("*.open")
        limit = journal.stat().st_size + 100  # room for a part of a frame only
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        refused = plane.infer(row(id="refused"))
        full = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, full)
        assert plane.infer(row(id="after")).status_code == 200

        table = read_predictions(plane.log_folder, None, None)

    assert refused.status_code == 503
    assert "prediction log cannot be written" in refused.json()["error"]
    assert table["request_id"].to_pylist() == ["before", "after"]


def test_slow_callers_do_not_stop_others(plane: Plane) -> None:
    with socket.create_connection(("127.0.0.1", plane.port)) as slow:
        slow.sendall(f"POST {INFER} HTTP/1.1\r\ncontent-length: 100\r\n\r\n".encode())
        with ThreadPoolExecutor(1) as caller:
            assert caller.submit(plane.infer, row()).result(10).status_code == 200
