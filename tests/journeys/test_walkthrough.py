"""The walk through the gate, as its page prints it: real processes, people, a robot, a verified log."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import ListEvents
from mainspring.interfaces.sdk.client import Client
from mainspring.registry import contract as registry
from mainspring.registry.contract import ListPromotions, NameModel, Promotion
from mainspring.registry.model import Model
from tests.house import wait_until
from tests.journeys.conftest import Server

pytestmark = [pytest.mark.journey, pytest.mark.slow]

PAGE = Path(__file__).parents[2] / "docs" / "walkthrough.md"
PATIENCE_S = 60.0


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def an_hour_passes(server: Server) -> None:
    """Nobody can wait for it here: the moment until which it can be confirmed is moved up."""
    with sqlite3.connect(server.home / "mainspring.db") as database:
        database.execute("update promotion set expires_at = recorded_at where state = 'overridden'")


class Walk:
    """Types the page's blocks in one shell after the other, as its reader does."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.client = Client(home=server.home)
        self._folder = folder
        self._blocks = iter(blocks("bash"))
        (script,) = blocks("python")
        (folder / "train.py").write_text(script)
        (folder / "tokens.sh").write_text("")

    def on(self) -> str:
        """Type the next block; answers what it prints."""
        keep = "\nexport -p | grep _TOKEN= > tokens.sh || true\n"
        return self.server.shell(
            f"exec 2>&1\n. ./tokens.sh\n{next(self._blocks)}{keep}", self._folder
        )

    @property
    def model(self) -> Model:
        return self.client.call(registry.show_model, NameModel(model="late"))

    @property
    def promotions(self) -> list[Promotion]:
        """The oldest first."""
        return self.client.call(registry.list_promotions, ListPromotions(model="late"))[::-1]

    def kinds(self) -> list[str]:
        request = ListEvents(model="late", limit=1000)
        return [one.kind for one in self.client.call(administration.list_events, request).items]


def test_the_walk(server: Server, tmp_path: Path) -> None:
    walk = Walk(server, tmp_path)
    walk.on()
    walk.on()
    _is_refused(walk)
    _is_approved_by_the_right_person(walk)
    _goes_past_and_comes_back(walk)
    _is_told(walk)
    walk.client.close()


def _is_refused(walk: Walk) -> None:
    said = walk.on()

    assert "exit code 3" in said
    assert "recorded no hold-out data" in said
    assert "the suite for 'production' was declared at" in said
    assert "intended_use" in said
    assert walk.model.production is None


def _is_approved_by_the_right_person(walk: Walk) -> None:
    assert "exit code 5" in walk.on()
    assert [(one.version, one.state) for one in walk.promotions] == [(2, "waiting")]

    said = walk.on()

    assert "'dora' took part in making or asking for this" in said
    assert "exit code 3" in said
    assert walk.model.production == 2


def _goes_past_and_comes_back(walk: Walk) -> None:
    said = walk.on()
    assert "'paul' took part in making or asking for this" in said
    assert walk.model.production == 3
    assert walk.model.unconfirmed == walk.promotions[-1].id

    an_hour_passes(walk.server)
    wait_until(lambda: walk.model.production == 2, PATIENCE_S)

    walk.on()
    assert walk.model.unconfirmed is None
    assert [one.state for one in walk.promotions] == ["promoted", "returned"]


def _is_told(walk: Walk) -> None:
    said, kinds = walk.on(), walk.kinds()

    for kind in ("promotion.approved", "promotion.overridden", "promotion.returned"):
        assert kind in said
        assert kinds.count(kind) == 1
    assert kinds.count("version.rolled_back") == 1
    refused = walk.client.call(administration.list_events, ListEvents(outcome="refused"))
    assert [event.actor for event in refused.items] == ["ci", "dora", "paul"]
