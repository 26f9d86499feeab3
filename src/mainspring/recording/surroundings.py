"""What surrounds a run is found out beside it: code and environment take half a second to read."""

from __future__ import annotations

import logging
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.recording import capture
from mainspring.recording.capture import Entry
from mainspring.recording.duplicates import setup_digest
from mainspring.recording.forking import importing
from mainspring.recording.values import plain
from mainspring.tracking.surroundings_contract import DescribeRun

if TYPE_CHECKING:
    from mainspring.recording.run import Run

PATIENCE_S = 20.0
CAPTURE_THREAD = "mainspring-capture"

log = logging.getLogger("mainspring.run")


class Surroundings:
    """Reads what surrounds one run, and writes it down."""

    def __init__(self, run: Run, entry: Entry | None) -> None:
        self._run = run
        self._entry = entry or capture.entry_point()
        self._config = plain(dict(run.config))

    def begin(self, *, wait: bool) -> None:
        """Read in a thread; or now, if the run must not go on before it is known to be new."""
        if wait:
            self._code()
            self._rest()
            return
        thread = threading.Thread(target=self._read, name=CAPTURE_THREAD, daemon=True)
        self._run.observers.add(stop=lambda: thread.join(PATIENCE_S))
        thread.start()

    def _read(self) -> None:
        try:
            with importing():
                self._code()
                self._rest()
        except Exception:  # odd repositories, odd machines: the training goes on
            log.debug("reading what surrounds run %s", self._run.id, exc_info=True)

    def _code(self) -> None:
        found = capture.code(self._entry)
        setup = setup_digest(self._config, found.document)
        self._run.describe(DescribeRun(run=self._run.id, code=found.document, setup=setup))
        with tempfile.TemporaryDirectory() as folder:
            for name, content in found.files.items():
                path = Path(folder) / Path(name).name
                path.write_bytes(content)
                self._run.log_artifact(path, name=name)
        self._run.duplicates.set_up(setup)

    def _rest(self) -> None:
        environment = plain(capture.environment(self._entry.interpreter))
        self._run.describe(DescribeRun(run=self._run.id, environment=environment))
