"""Peers that people name are called, and nothing inside our own network is."""

from __future__ import annotations

import http.server
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mainspring.core import outbound
from mainspring.core.errors import Invalid, Unreachable
from mainspring.core.outbound import MAX_ANSWER, Allowed, checked_url, parse_allowed, post

NOTHING = Allowed()
LOOPBACK = parse_allowed("127.0.0.0/8")


class Peer(http.server.BaseHTTPRequestHandler):
    """Answers as its path says, and keeps what it was asked."""

    asked: list[tuple[str, str]] = []  # noqa: RUF012  of one test's server

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.asked.append((self.path, self.rfile.read(length).decode()))
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "/inside")
            self.end_headers()
            return
        self.send_response(503 if self.path == "/broken" else 200)
        self.end_headers()
        self.wfile.write(b"x" * (4 * MAX_ANSWER) if self.path == "/endless" else b"fine")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def peer() -> Iterator[str]:
    """The address of a real HTTP server."""
    Peer.asked = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Peer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def silent(greet: Callable[[socket.socket], None]) -> Iterator[str]:
    """A peer that takes the connection and never ends its answer."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hold() -> None:
            taken, _ = listener.accept()
            with taken:
                while not over.wait(0.05):
                    try:
                        greet(taken)
                    except OSError:
                        return

        thread = threading.Thread(target=hold)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        over.set()
        thread.join()


def send(url: str, let_through: Allowed = LOOPBACK, timeout_s: float = 5) -> outbound.Answer:
    return post(url, b"{}", {"Content-Type": "application/json"}, timeout_s, let_through)


def test_a_peer_that_is_allowed_gets_the_request(peer: str) -> None:
    answer = send(f"{peer}/hook?a=1")

    assert (answer.status, answer.body) == (200, b"fine")
    assert Peer.asked == [("/hook?a=1", "{}")]


def test_a_refusal_of_the_peer_is_an_answer_like_others(peer: str) -> None:
    assert send(f"{peer}/broken").status == 503


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.0.8",
        "::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1", "::127.0.0.1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a00:1::", "64:ff9b::7f00:1",
        "2001:0:7f00:1::", "64:ff9b:1::1",
    ],
)  # fmt: skip
def test_an_inner_address_is_refused(address: str) -> None:
    host = f"[{address}]" if ":" in address else address

    with pytest.raises(Invalid, match="not a public address") as caught:
        checked_url(f"https://{host}/hook", NOTHING)
    assert caught.value.field == "url"


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:8.8.8.8"])
def test_a_public_address_is_not_refused(address: str) -> None:
    host = f"[{address}]" if ":" in address else address

    assert checked_url(f"https://{host}/", NOTHING).port == 443


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost.", "a.localhost", "127.1", "2130706433", "0x7f.1", "0",
     "017700000001", "0177.0.0.1"],
)  # fmt: skip
def test_other_ways_to_write_an_inner_address_are_refused(host: str) -> None:
    with pytest.raises(Invalid, match="not a public address"):
        checked_url(f"http://{host}/", NOTHING)


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com",
        "http://", "http:///x", "http://[invalid", "http://example.com:0/", "http://e.com:99999/",
        "http://user:secret@example.com/", "http://user@example.com/", "http://exa mple.com/",
        "http://example.com/\r\nX: y", "http://example.com/\x00", "http://bücher.example/",
        f"http://example.com/{'a' * 2000}",
    ],
)  # fmt: skip
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked_url(url, NOTHING)
    assert caught.value.field == "url"


def test_a_name_is_looked_at_when_it_is_called(peer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of a public look that leads inside is refused before a byte is sent."""
    port = int(peer.rpartition(":")[2])
    _resolve(monkeypatch, "127.0.0.1", port)

    with pytest.raises(Invalid, match="not a public address"):
        send(f"http://peer.example:{port}/", NOTHING)
    assert Peer.asked == []


def test_one_inner_address_spoils_a_name(peer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(peer.rpartition(":")[2])
    _resolve(monkeypatch, "93.184.216.34", port, "127.0.0.1")

    with pytest.raises(Invalid, match="not a public address"):
        send(f"http://peer.example:{port}/", NOTHING)


def test_the_connection_goes_to_the_address_that_was_checked(
    peer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second look-up of a name that rebinds is never made."""
    port = int(peer.rpartition(":")[2])
    asked = _resolve(monkeypatch, "127.0.0.1", port)

    assert send(f"http://peer.example:{port}/", LOOPBACK).status == 200
    assert asked == ["peer.example"]


def _resolve(
    monkeypatch: pytest.MonkeyPatch, address: str, port: int, *more: str
) -> list[str | None]:
    """Let every name be at the addresses; answers the names that were asked for."""
    asked: list[str | None] = []

    def look_up(host: str | None, *_: object, **__: object) -> list[object]:
        asked.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in (address, *more)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_a_redirect_is_not_followed(peer: str) -> None:
    assert send(f"{peer}/elsewhere").status == 302
    assert [path for path, _ in Peer.asked] == ["/elsewhere"]


def test_a_proxy_of_the_environment_is_not_used(peer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:9")

    assert send(peer).status == 200


def test_of_an_endless_answer_only_the_beginning_is_read(peer: str) -> None:
    assert len(send(f"{peer}/endless").body) == MAX_ANSWER


@pytest.mark.parametrize(
    "greet",
    [
        lambda _: None,
        lambda taken: taken.sendall(b"X"),
        lambda taken: taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n."),
    ],
    ids=["says nothing", "drips a header", "drips a body"],
)
def test_a_peer_that_takes_its_time_is_left(greet: Callable[[socket.socket], None]) -> None:
    with silent(greet) as url, pytest.raises(Unreachable, match=r"no answer within 0\.4 s"):
        send(url, timeout_s=0.4)


def test_a_peer_that_is_not_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(Unreachable, match="could not be asked"):
        send(f"http://127.0.0.1:{port}/")


def test_a_name_that_is_nobodys_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="could not be resolved"):
        send("http://nobody.invalid/")


def test_a_peer_without_a_certificate_of_its_own_is_refused(peer: str) -> None:
    with pytest.raises(Unreachable):
        send(peer.replace("http:", "https:"))


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("10.0.0.0/8", "http://10.0.0.1/"),
        ("10.0.0.0/8", "http://[::ffff:10.0.0.1]/"),
        (" LocalHost , fd00::/8", "http://localhost:1/"),
        ("fd00::/8", "http://[fd00::1]/"),
        ("10.0.0.1", "http://10.0.0.1/"),
    ],
)
def test_the_setting_lets_hosts_and_networks_through(setting: str, url: str) -> None:
    assert checked_url(url, parse_allowed(setting)).target == "/"


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("", "http://10.0.0.1/"),
        ("10.0.0.0/8", "http://192.168.0.1/"),
        ("localhost", "http://127.0.0.1/"),
        ("10.0.0.1", "http://10.0.0.2/"),
    ],
)
def test_the_setting_lets_nothing_else_through(setting: str, url: str) -> None:
    with pytest.raises(Invalid, match="not a public address"):
        checked_url(url, parse_allowed(setting))


def test_the_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINSPRING_OUTBOUND_ALLOW", "hooks.internal, 10.0.0.0/8")

    assert outbound.allowed() == Allowed(
        frozenset({"hooks.internal"}), (ipaddress.ip_network("10.0.0.0/8"),)
    )
