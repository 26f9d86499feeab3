"""Give memory back: glibc keeps what many threads once used, unless it is told not to."""

from __future__ import annotations

import ctypes

M_ARENA_MAX = -8
"""mallopt(3): how many separate heaps threads may spread over."""
ARENAS = 2


def use_few_heaps() -> None:
    """Call it before threads start; does nothing where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Return free pages to the system; does nothing where the C library is not glibc."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
