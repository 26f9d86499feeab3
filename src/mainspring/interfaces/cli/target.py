"""Where a command writes what it exports: a file that is there whole or as it was before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mainspring.core.errors import Invalid
from mainspring.core.ids import new_id


@contextmanager
def target(file: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that is there whole or as it was before."""
    if file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    into = file.exists() and not file.is_file()  # a pipe or a device is not replaced
    whole = file if into else file.resolve()  # nor is a link to a file
    aside = whole.with_name(f".{new_id()}.part")
    try:
        whole.parent.mkdir(parents=True, exist_ok=True)
        with whole.open("wb") if into else aside.open("xb") as opened:
            yield opened
        if not into:
            aside.replace(whole)
    except OSError as error:
        raise Invalid(
            f"{file} cannot be written: {error.strerror}",
            field="output",
            fix="-o another place; what was there is as it was",
        ) from error
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
