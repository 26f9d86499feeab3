"""How often a password was guessed wrongly, by name and address: each guess more waits longer."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable

from mainspring.core.errors import Throttled

FREE = 5
"""Wrong passwords that cost nothing: people mistype."""
LONGEST_S = 300.0
FORGOTTEN_S = 3600.0
REMEMBERED = 10_000
"""Pairs of name and address; beyond them the oldest is forgotten."""


class Guesses:
    """Counts failures. What somebody does at one address slows nobody at another."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def check(self, name: str, address: str) -> None:
        """Refuse, known name or not, while the last failure is too fresh."""
        count, last = self._failures.get(_pair(name, address), (0, 0.0))
        wait = last + pause(count) - self._clock()
        if count > FREE and wait > 0:
            raise Throttled(
                f"{count} wrong passwords for {name!r} from this address",
                retry_after_s=math.ceil(wait),
            )

    def failed(self, name: str, address: str) -> None:
        """One more."""
        pair, now = _pair(name, address), self._clock()
        count, last = self._failures.pop(pair, (0, now))
        self._failures[pair] = (1 if now - last > FORGOTTEN_S else count + 1, now)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures."""
        self._failures.pop(_pair(name, address), None)


def pause(failures: int) -> float:
    """Seconds until the next guess: none at first, then 1, 2, 4, 8, ..."""
    return 0.0 if failures <= FREE else min(2.0 ** min(failures - FREE - 1, 30), LONGEST_S)


def network(address: str) -> str:
    """What one client can have at will: an address, or with IPv6 a whole /64."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)).network_address)


def _pair(name: str, address: str) -> tuple[str, str]:
    return name, network(address)
