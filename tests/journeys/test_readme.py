"""The README's own words, run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import ListEvents
from mainspring.demo import own_words as own
from mainspring.deployment import contract as deployments
from mainspring.deployment.contract import NameDeployment
from mainspring.interfaces.sdk.client import Client
from mainspring.monitoring import contract as monitoring
from mainspring.monitoring.contract import ListOfDeployment
from mainspring.monitoring.label_contract import CountLabels, count_labels
from mainspring.monitoring.prediction_log import count_predictions
from mainspring.registry import contract as registry
from mainspring.registry.contract import ListPromotions, Promotion
from mainspring.retraining import contract as retraining
from mainspring.retraining.contract import ListRetrainings, NameModel
from tests.house import wait_until
from tests.journeys.conftest import Server

pytestmark = pytest.mark.journey

README = Path(__file__).parents[2] / "README.md"
ROWS = 5000
PATIENCE_S = 60.0


def own_words() -> str:
    """The chapter that is run."""
    text = README.read_text()
    return text[text.index("## In your own words") : text.index("## What works")]


def files() -> dict[str, str]:
    """The Python files that the chapter prints, by the name before each."""
    return dict(re.findall(r"`(\w+\.py)`:\n\n```python\n(.*?)```", own_words(), re.DOTALL))


def commands() -> list[str]:
    """The shell blocks of the chapter, in order: up, the loop, a retraining, its approval."""
    return re.findall(r"```bash\n(.*?)```", own_words(), re.DOTALL)


def promotion_of(client: Client, version: int) -> Promotion:
    listed = client.call(registry.list_promotions, ListPromotions(model="late"))
    return next(one for one in listed if one.version == version)


def retraining_states(client: Client) -> list[str]:
    listed = client.call(retraining.list_retrainings, ListRetrainings(model="late"))
    return [one.state for one in listed]


def kinds_of(client: Client) -> set[str]:
    """Every kind of event that the model's story has."""
    page = client.call(administration.list_events, ListEvents(model="late", limit=1000))
    return {event.kind for event in page.items}


def test_the_chapter_has_the_blocks_that_are_run() -> None:
    assert sorted(files()) == ["loop.py", "recipe.py"]
    assert [block.split()[0] for block in commands()] == [
        "mainspring",
        "mainspring",
        "mainspring",
        "MAINSPRING_TOKEN=$ADA_TOKEN",
    ]
    assert commands()[0] == "mainspring up\n"


def test_the_demo_prints_the_same_lines() -> None:
    assert files() == {"recipe.py": own.RECIPE, "loop.py": own.LOOP}
    assert commands()[1] == own.SHELL


def test_the_readme_closes_the_loop(server: Server, tmp_path: Path) -> None:
    up, the_loop, again, approval = commands()
    assert up.startswith("mainspring up")  # the fixture has done it, on a free port
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    client = Client(home=server.home)

    # Python's answer and ada's token: what the next shell of the reader would have.
    said = server.shell(f'{the_loop}printf %s "$ADA_TOKEN" > ada.token\n', tmp_path)
    place = client.call(deployments.show, NameDeployment(deployment="late"))
    assert "[0." in said
    assert (place.state, place.served) == ("ready", 1)
    assert promotion_of(client, 1).approvals[0].person == "ada"
    assert place.log_folder is not None
    assert count_predictions(Path(place.log_folder), None, None) == ROWS
    assert client.call(count_labels, CountLabels(deployment="late")).count == ROWS
    assert client.call(monitoring.list_monitors, ListOfDeployment(deployment="late"))
    policy = client.call(retraining.show_policy, NameModel(model="late"))
    assert (policy.level, policy.recipe) == (2, "recipe:train")

    server.shell(again, tmp_path)
    wait_until(
        lambda: retraining_states(client)[0] not in ("requested", "training", "validating"),
        PATIENCE_S,
    )
    assert retraining_states(client) == ["waiting"], promotion_of(client, 2)
    assert {verdict.outcome for verdict in promotion_of(client, 2).verdicts} == {"passed"}

    token = (tmp_path / "ada.token").read_text()
    server.shell(approval, tmp_path, ADA_TOKEN=token)
    wait_until(lambda: retraining_states(client) == ["done"], PATIENCE_S)
    assert client.call(deployments.show, NameDeployment(deployment="late")).served == 2
    assert {"suite.declared", "verdict.recorded", "retraining.done"} <= kinds_of(client)
    client.close()
