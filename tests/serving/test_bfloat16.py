"""BF16 over both protocols, alone and in batches, in binary and in JSON, and in the log."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

from mainspring.serving.frame_table import table_of
from mainspring.serving.journal import read_frames
from mainspring.serving.log_files import log_files

from .data_plane import Plane, free_port
from .test_group import moody

BRAIN = "/v2/models/brain/infer"
VALUES = np.array([[1.5, -0.1], [3.3e38, np.nan]], dtype=ml_dtypes.bfloat16)


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Plane]:
    models = [moody("Brain"), moody("Echo")]
    with Plane(tmp_path, models, tokens=[], anonymous=True, grpc_port=free_port()) as plane:
        del plane.client.headers["authorization"]
        yield plane


def given(*data: Any) -> dict[str, Any]:
    tensor = {"name": "x", "datatype": "BF16", "shape": [len(data) // 2, 2], "data": data}
    return {"inputs": [tensor]}


@pytest.mark.parametrize("library", [triton_http, triton_grpc], ids=["http", "grpc"])
def test_the_reference_client_gets_it_as_it_sent_it(plane: Plane, library: Any) -> None:
    port = plane.port if library is triton_http else plane.snapshot["grpc_port"]
    tensor = library.InferInput("x", [2, 2], "BF16")
    tensor.set_data_from_numpy(VALUES)
    with library.InferenceServerClient(f"127.0.0.1:{port}") as client:
        for model in ("brain", "echo"):
            found = client.infer(model, [tensor]).as_numpy("x")

            assert found.dtype == ml_dtypes.bfloat16
            assert found.tobytes() == VALUES.tobytes()


def test_it_has_its_own_digits_in_json_and_in_the_log(plane: Plane) -> None:
    found = plane.client.post(BRAIN, json=given(1.1, 2.0)).json()["outputs"]

    assert [(one["datatype"], one["data"]) for one in found] == [
        ("BF16", [1.1015625, 2.0]),
        ("FP32", [2.203125, 4.0]),
        ("BF16", [0.1103515625, 0.2001953125]),
    ]
    assert plane.stop() == 0
    (sealed,) = log_files(plane.log_folder).sealed
    (row,) = table_of(read_frames(sealed)).to_pylist()
    assert row["input.x"] == [1.1015625, 2.0]
    assert row["output.tenth"] == [0.1103515625, 0.2001953125]


def test_in_a_batch_it_is_what_it_is_alone(plane: Plane) -> None:
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda n: plane.client.post(BRAIN, json=given(n, 0)), range(64)))

    for n, answer in enumerate(answers):
        outputs = answer.json()["outputs"]
        assert [one["datatype"] for one in outputs] == ["BF16", "FP32", "BF16"]
        assert outputs[1]["data"] == [2.0 * n, 0.0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([3.4e38, 1], "row 0: 3.4e+38 does not fit BF16"),
        ([1, "a"], "row 0: Expected `float | null`, got `str`"),
    ],
)
def test_what_does_not_fit_is_refused(plane: Plane, data: list[Any], message: str) -> None:
    answer = plane.client.post(BRAIN, json=given(*data))

    assert (answer.status_code, message in answer.json()["error"]) == (400, True)
