"""Starting, stopping, deadlines, limits and several processes of a data plane with gRPC."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from mainspring.monitoring.prediction_log import read_predictions

from .data_plane import PATIENCE, free_port, served, until
from .grpc_plane import OWN_CONNECTION, TOKEN, GrpcPlane, as_raw, model, number, patient

LATE, FULL = grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED


def _run(path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *flags, "--snapshot", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _counted(plane: GrpcPlane, line: str) -> bool:
    return line in plane.client.get("/metrics").text.splitlines()


def test_it_says_where_it_listens_and_only_there(tmp_path: Path) -> None:
    plane = GrpcPlane(tmp_path, [model("Moody")])

    with plane:
        assert plane.process is not None
        plane.stop()
        line = plane.start()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", plane.grpc_port))
        assert plane.ask(number("moody", 1.0)).model_name == "moody"

    assert line == (
        f"serving tumours on http://127.0.0.1:{plane.port} and grpc://127.0.0.1:{plane.grpc_port}\n"
    )


def test_without_a_grpc_port_nothing_of_it_is_loaded() -> None:
    script = (
        "import sys, mainspring.serving.worker;"
        "print([name for name in ('grpc', 'google.protobuf') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    assert done.stdout == b"[]\n"


def test_a_missing_package_names_the_extra(tmp_path: Path) -> None:
    plane = GrpcPlane(tmp_path, [model("Moody")])
    plane.client.close()
    (tmp_path / "grpc.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'grpc'\", name='grpc')"
    )
    script = tmp_path / "without.py"
    script.write_text(
        "import os, sys\n"
        f"os.environ['PYTHONPATH'] = {str(tmp_path)!r}\n"
        "from mainspring.serving.__main__ import main\n"
        "sys.exit(main())\n"
    )

    done = _run(plane.path, str(script))

    assert done.returncode == 7
    assert done.stderr == (
        "mainspring.serving: the package 'grpc' is not installed; pip install 'mainspring[grpc]'\n"
    )


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    plane = GrpcPlane(tmp_path, [model("Moody")])
    plane.client.close()
    with socket.create_server(("127.0.0.1", plane.grpc_port)):
        done = _run(plane.path, "-m", "mainspring.serving")

    assert done.returncode == 6
    assert done.stderr == f"mainspring.serving: {plane.place} is taken by another process\n"


def test_one_port_for_both_protocols_is_refused(tmp_path: Path) -> None:
    plane = GrpcPlane(tmp_path, [model("Moody")])
    plane.client.close()
    plane.write(grpc_port=plane.port)

    done = _run(plane.path, "-m", "mainspring.serving")

    assert done.returncode == 2
    assert f"gives HTTP and gRPC the port {plane.port}; each wants its own" in done.stderr
    assert done.stderr.count("\n") == 1


def test_two_data_planes_do_not_share_a_port(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with GrpcPlane(tmp_path / "one", [model("Moody")]) as first:
        second = GrpcPlane(tmp_path / "two", [model("Moody")])
        second.client.close()
        second.write(grpc_port=first.grpc_port)

        done = _run(second.path, "-m", "mainspring.serving")

    assert done.returncode == 6
    assert f"{first.place} is taken by another process" in done.stderr


def test_the_clients_deadline_is_the_requests(tmp_path: Path) -> None:
    with GrpcPlane(tmp_path, [model("Slow")]) as plane:
        with pytest.raises(grpc.RpcError) as late:
            plane.ask(number("slow", 2_000.0), timeout=0.2)
        until(
            lambda: _counted(
                plane, 'mainspring_errors_total{model="slow",kind="deadline_exceeded"} 1'
            )
        )
        assert _counted(plane, 'mainspring_requests_total{model="slow",code="504"} 1')
        assert plane.ask(number("slow", 1.0)).model_name == "slow"
        plane.stop()
        assert plane.errors.read_text() == ""

    assert late.value.code() == LATE


@pytest.mark.parametrize(("microseconds", "seconds"), [(200_000, PATIENCE), (10_000_000, 0.2)])
def test_the_shorter_of_timeout_and_deadline_counts(
    tmp_path: Path, microseconds: int, seconds: float
) -> None:
    message = number("slow", 3_000.0)
    message.parameters["timeout"].int64_param = microseconds
    began = time.monotonic()
    with GrpcPlane(tmp_path, [model("Slow")]) as plane, pytest.raises(grpc.RpcError) as late:
        plane.ask(message, timeout=seconds)

    assert late.value.code() == LATE
    assert time.monotonic() - began < PATIENCE


def test_a_full_queue_says_when_to_come_again(tmp_path: Path) -> None:
    limits = {"queue": 2}
    with GrpcPlane(tmp_path, [model("Slow")], limits=limits) as plane, plane.calling() as stub:
        calls = [
            stub.ModelInfer.future(number("slow", 300.0 + place), metadata=TOKEN, timeout=PATIENCE)
            for place in range(12)
        ]
        refused = [error for call in calls if (error := call.exception()) is not None]

    assert 0 < len(refused) < 12
    assert {error.code() for error in refused} == {FULL}
    assert "requests wait for 'slow', as many as may" in refused[0].details()
    assert ("grpc-retry-pushback-ms", "1000") in refused[0].trailing_metadata()


def test_more_requests_than_a_process_takes_are_refused(tmp_path: Path) -> None:
    limits = {"requests": 2}
    with GrpcPlane(tmp_path, [model("Slow")], limits=limits) as plane, plane.calling() as stub:
        calls = [
            stub.ModelInfer.future(number("slow", 500.0), metadata=TOKEN, timeout=PATIENCE)
            for _ in range(10)
        ]
        refused = [error.code() for call in calls if (error := call.exception()) is not None]

        assert plane.ask(number("slow", 1.0)).model_name == "slow"

    assert 0 < len(refused) < 10
    assert set(refused) <= {grpc.StatusCode.UNAVAILABLE, FULL}


def test_messages_beyond_what_fits_in_memory_are_refused(tmp_path: Path) -> None:
    with GrpcPlane(tmp_path, [model("Moody")], limits={"body_bytes": 10_000}) as plane:
        with pytest.raises(grpc.RpcError) as refused:
            plane.ask(as_raw(number("moody", *[1.0] * 2_000)))
        assert plane.ask(as_raw(number("moody", *[1.0] * 1_000))).model_name == "moody"

    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


def test_two_processes_share_the_port(tmp_path: Path, first_model: Path) -> None:
    """Which process a connection comes to is the kernel's choice: some of many come to each."""
    with GrpcPlane(tmp_path, [served(first_model)], workers=2) as plane:
        for place in range(60):
            plane.ask(patient(id=f"r{place}"))
        table = read_predictions(plane.log_folder, None, None)
        journals = [path for path in plane.log_folder.iterdir() if path.suffix == ".open"]
        page = plane.client.get("/metrics").text.splitlines()

    assert len(journals) == 2
    assert sorted(table["request_id"].to_pylist()) == sorted(f"r{place}" for place in range(60))
    assert 'mainspring_requests_total{model="tumour",code="200"} 60' in page


def test_a_killed_process_leaves_the_port_to_the_others_and_comes_back(
    tmp_path: Path, first_model: Path
) -> None:
    with GrpcPlane(tmp_path, [served(first_model)], workers=2) as plane:
        plane.ask(patient(id="before"))
        killed = plane.workers()[0]
        subprocess.run(["/bin/kill", "-9", str(killed)], check=True)
        until(lambda: killed not in plane.workers() and len(plane.workers()) == 2)

        answers = [
            plane.ask(patient(id=f"after{place}"), wait_for_ready=True) for place in range(20)
        ]

    assert {answer.model_version for answer in answers} == {"1"}


def test_requests_that_come_together_meet_in_batches(tmp_path: Path, first_model: Path) -> None:
    """And each gets its own answer, and its own rows in the log."""
    with GrpcPlane(tmp_path, [served(first_model)]) as plane:
        answers = asyncio.run(_many(plane, 300))
        page = plane.client.get("/metrics").text.splitlines()
        table = read_predictions(plane.log_folder, None, None)

    assert sorted(answers) == sorted(f"r{place}" for place in range(300))
    calls = next(line for line in page if line.startswith("mainspring_batch_requests_count"))
    assert int(calls.rpartition(" ")[2]) < 300
    assert table.num_rows == 300


async def _many(plane: GrpcPlane, count: int) -> list[str]:
    async with grpc.aio.insecure_channel(plane.place, options=OWN_CONNECTION) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)

        async def one(place: int) -> str:
            message = patient(id=f"r{place}")
            answer = await stub.ModelInfer(message, metadata=TOKEN, timeout=PATIENCE)
            found: str = answer.id
            return found

        return await asyncio.gather(*(one(place) for place in range(count)))


def test_callers_who_leave_take_no_others_with_them(tmp_path: Path, first_model: Path) -> None:
    """Every second call is cancelled as soon as it is sent; the others share batches with them."""

    async def go(plane: GrpcPlane) -> list[str]:
        async with grpc.aio.insecure_channel(plane.place, options=OWN_CONNECTION) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            calls = [
                stub.ModelInfer(patient(id=f"r{place}"), metadata=TOKEN, timeout=PATIENCE)
                for place in range(400)
            ]
            for call in calls[::2]:
                await asyncio.sleep(0)
                call.cancel()
            return [(await call).id for call in calls[1::2]]

    with GrpcPlane(tmp_path, [served(first_model)]) as plane:
        answers = asyncio.run(go(plane))
        plane.stop()

        assert plane.errors.read_text() == ""

    assert answers == [f"r{place}" for place in range(1, 400, 2)]


def test_sigterm_under_load_finishes_what_was_taken(tmp_path: Path, first_model: Path) -> None:
    """Every answered request is in the log, once; what came too late is told so."""
    answered: list[str] = []
    refused: list[Any] = []
    ended = threading.Event()

    def call(caller: int) -> None:
        with plane.calling() as stub:
            for place in range(100_000):
                id_ = f"c{caller}r{place}"
                try:
                    stub.ModelInfer(patient(id=id_), metadata=TOKEN, timeout=PATIENCE)
                except grpc.RpcError as error:
                    refused.append(error.code())
                    return
                answered.append(id_)
                if ended.is_set():
                    return

    with GrpcPlane(tmp_path, [served(first_model)], workers=2) as plane:
        with ThreadPoolExecutor(4) as callers:
            calls = [callers.submit(call, caller) for caller in range(4)]
            until(lambda: len(answered) > 100)
            assert plane.stop() == 0
            ended.set()
            for each in calls:
                each.result(PATIENCE)
        table = read_predictions(plane.log_folder, None, None)

        assert plane.errors.read_text() == ""

    assert set(refused) == {grpc.StatusCode.UNAVAILABLE}
    logged = table["request_id"].to_pylist()
    assert len(set(logged)) == len(logged)
    assert set(answered) <= set(logged)
    # One that was taken and could not be told any more is not lost, but there are few of them.
    assert len(logged) - len(answered) <= 4


def test_what_is_under_way_is_answered_after_sigterm(tmp_path: Path) -> None:
    """A slow request and an idle stream: one is finished, the other one is ended."""
    with GrpcPlane(tmp_path, [model("Slow")]) as plane, plane.calling() as stub:
        more = threading.Event()

        def messages() -> Any:
            yield number("slow", 1.0)
            more.wait(PATIENCE)

        stream = stub.ModelStreamInfer(messages(), metadata=TOKEN)
        assert next(stream).infer_response.model_name == "slow"
        slow = stub.ModelInfer.future(number("slow", 1_000.0), metadata=TOKEN, timeout=PATIENCE)
        until(lambda: _counted(plane, "mainspring_requests_in_flight 2"))
        began = time.monotonic()
        assert plane.process is not None
        plane.process.send_signal(signal.SIGTERM)

        assert slow.result().outputs[0].contents.fp64_contents == [2_000.0]
        with pytest.raises(grpc.RpcError) as ended:
            next(stream)
        more.set()
        assert plane.process.wait(PATIENCE) == 0
        assert time.monotonic() - began < 10
        assert plane.errors.read_text() == ""

    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE


def test_streams_of_callers_who_vanish_leave_nothing(tmp_path: Path) -> None:
    """Connections are cut in the middle of streams, many times."""
    with GrpcPlane(tmp_path, [model("Slow")]) as plane:
        for _ in range(10):
            with plane.calling() as stub:
                stream = stub.ModelStreamInfer(
                    iter([number("slow", 1.0), number("slow", 50.0)]), metadata=TOKEN
                )
                next(stream)
        until(lambda: _counted(plane, "mainspring_requests_in_flight 1"))
        assert plane.stop() == 0
        assert plane.errors.read_text() == ""


def test_a_swap_under_load_loses_nothing(
    tmp_path: Path, first_model: Path, second_model: Path
) -> None:
    """Each answer is from one version, and says which; both serve on one connection."""
    seen: set[str] = set()
    ended = threading.Event()

    def call() -> None:
        with plane.calling() as stub:
            while not ended.is_set():
                seen.add(stub.ModelInfer(patient(), metadata=TOKEN, timeout=PATIENCE).model_version)

    with GrpcPlane(tmp_path, [served(first_model, "1")]) as plane, ThreadPoolExecutor(2) as callers:
        calls = [callers.submit(call) for _ in range(2)]
        with contextlib.ExitStack() as stack:
            stack.callback(ended.set)
            until(lambda: seen == {"1"})
            plane.write(models=[served(second_model, "2")])
            assert plane.control("reload").status_code == 200
            until(lambda: seen == {"1", "2"})
        for each in calls:
            each.result(PATIENCE)

    assert seen == {"1", "2"}


def test_ports_of_both_protocols_are_fixed_while_it_runs(tmp_path: Path) -> None:
    with GrpcPlane(tmp_path, [model("Moody")]) as plane:
        plane.write(grpc_port=free_port())

        assert plane.control("reload").status_code == 409
        assert plane.ask(number("moody", 1.0)).model_name == "moody"


def test_the_server_is_not_ready_for_what_it_does_not_know(tmp_path: Path) -> None:
    with GrpcPlane(tmp_path, [model("Moody")]) as plane, plane.calling() as stub:
        question = service_pb2.ModelReadyRequest(name="moody")

        assert stub.ModelReady(question, metadata=TOKEN).ready
