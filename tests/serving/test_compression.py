"""Compressed requests and answers."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import pytest

from .data_plane import INFER, Plane, row

BODY = json.dumps(row(id="small")).encode()


def _bare(body: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(body) + deflater.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(BODY)),
        ("GZIP", gzip.compress(BODY)),
        ("x-gzip", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", _bare(BODY)),
        ("identity", BODY),
    ],
)
def test_compressed_requests_are_read(plane: Plane, coding: str, body: bytes) -> None:
    response = plane.client.post(INFER, content=body, headers={"content-encoding": coding})

    assert response.status_code == 200, response.text
    assert response.json()["id"] == "small"


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("*", "gzip"),
        ("gzip;q=0, *", "deflate"),
        ("*;q=0", None),
        ("identity, *;q=0, deflate", "deflate"),
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("br, deflate;q=0.5, gzip;q=0", "deflate"),
        ("identity", None),
        ("br", None),
        ("gzip;q=0.0", None),
        ("", None),
    ],
)
def test_long_answers_are_compressed_as_the_caller_accepts(
    plane: Plane, accept: str, coding: str | None
) -> None:
    response = plane.client.post(INFER, json=row(500), headers={"accept-encoding": accept})

    assert response.headers.get("content-encoding") == coding
    assert response.json()["outputs"][0]["shape"] == [500]


def test_a_short_answer_is_not_compressed(plane: Plane) -> None:
    response = plane.client.post(INFER, json=row(), headers={"accept-encoding": "gzip"})

    assert "content-encoding" not in response.headers


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_is_refused(plane: Plane, coding: str) -> None:
    deflater = zlib.compressobj(9, wbits=31 if coding == "gzip" else 15)
    zeros = bytes(2**20)
    bomb = b"".join(deflater.compress(zeros) for _ in range(512)) + deflater.flush()
    assert len(bomb) < 2**20

    response = plane.client.post(INFER, content=bomb, headers={"content-encoding": coding})

    assert response.status_code == 413
    assert "once it is inflated" in response.json()["error"]
    assert _peak_megabytes(plane) < 400


def _peak_megabytes(plane: Plane) -> int:
    assert plane.process is not None
    status = Path(f"/proc/{plane.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


@pytest.mark.parametrize(
    ("coding", "body", "message"),
    [
        ("br", BODY, "the content encoding 'br' is not supported"),
        ("gzip, gzip", BODY, "the content encoding 'gzip, gzip' is not supported"),
        ("gzip", BODY, "not valid gzip"),
        ("deflate", b"\xff" * 10, "not valid deflate"),
        ("gzip", gzip.compress(BODY)[:-9], "it ends too early"),
        ("gzip", gzip.compress(BODY) * 2, "bytes follow its end"),
        ("deflate", zlib.compress(BODY) + b"x", "bytes follow its end"),
    ],
)
def test_what_cannot_be_inflated_is_refused(
    plane: Plane, coding: str, body: bytes, message: str
) -> None:
    response = plane.client.post(INFER, content=body, headers={"content-encoding": coding})

    assert response.status_code == 400
    assert message in response.json()["error"]
