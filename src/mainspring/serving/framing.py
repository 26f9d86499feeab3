"""What one call of the engine leaves in the prediction log, by the log's policy."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence

import numpy as np

from mainspring.engines.tensor import Array, Tensors
from mainspring.serving.batching import Member
from mainspring.serving.inference import InferRequest
from mainspring.serving.journal import Frame, Packed, pack
from mainspring.serving.log_policy import LogPolicy
from mainspring.serving.reserved import ENTITY_KEY

HASH_CHARACTERS = 32
"""128 bits of HMAC-SHA-256 (RFC 2104): equal values stay equal, and nothing more can be told."""


class Framing:
    """Makes the frames of one version by its policy."""

    def __init__(self, model: str, version: str, policy: LogPolicy) -> None:
        self._model = model
        self._version = version
        self._policy = policy
        self._left_out = frozenset(policy.redact)
        self._hashed = frozenset(policy.hashed)
        self._names_entities = ENTITY_KEY not in self._left_out
        self._hashes_entities = not self._hashed.isdisjoint({ENTITY_KEY, policy.entity_key})
        self._key = bytes.fromhex(policy.key or "")

    def frame(
        self, members: Sequence[Member], inputs: Tensors, outputs: Tensors, *, by_row: bool
    ) -> Frame | None:
        """What one call of the engine leaves in the log; None if none of it is recorded."""
        if self._policy.sample < 1:
            members, inputs, outputs = self._sampled(members, inputs, outputs)
            if not members:
                return None
        done = time.perf_counter()
        calls = [member.call for member in members]
        frame = Frame(
            model=self._model,
            version=self._version,
            recorded_at=time.time_ns() // 1000,
            ids=[call.id for call in calls],
            counts=[call.rows for call in calls],
            times=[call.now_us for call in calls],
            latencies=[int((done - member.began) * 1e6) for member in members],
            inputs=self._packed(inputs, by_row=by_row),
            outputs=self._packed(outputs, by_row=by_row),
        )
        self._tell_rows_apart(frame, calls)
        key = self._policy.entity_key
        if key is not None and key in inputs:
            values = inputs[key]
            if values.size == frame.rows:
                frame.entities = [self._entity(value) for value in values.ravel().tolist()]
        return frame

    def _tell_rows_apart(self, frame: Frame, calls: Sequence[InferRequest]) -> None:
        """Note what requests say of their rows."""
        for place, call in enumerate(calls):
            if call.request_ids is not None:
                frame.row_ids[place] = call.request_ids
            if call.event_times is not None:
                frame.row_times[place] = call.event_times
            if call.entity_keys is not None and self._names_entities:
                frame.row_entities[place] = [self._entity(key) or "" for key in call.entity_keys]

    def _sampled(
        self, members: Sequence[Member], inputs: Tensors, outputs: Tensors
    ) -> tuple[list[Member], Tensors, Tensors]:
        chosen = [is_taken(self._policy.sample, _sampled_by(member)) for member in members]
        if all(chosen):
            return list(members), inputs, outputs
        kept = [member for member, is_chosen in zip(members, chosen, strict=True) if is_chosen]
        if not kept:
            return [], {}, {}
        rows = np.repeat(chosen, [member.call.rows for member in members])
        return kept, _rows_of(inputs, rows), _rows_of(outputs, rows)

    def _packed(self, tensors: Tensors, *, by_row: bool) -> dict[str, Packed]:
        packed: dict[str, Packed] = {}
        for name, values in tensors.items():
            if name in self._hashed:
                packed[name] = pack(self._hashes(values), whole=not by_row)
            elif name not in self._left_out:
                packed[name] = pack(values, whole=not by_row)
        return packed

    def _hashes(self, values: Array) -> Array:
        hashes = np.empty(values.size, dtype=object)
        hashes[:] = [self._hash(value) for value in values.ravel().tolist()]
        return hashes.reshape(values.shape)

    def _entity(self, value: object) -> str | None:
        if self._hashes_entities:
            return self._hash(value)
        return None if _is_missing(value) else _text(value)

    def _hash(self, value: object) -> str | None:
        if _is_missing(value):
            return None
        digest = hmac.digest(
            self._key, _text(value).encode(errors="backslashreplace"), hashlib.sha256
        )
        return digest.hex()[:HASH_CHARACTERS]


def is_taken(sample: float, id_: str) -> bool:
    """Whether a request of that id is among the share of requests that are recorded."""
    if sample >= 1:
        return True
    # A checksum would do badly here: numbers that count up share most of their bits.
    digest = hashlib.blake2b(id_.encode(errors="backslashreplace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") < sample * 2**64


def _sampled_by(member: Member) -> str:
    """The id that decides: of its first row, where a request names them, so that it is told again."""
    ids = member.call.request_ids
    return ids[0] if ids else member.call.id


def _rows_of(tensors: Tensors, rows: Array) -> Tensors:
    return {name: values[rows] for name, values in tensors.items()}


def _is_missing(value: object) -> bool:
    return value is None or value != value  # noqa: PLR0124  NaN is not itself


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    # Minus zero equals zero, so it has the same text.
    return str(value + 0.0 if isinstance(value, float) else value)
