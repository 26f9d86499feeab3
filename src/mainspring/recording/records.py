"""What stands in a write-ahead file: one record for each call, in the order of the calls."""

from __future__ import annotations

from typing import Literal

import msgspec

from mainspring.core.errors import Invalid
from mainspring.tracking.contract import FileEntry, OpenRun
from mainspring.tracking.dataset_contract import LogDataset
from mainspring.tracking.model_contract import LogModel
from mainspring.tracking.surroundings_contract import DescribeRun

EndStatus = Literal["finished", "failed", "killed"]
Stream = Literal["stdout", "stderr"]
MEASURED = "system/"
"""What the names of measurements of the machine begin with; they count steps of their own."""


class Values(msgspec.Struct, frozen=True, array_like=True, tag="v"):
    """Values of metrics, of one moment."""

    step: int
    at: int
    """Microseconds UTC; no two records of a process have the same."""
    values: dict[str, float]


class Opened(msgspec.Struct, frozen=True, array_like=True, tag="o"):
    """The beginning of the run."""

    request: OpenRun


class Resumed(msgspec.Struct, frozen=True, array_like=True, tag="r"):
    """The run goes on, whatever state it was in."""


class Texts(msgspec.Struct, frozen=True, array_like=True, tag="t"):
    """Parameters, tags, tags to forget."""

    params: dict[str, str]
    tags: dict[str, str]


class Renamed(msgspec.Struct, frozen=True, array_like=True, tag="n"):
    """Another name for the run."""

    name: str


class Described(msgspec.Struct, frozen=True, array_like=True, tag="d"):
    """What surrounds the run."""

    request: DescribeRun


class Printed(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    """What the program printed."""

    stream: Stream
    text: bytes


class Kept(msgspec.Struct, frozen=True, array_like=True, tag="f"):
    """A file, whose bytes wait in the spool under their digest."""

    file: FileEntry


class Data(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """A dataset that the run used."""

    request: LogDataset


class Trained(msgspec.Struct, frozen=True, array_like=True, tag="m"):
    """A model that the run trained."""

    request: LogModel


class Ended(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    """The end of the run."""

    status: EndStatus


Record = (
    Values
    | Opened
    | Resumed
    | Texts
    | Renamed
    | Described
    | Printed
    | Kept
    | Data
    | Trained
    | Ended
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)
encode = _encoder.encode


def decode(payload: bytes) -> Record:
    """The record of the bytes; raises `Invalid` for those of another release."""
    try:
        return _decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise Invalid(f"a record of the spool cannot be read: {error}") from error
