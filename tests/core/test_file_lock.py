"""One holder at a time, and none that was only forked from the holder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mainspring.core.file_lock import FileLock
from tests.house import wait_until


def test_one_at_a_time_holds_it(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")

    assert first.take()
    assert first.take()
    assert not second.take()
    first.release()
    assert second.take()
    assert (first.held, second.held) == (False, True)
    second.release()


def test_the_death_of_its_holder_frees_it(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal, sys\n"
        "from mainspring.core.file_lock import FileLock\n"
        "assert FileLock(pathlib.Path(sys.argv[1])).take()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "lock")], check=False)

    assert FileLock(tmp_path / "lock").take()


def test_a_child_that_was_forked_meanwhile_does_not_keep_it(tmp_path: Path) -> None:
    lock, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert lock.take()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)  # until the parent has looked
        os._exit(0)
    try:
        assert not other.take()
        lock.release()
        wait_until(other.take)
    finally:
        os.close(write)
        os.close(read)
        os.waitpid(child, 0)
        other.release()
