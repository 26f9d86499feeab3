"""Who may come in without a token: the programs of the user who runs the server, and no web page."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Scope

from mainspring.interfaces.http.local_peer import Kernel

LOOPBACK = ("127.0.0.1", "::1")
FORWARDED = frozenset((b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"))
"""Headers of proxies: what one of this user's passes on is of somebody else."""


class Household:
    """Recognises those who could read the home's token file anyway."""

    def __init__(self) -> None:
        self._kernel = Kernel()

    def is_at_home(self, scope: Scope, headers: Mapping[bytes, bytes]) -> bool:
        """Whether the request comes over loopback from a program of this process's user.

        A browser of the same user runs other people's pages: what it sends on their behalf carries an
        Origin or says that it comes from elsewhere, and is nobody's of this house.
        """
        if b"origin" in headers or headers.get(b"sec-fetch-site", b"none") != b"none":
            return False
        if not FORWARDED.isdisjoint(headers):
            return False
        peer, here = scope.get("client"), scope.get("server")
        if not peer or not here or peer[0] not in LOOPBACK:
            return False
        return self._kernel.is_same_user((peer[0], peer[1]), (here[0], here[1]))
