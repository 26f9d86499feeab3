"""`python -m mainspring.serving --snapshot FILE`: one data plane, until SIGTERM."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mainspring.core.errors import MainspringError
from mainspring.serving.binding import bound
from mainspring.serving.group import Group
from mainspring.serving.snapshot import read_snapshot


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop; the exit code of a refusal is its error's."""
    parser = argparse.ArgumentParser(prog="python -m mainspring.serving", description=__doc__)
    parser.add_argument("--snapshot", type=Path, required=True, metavar="FILE")
    path: Path = parser.parse_args(arguments).snapshot
    try:
        snapshot = read_snapshot(path)
        if snapshot.grpc_port is not None:
            # The processes share this port, and would share it with another data plane as well.
            bound(snapshot.host, snapshot.grpc_port).close()
        with bound(snapshot.host, snapshot.port) as listener:
            return Group(path, snapshot, listener).run()
    except MainspringError as error:
        text = f"{error.message}; {error.fix}" if error.fix else error.message
        sys.stderr.write(f"mainspring.serving: {text}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
