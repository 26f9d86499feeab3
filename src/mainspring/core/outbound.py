"""The one way out: HTTP to peers that people named, and never to what lies inside our own network.

A URL that somebody may choose is a way to make the server ask things that only it can reach. So the
host is resolved once, every address is checked, and the connection goes to a checked address: a name
that resolves to something else the second time gains nothing. No redirect is followed, no proxy of
the environment is used, and an answer is bounded in size and time.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from mainspring.core.errors import Invalid, Unreachable
from mainspring.core.settings import read_variable

MAX_URL = 2000
MAX_ANSWER = 64 << 10
"""Bytes of an answer that are read; the rest is left with the peer."""
PORTS = {"http": 80, "https": 443}
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
SPECIAL = tuple(
    ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "fec0::/10")
)
"""Networks of special use that Python takes for public ones."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Allowed:
    """The hosts and networks that may be called although they are not public."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    def has(self, host: str, address: Address) -> bool:
        """Whether the peer is one of them, by its name or by its address."""
        return host in self.hosts or any(
            part in network
            for part in _inside(address)
            for network in self.networks
            if part.version == network.version
        )


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a request goes."""

    scheme: str
    host: str
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the peer said."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def allowed() -> Allowed:
    """What the setting lets through."""
    return parse_allowed(read_variable("MAINSPRING_OUTBOUND_ALLOW") or "")


def parse_allowed(text: str) -> Allowed:
    """Read a list of hosts and networks, separated by commas."""
    hosts, networks = [], []
    for part in filter(None, (part.strip().lower() for part in text.split(","))):
        try:
            networks.append(ipaddress.ip_network(part, strict=False))
        except ValueError:
            hosts.append(part.strip("[]").rstrip("."))
    return Allowed(frozenset(hosts), tuple(networks))


def checked_url(url: str, let_through: Allowed) -> Peer:
    """Where the URL leads; refuses what is no plain public address, as far as one sees it by itself.

    What a name resolves to is looked at when it is called, and not before.
    """
    parts, port = _split(url)
    host = (parts.hostname or "").rstrip(".")
    target = parts.path or "/"
    if parts.query:
        target = f"{target}?{parts.query}"
    peer = Peer(parts.scheme, host, port or PORTS[parts.scheme], target)
    literal = _literal(host)
    if literal is not None:
        _refuse_inner(peer, literal, let_through)
    elif (host == "localhost" or host.endswith(".localhost")) and host not in let_through.hosts:
        _refuse_inner(peer, ipaddress.ip_address("127.0.0.1"), let_through)
    return peer


def post(
    url: str, body: bytes, headers: Mapping[str, str], timeout_s: float, let_through: Allowed
) -> Answer:
    """Send the body and read the answer, whatever its status; raises `Unreachable` if there is none."""
    peer = checked_url(url, let_through)
    addresses = _resolved(peer, let_through)
    deadline = _Deadline(timeout_s)
    try:
        connection = _connected(peer, addresses, deadline, timeout_s)
        try:
            connection.request("POST", peer.target, body, dict(headers))
            response = connection.getresponse()
            said = response.read(MAX_ANSWER)
            if deadline.passed:  # the answer was cut off, which looks like its end
                raise TimeoutError("the time is over")
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, said)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        # The socket's own timeout may end the wait a moment before the deadline is noted.
        late = deadline.passed or isinstance(error, TimeoutError)
        why = f"no answer within {timeout_s:g} s" if late else _in_words(error)
        raise Unreachable(f"{peer.host}:{peer.port} could not be asked: {why}") from error
    finally:
        deadline.end()


def _split(url: str) -> tuple[SplitResult, int | None]:
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise Invalid(
            f"a URL has at most {MAX_URL} plain characters, others percent-encoded", field="url"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(f"no URL: {error}", field="url") from error
    if parts.scheme not in PORTS:
        raise Invalid(f"the scheme is {parts.scheme!r}, wanted https or http", field="url")
    if not parts.hostname or port == 0:
        raise Invalid("the URL names no host and port", field="url")
    if "@" in parts.netloc:
        raise Invalid("a URL carries no user name or password", field="url")
    return parts, port


def _literal(host: str) -> Address | None:
    """The address that a host is written as; the old short forms of IPv4 are addresses as well."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _resolved(peer: Peer, let_through: Allowed) -> list[tuple[int, tuple[object, ...]]]:
    """The checked addresses to connect to; one that is refused spoils the name."""
    try:
        found = socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"{peer.host} could not be resolved: {_in_words(error)}") from error
    for _, _, _, _, place in found:
        _refuse_inner(peer, ipaddress.ip_address(str(place[0]).partition("%")[0]), let_through)
    return [(int(family), place) for family, _, _, _, place in found]


def _refuse_inner(peer: Peer, address: Address, let_through: Allowed) -> None:
    if let_through.has(peer.host, address):
        return
    if any(_is_inner(part) for part in _inside(address)):
        raise Invalid(
            f"{peer.host!r} is at {address}, which is not a public address",
            field="url",
            fix="whoever runs the server may allow it: MAINSPRING_OUTBOUND_ALLOW",
        )


def _is_inner(address: Address) -> bool:
    special = any(address.version == one.version and address in one for one in SPECIAL)
    return special or address.is_multicast or address.is_reserved or not address.is_global


def _inside(address: Address) -> list[Address]:
    """The address, and the IPv4 ones that it stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    found: list[Address | None] = [address.ipv4_mapped, address.sixtofour]
    if address.teredo is not None:
        found += list(address.teredo)
    if address in NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    inner = [part for part in found if part is not None]
    # A mapped address is nothing of its own; the tunnels are addresses like others.
    return inner if address.ipv4_mapped is not None or address in NAT64 else [address, *inner]


def _connected(
    peer: Peer,
    addresses: list[tuple[int, tuple[object, ...]]],
    deadline: _Deadline,
    timeout_s: float,
) -> http.client.HTTPConnection:
    fault: OSError = OSError("it has no address")
    for family, place in addresses:
        plain = socket.socket(family, socket.SOCK_STREAM)
        plain.settimeout(timeout_s)
        deadline.watch(plain)
        try:
            plain.connect(place)
        except OSError as error:
            plain.close()
            fault = error
            continue
        return _over(plain, peer, deadline)
    raise fault


def _over(plain: socket.socket, peer: Peer, deadline: _Deadline) -> http.client.HTTPConnection:
    if peer.scheme == "http":
        connection = http.client.HTTPConnection(peer.host, peer.port)
        connection.sock = plain
        return connection
    context = ssl.create_default_context()
    try:
        secure = context.wrap_socket(
            plain, server_hostname=peer.host, do_handshake_on_connect=False
        )
    except BaseException:
        plain.close()
        raise
    deadline.watch(secure)
    try:
        secure.do_handshake()
    except BaseException:
        secure.close()
        raise
    connection = http.client.HTTPSConnection(peer.host, peer.port)
    connection.sock = secure
    return connection


def _in_words(error: Exception) -> str:
    return str(error) or type(error).__name__


class _Deadline:
    """Ends the socket that is in use when the time is over: a peer that drips bytes gains nothing."""

    def __init__(self, timeout_s: float) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(timeout_s, self._strike)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, used: socket.socket) -> None:
        """The socket to end, from now on."""
        self._socket = used
        if self.passed:
            used.close()
            raise TimeoutError("the time is over")

    def end(self) -> None:
        """The request is over."""
        self._timer.cancel()

    def _strike(self) -> None:
        self.passed = True
        if self._socket is not None:
            with suppress(OSError):  # it may be closed already
                self._socket.shutdown(socket.SHUT_RDWR)
