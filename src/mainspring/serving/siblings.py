"""How the processes of one data plane tell each other what to do: a line each way, on Unix sockets.

The folder of the sockets is open to nobody else, so whoever can ask may ask.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from mainspring.core.errors import MainspringError
from mainspring.serving.metrics import Counts

PATIENCE_S = 60.0
LONGEST = 16 * 2**20

Handler = Callable[[], Awaitable[object]]
log = logging.getLogger(__name__)


class Heard(msgspec.Struct):
    """What a sibling answered: a value, or why there is none."""

    value: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


class Siblings:
    """The processes beside this one."""

    def __init__(self, folder: Path, number: int, workers: int) -> None:
        self._folder = folder
        self._number = number
        self._workers = workers
        self._server: asyncio.Server | None = None

    async def listen(self, handlers: Mapping[str, Handler]) -> None:
        """Do what the others ask from now on."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                command = (await reader.readline()).decode().strip()
                writer.write(await _answer(handlers, command) + b"\n")
                await writer.drain()
            writer.close()

        path = self._socket(self._number)
        path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(serve, path, limit=LONGEST)

    async def ask(self, command: str) -> dict[int, Heard | None]:
        """What each of the others answers; None of one that is not there."""
        others = [number for number in range(self._workers) if number != self._number]
        heard = await asyncio.gather(*(self._ask(number, command) for number in others))
        return dict(zip(others, heard, strict=True))

    async def _ask(self, number: int, command: str) -> Heard | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_unix_connection(
                    self._socket(number), limit=LONGEST
                )
                writer.write(command.encode() + b"\n")
                line = await reader.readline()
                writer.close()
                return msgspec.json.decode(line, type=Heard)
        except (OSError, TimeoutError, msgspec.DecodeError):
            return None

    def keep(self, counts: Counts) -> None:
        """Leave what this process has counted, for the one that takes its place."""
        path = self._folder / f"{self._number}.counts"
        aside = path.with_suffix(".part")
        aside.write_bytes(msgspec.json.encode(counts))
        aside.replace(path)

    def left_by(self, number: int) -> Counts:
        """What a process had counted when it last wrote it down."""
        try:
            raw = (self._folder / f"{number}.counts").read_bytes()
        except FileNotFoundError:
            return Counts()
        left = msgspec.json.decode(raw, type=Counts)
        left.in_flight = 0
        return left

    def left_here(self) -> Counts:
        """What the process whose place this one takes had counted."""
        return self.left_by(self._number)

    def _socket(self, number: int) -> Path:
        return self._folder / f"{number}.sock"


async def _answer(handlers: Mapping[str, Handler], command: str) -> bytes:
    handler = handlers.get(command)
    if handler is None:
        return msgspec.json.encode({"error": f"nobody here knows {command!r}"})
    try:
        return msgspec.json.encode({"value": await handler()})
    except MainspringError as error:
        return msgspec.json.encode({"error": error.message})
    except Exception as error:
        log.exception("%s failed", command)
        return msgspec.json.encode({"error": str(error) or type(error).__name__})
