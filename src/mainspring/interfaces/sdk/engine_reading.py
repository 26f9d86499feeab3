"""Which engine answers how many rows of a version, for scripts."""

from __future__ import annotations

import time
from typing import Protocol

from mainspring.core.errors import NotFound
from mainspring.core.ids import parse_model_reference
from mainspring.core.operation import Client
from mainspring.registry import contract as registry
from mainspring.registry.contract import NameVersion, Resolve
from mainspring.registry.engine_contract import VersionEngines, show_engines

POLL_S = 0.1


class EngineReading(Client, Protocol):
    """What a client reads of engines."""

    def engines(self, reference: str, *, timeout_s: float = 60.0) -> VersionEngines:
        """The engines of `MODEL@3`, `MODEL@production` or `MODEL@alias`, as they were timed.

        A worker times them after the registration: until then it waits. Raises `NotFound` when that takes
        longer than `timeout_s`, or where the version's files are kept elsewhere.

        >>> found = client.engines("tiny@1")
        >>> [size.rows for size in found.table.sizes]
        [1, 32, 1000]
        """
        model, rest = parse_model_reference(reference)
        version = self.call(registry.resolve, Resolve(model=model, reference=rest))
        name = NameVersion(model=model, version=version.version)
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self.call(show_engines, name)
            except NotFound:
                if version.digest is None or time.monotonic() > deadline:
                    raise
            time.sleep(POLL_S)
