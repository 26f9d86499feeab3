"""The house with its jobs being done, and a receiver outside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mainspring.app import App
from mainspring.core.ids import new_id
from mainspring.courier import Courier
from mainspring.dispatcher import LaneThread
from tests.house import SERVICE
from tests.webhooks.receiver import Receiver, receiving


@pytest.fixture
def let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine may be called."""
    monkeypatch.setenv("MAINSPRING_OUTBOUND_ALLOW", "127.0.0.0/8")
    monkeypatch.setenv("MAINSPRING_WEBHOOK_TIMEOUT", "2")
    monkeypatch.setenv("MAINSPRING_WEBHOOK_ATTEMPTS", "3")


@pytest.fixture
def receiver(let_through: None) -> Iterator[Receiver]:
    """An address outside."""
    with receiving() as found:
        yield found


@pytest.fixture
def other_receiver(let_through: None) -> Iterator[Receiver]:
    """Another one."""
    with receiving() as found:
        yield found


@pytest.fixture
def at_work(app: App, tokens: dict[str, str], let_through: None) -> Iterator[None]:
    """The server's quick reactions, and the courier."""
    threads: list[LaneThread | Courier] = [
        LaneThread(app, "server", new_id(), tokens[SERVICE]),
        Courier(app, tokens[SERVICE]),
    ]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.stop()
    for thread in threads:
        thread.join(10)
