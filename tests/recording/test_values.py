"""What people log, whatever it is: it is kept as well as it can be, and nothing is raised."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import fractions
import math
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.core.errors import Invalid
from mainspring.core.operation import FileClient
from mainspring.recording.config import Config, as_mapping
from mainspring.recording.sync import sync
from mainspring.recording.values import clean_key, number, plain, text
from tests.house import Clients
from tests.recording.lines import begun, told


@pytest.fixture
def transport() -> str:
    """Without HTTP."""
    return "in process"


@pytest.fixture
def database_kind() -> str:
    """On SQLite alone: nothing here is a store's business."""
    return "SQLite"


class Colour(enum.Enum):
    """A thing with a name."""

    RED = 1


class Refusing:
    """A thing that cannot even be printed."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


@dataclass
class Settings:
    """A configuration as a dataclass."""

    rate: float = 0.1
    depth: int = 6


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (1, 1.0), (True, 1.0), (0.5, 0.5), (np.float32(0.5), 0.5), (np.int64(3), 3.0),
        (np.array([2.5]), 2.5), (np.array(2.5), 2.5), (decimal.Decimal("0.5"), None),
        (fractions.Fraction(1, 2), 0.5), (10**400, math.inf), (-(10**400), -math.inf),
        ("0.5", None), (None, None), (np.array([1.0, 2.0]), None), ([], None), (object(), None),
        (np.bool_(True), 1.0),
    ],
)  # fmt: skip
def test_what_is_a_number(value: Any, found: float | None) -> None:
    assert number(value) == found


def test_names_are_mended() -> None:
    assert clean_key("f1@10") == "f1_10"
    assert clean_key("") == "_"
    assert clean_key(3) == "3"
    assert len(clean_key("x" * 1000)) == 250


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_any_configuration_can_be_said(value: Any) -> None:
    assert "\x00" not in text(plain(value), 6000)
    assert len(text(value, 50)) <= 50
    text(value, 6000).encode()


def test_configurations_of_all_kinds() -> None:
    wanted = {"rate": 0.1, "depth": 6}

    assert as_mapping(Settings()) == as_mapping(SimpleNamespace(**wanted)) == wanted
    assert as_mapping(Config(wanted)) == wanted
    assert as_mapping(None) == {}
    with pytest.raises(Invalid, match="a configuration is a mapping"):
        as_mapping(5)


def shipped(client: FileClient, spool: Path, run: Any) -> dict[str, Any]:
    run.finish()
    assert sync(spool, client, url=None, workspace="default").shipped == [run.id]
    return told(client, run.id)


def test_odd_values_are_left_out_and_said_once(
    clients: Clients, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = begun(clients.developer, spool, mode="offline")

    odd: Any = {
        "loss": 0.5, "nan": math.nan, "inf": -math.inf, "when": dt.date(2026, 1, 1),
        "colour": Colour.RED, "worse": Refusing(), "nothing": None, 3: 4.0,
        "many": np.zeros(3), "inner": {"deep": {"er": 1}}, "word": "fine",
    }  # fmt: skip
    for step in range(3):
        run.log(odd, step=step)
    broken: Any = None  # as a broken script has it
    run.log(broken)
    itself: dict[str, Any] = {}
    itself["again"] = itself
    run.log(itself)
    run.log_params(itself)
    run.log_dict(itself, "itself.json")
    run.log_params({"odd": Refusing(), "fine": 1})

    found = shipped(clients.developer, spool, run)
    steps = [0, 1, 2]
    assert {key: [step for step, _ in points] for key, points in found["points"].items()} == {
        "loss": steps, "nan": steps, "inf": steps, "3": steps, "inner/deep/er": steps,
    }  # fmt: skip
    assert [value for _, value in found["points"]["nan"]] == ["NaN"] * 3
    assert [value for _, value in found["points"]["inf"]] == ["-Infinity"] * 3
    assert found["tags"] == {"word": "fine"}
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(set(said))
    assert sum("not recorded" in one for one in said) == 3  # log, log_params, log_dict
    assert any("'when': a date is no number" in one for one in said)


@settings(
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    entries=st.dictionaries(
        st.text(max_size=300) | st.integers(), JSON | st.binary() | st.dates(), max_size=6
    )
)
def test_nothing_that_is_logged_ends_a_training(
    clients: Clients, spool: Path, entries: dict[Any, Any]
) -> None:
    run = begun(clients.developer, spool, mode="offline", config=entries)
    run.log(entries)
    run.log_params(entries)
    run.set_tags(entries)
    run.config.update(entries)
    run.log_dict(entries, "entries.json")
    run.log_text("\udc80", "text.txt")
    run.note("\udc80\x00")
    run.rename("\udc80")

    assert shipped(clients.developer, spool, run)["status"] == "finished"
    assert not (spool / "refused").exists() or len(clean_keys(entries)) < len(entries)


def clean_keys(entries: dict[Any, Any]) -> set[str]:
    """Names that are told apart after they were mended."""
    return {clean_key(str(key)) for key in entries}


def test_a_configuration_is_attributes_and_entries(clients: Clients, spool: Path) -> None:
    run = begun(
        clients.developer,
        spool,
        mode="offline",
        config={"rate": 0.1, "optimizer": {"name": "adam"}},
    )

    run.config.depth = 6
    run.config["rounds"] = 100
    run.config.update({"seed": 7}, jobs=2)
    run.config.setdefault("rate", 9)

    assert run.config.rate == 0.1
    with pytest.raises(AttributeError, match="no 'nothing'"):
        _ = run.config.nothing
    found = shipped(clients.developer, spool, run)
    assert found["config"] == {
        "rate": 0.1, "optimizer": {"name": "adam"}, "depth": 6, "rounds": 100, "seed": 7, "jobs": 2,
    }  # fmt: skip
    assert found["params"] == {
        "rate": "0.1", "optimizer.name": "adam", "depth": "6", "rounds": "100", "seed": "7",
        "jobs": "2",
    }  # fmt: skip
