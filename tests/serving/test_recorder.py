"""Segments, torn tails, and writers that died."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import msgspec
import numpy as np
import pytest

from mainspring.core.errors import Unavailable
from mainspring.serving.frame_table import table_of
from mainspring.serving.journal import (
    FIRST_HEADER,
    FIRST_MAGIC,
    HEADER,
    MAGIC,
    Frame,
    encode_frame,
    read_frames,
    recover,
    scan,
)
from mainspring.serving.recorder import Recorder, SegmentLimits

MARKER = b"8 bytes."
LIMITS = SegmentLimits(rows=10, bytes=2**20, seconds=1000)


def _frame(name: str, rows: int = 1) -> Frame:
    return Frame(
        ids=[name],
        counts=[rows],
        times=[0],
        latencies=[1],
        recorded_at=0,
        model="m",
        version="1",
        inputs={"x": ("FP64", (), bytes(8 * rows))},
        outputs={"label": ("BYTES", (), ["yes"] * rows)},
    )


def _whole(name: str) -> bytes:
    return encode_frame(_frame(name), MARKER)


def _ids(path: Path) -> list[str]:
    return [id_ for frame in read_frames(path) for id_ in frame.request_ids]


def _names(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.iterdir())


def test_a_frame_is_in_the_file_at_once(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "ab", LIMITS)

    recorder.append(_frame("a"))

    (path,) = tmp_path.glob("ab*-000001.open")
    assert list(read_frames(path)) == [_frame("a")]
    recorder.close()


def test_a_full_segment_is_sealed_and_the_next_begun(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "ab", LIMITS)

    for name in "abc":
        recorder.append(_frame(name, rows=5))

    assert _names(tmp_path) == [".journal", ".open"]
    recorder.close()
    assert _names(tmp_path) == [".journal", ".journal"]


def test_a_closed_recorder_refuses(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "ab", LIMITS)
    recorder.close()

    with pytest.raises(Unavailable, match="is closed"):
        recorder.append(_frame("a"))


def test_the_file_of_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    writer = Recorder(tmp_path, "ab", LIMITS)
    writer.append(_frame("a"))

    assert Recorder(tmp_path, "ab", LIMITS).recovered == []
    assert _names(tmp_path) == [".open"]
    writer.close()


def test_a_tail_torn_at_any_byte_is_cut_off(tmp_path: Path) -> None:
    whole, last = _whole("a"), _whole("b")
    for cut in range(len(last)):
        torn = tmp_path / f"dead-{cut:06d}.open"
        torn.write_bytes(whole + last[:cut])

    recovered = Recorder(tmp_path, "ab", LIMITS).recovered

    assert len(recovered) == len(last)
    assert {path.suffix for path in recovered} == {".journal"}
    assert {path.read_bytes() for path in recovered} == {whole}


@pytest.mark.parametrize("position", [*range(HEADER.size), HEADER.size + 3, -1])
def test_a_damaged_frame_is_stepped_over(tmp_path: Path, position: int) -> None:
    damaged = bytearray(encode_frame(_frame("b"), MARKER))
    damaged[position] ^= 0xFF
    path = tmp_path / "x.journal"
    path.write_bytes(_whole("a") + bytes(damaged) + _whole("c") + _whole("d"))

    assert _ids(path) == ["a", "c", "d"]
    assert scan(path).is_damaged


@pytest.mark.parametrize("position", [*range(HEADER.size), HEADER.size + 3, -1])
def test_a_damaged_first_frame_is_stepped_over(tmp_path: Path, position: int) -> None:
    damaged = bytearray(_whole("a"))
    damaged[position] ^= 0xFF
    path = tmp_path / "x.journal"
    path.write_bytes(bytes(damaged) + _whole("b"))

    assert _ids(path) == ["b"]
    assert scan(path).is_damaged


def test_a_frame_within_a_damaged_one_is_no_frame(tmp_path: Path) -> None:
    """A caller may send what looks like a frame, but does not know the marker."""
    forged = encode_frame(_frame("forged"))
    carrier = _frame("b")
    carrier.inputs["note"] = ("BYTES", (), [forged])
    damaged = bytearray(encode_frame(carrier, MARKER))
    damaged[-1] ^= 0xFF
    path = tmp_path / "x.journal"

    path.write_bytes(_whole("a") + bytes(damaged) + _whole("c"))

    assert forged in path.read_bytes()
    assert _ids(path) == ["a", "c"]


def test_frames_of_the_first_format_are_read(tmp_path: Path) -> None:
    first = {
        "request_ids": ["a", "b"],
        "event_times": [3, 4],
        "recorded_at": 5,
        "model": "m",
        "version": "1",
        "rows": 2,
        "inputs": {"x": ("INT64", np.array([1, 2]).tobytes())},
        "outputs": {"label": ("BYTES", ["no", None])},
    }
    payload = msgspec.msgpack.encode(first)
    whole = FIRST_HEADER.pack(FIRST_MAGIC, len(payload), crc32(payload)) + payload
    path = tmp_path / "x.journal"
    path.write_bytes(whole + whole[:-1])

    (frame,) = read_frames(path)

    assert (frame.request_ids, frame.event_times) == (["a", "b"], [3, 4])
    assert table_of([frame])["input.x"].to_pylist() == [1, 2]
    assert table_of([frame])["output.label"].to_pylist() == ["no", None]
    assert not scan(path).is_damaged


@pytest.mark.parametrize("content", [b"", MAGIC[:2], MAGIC + bytes(9)])
def test_a_file_without_frames_is_removed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dead-000001.open").write_bytes(content)

    assert recover(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_dead_writers_file_with_damage_is_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "dead-000001.open"
    content = _whole("a") + bytes(4096) + _whole("b") + bytes(100)
    path.write_bytes(content)

    (sealed,) = recover(tmp_path)

    assert sealed.read_bytes() == content
    assert _ids(sealed) == ["a", "b"]


def test_a_nonce_used_again_makes_new_names(tmp_path: Path) -> None:
    for name in "ab":
        recorder = Recorder(tmp_path, "ab", LIMITS)
        recorder.append(_frame(name))
        recorder.close()

    assert sorted(id_ for path in tmp_path.iterdir() for id_ in _ids(path)) == ["a", "b"]
