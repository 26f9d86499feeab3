"""Give memory back, and do not look for garbage where there is none."""

from __future__ import annotations

import ctypes
import gc

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


def collect_rarely() -> None:
    """Look for cycles less often, and never among what start-up made: it lives as long as we do.

    A large answer is a hundred thousand small objects, and each 2,000 of them would start a search.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
