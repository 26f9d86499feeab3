"""Segments, torn tails, and writers that died."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.core.errors import Unavailable
from mainspring.serving.journal import HEADER, Frame, encode_frame, read_frames, recover
from mainspring.serving.recorder import Recorder, SegmentLimits

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


@pytest.mark.parametrize("cut", [1, HEADER.size - 1, HEADER.size, HEADER.size + 1, -1])
def test_a_torn_tail_is_cut_off(tmp_path: Path, cut: int) -> None:
    whole = encode_frame(_frame("a"))
    torn = tmp_path / "dead-000001.open"
    torn.write_bytes(whole + encode_frame(_frame("b"))[:cut])

    (sealed,) = Recorder(tmp_path, "ab", LIMITS).recovered

    assert sealed == torn.with_suffix(".journal")
    assert sealed.read_bytes() == whole


@pytest.mark.parametrize("position", [0, 5, 9, HEADER.size + 3, -1])
def test_a_damaged_frame_ends_the_reading(tmp_path: Path, position: int) -> None:
    whole, second = encode_frame(_frame("a")), bytearray(encode_frame(_frame("b")))
    second[position] ^= 0xFF
    path = tmp_path / "x.journal"
    path.write_bytes(whole + bytes(second) + whole)

    assert _ids(path) == ["a"]


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_file_without_frames_is_removed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dead-000001.open").write_bytes(content)

    assert recover(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_nonce_used_again_makes_new_names(tmp_path: Path) -> None:
    for name in "ab":
        recorder = Recorder(tmp_path, "ab", LIMITS)
        recorder.append(_frame(name))
        recorder.close()

    assert sorted(id_ for path in tmp_path.iterdir() for id_ in _ids(path)) == ["a", "b"]
