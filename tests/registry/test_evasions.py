"""Every way around is refused and in the log, and leads to production once its defence is gone."""

from __future__ import annotations

import pytest

from mainspring.app import App
from mainspring.core.errors import NotFound
from mainspring.registry import contract
from mainspring.registry.contract import NameModel, Resolve
from tests import story
from tests.house import Clients, Clock
from tests.registry.evasions import Evasion, Scene
from tests.registry.rule_evasions import EVASIONS
from tests.story import MODEL

EVERY = pytest.mark.parametrize("evasion", EVASIONS.values(), ids=EVASIONS)
SAYS_NO = {
    "operation.refused",
    "promotion.undecided",
    "promotion.stale",
    "promotion.returned",
}


@pytest.fixture
def database_kind() -> str:
    """The rules see no database; that both keep them, the stateful test tries."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """What is taken away is taken away in this process."""
    return "in process"


@pytest.fixture
def scene(app: App, clients: Clients, clock: Clock) -> Scene:
    """Where the attack takes place."""
    return Scene(app, clients, clock)


def newest_is_in_production(clients: Clients) -> bool:
    try:
        model = clients.viewer.call(contract.show_model, NameModel(model=MODEL))
        request = Resolve(model=MODEL, reference="production")
        return clients.viewer.call(contract.resolve, request).version == model.versions
    except NotFound:
        return False


def is_told(clients: Clients) -> bool:
    """Whether the log says no, or what an approval still lacks."""
    if SAYS_NO & set(story.kinds(clients.viewer)):
        return True
    promotions = clients.viewer.call(contract.list_promotions, contract.ListPromotions(open=True))
    return any("approvals" in reason for one in promotions for reason in one.missing)


@EVERY
def test_it_is_refused_and_told(scene: Scene, evasion: Evasion) -> None:
    evasion.attack(scene)

    assert not newest_is_in_production(scene.clients)
    assert is_told(scene.clients)


@EVERY
def test_it_leads_to_production_without_its_defence(
    scene: Scene, evasion: Evasion, monkeypatch: pytest.MonkeyPatch
) -> None:
    evasion.remove(monkeypatch)

    evasion.attack(scene)

    assert newest_is_in_production(scene.clients)


def test_they_are_many() -> None:
    assert len(EVASIONS) >= 15
