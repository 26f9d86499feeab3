"""What one call of the engine leaves in the prediction log, by the log's policy."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence

import numpy as np

from mainspring.engines.tensor import Array, Tensors
from mainspring.serving.batching import Member
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
        for place, call in enumerate(calls):
            if call.request_ids is not None:
                frame.row_ids[place] = call.request_ids
            if call.event_times is not None:
                frame.row_times[place] = call.event_times
            if call.entity_keys is not None:
                frame.row_entities[place] = self._keys(ENTITY_KEY, call.entity_keys)
        key = self._policy.entity_key
        if key is not None and by_row and key in inputs:
            frame.entities = self._keys(key, inputs[key].tolist())
        return frame

    def _sampled(
        self, members: Sequence[Member], inputs: Tensors, outputs: Tensors
    ) -> tuple[list[Member], Tensors, Tensors]:
        chosen = [self._policy.takes(member.call.id) for member in members]
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

    def _keys(self, name: str, values: Sequence[object]) -> list[str]:
        if name in self._hashed:
            return [self._hash(value) or "" for value in values]
        return [_text(value) for value in values]

    def _hash(self, value: object) -> str | None:
        if value is None:
            return None
        digest = hmac.digest(self._key, _text(value).encode(), hashlib.sha256)
        return digest.hex()[:HASH_CHARACTERS]


def _rows_of(tensors: Tensors, rows: Array) -> Tensors:
    return {name: values[rows] for name, values in tensors.items()}


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return "" if value is None else str(value)
