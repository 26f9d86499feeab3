"""`mainspring`, `ms` and `python -m mainspring`: the command line."""

from __future__ import annotations

import sys

from mainspring.interfaces.cli.program import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
