"""The flights are all there, and nothing that is known only later is among the features."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mainspring.core.errors import Invalid
from mainspring.core.signature import Signature
from mainspring.demo import flights as module
from mainspring.demo import recipe
from mainspring.demo.flights import FEATURES, WEATHER, Flights, flights_of, load_flights

FOLDER = module._data_folder()
KNOWN_ONLY_LATER = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum")


@pytest.fixture(scope="module")
def tables() -> tuple[pa.Table, pa.Table, pa.Table]:
    with (
        zipfile.ZipFile(FOLDER / "flights.csv.zip") as archive,
        archive.open("flights.csv") as file,
    ):
        flights = module._read(file)
    return flights, module._read(FOLDER / "weather.csv"), module._read(FOLDER / "airports.csv")


@pytest.fixture(scope="module")
def flights() -> Flights:
    return load_flights()


def test_the_features_are_these() -> None:
    assert FEATURES == (
        "day_of_week",
        "hour",
        "minute",
        "arrival_minute",
        "block_minutes",
        "distance",
        "departures_in_hour",
        "carrier",
        "origin",
        "dest",
        "temp",
        "dewp",
        "humid",
        "wind_dir",
        "wind_speed",
        "wind_gust",
        "precip",
        "pressure",
        "visib",
    )


def test_the_counts_are_those_of_the_data(flights: Flights) -> None:
    assert len(flights) == 336_776
    assert flights.never_arrived == 9_430
    assert flights.late.sum() == 87_060
    assert np.bincount(flights.month).tolist()[1:] == [
        *(27_004, 24_951, 28_834, 28_330, 28_796, 28_243),
        *(29_425, 29_327, 27_574, 28_889, 27_268, 28_135),
    ]


def test_what_is_known_only_later_changes_no_feature(
    tables: tuple[pa.Table, pa.Table, pa.Table], flights: Flights
) -> None:
    table, weather, airports = tables
    shuffled = np.random.default_rng(0).permutation(len(table))
    for name in KNOWN_ONLY_LATER:
        table = table.set_column(
            table.column_names.index(name), name, table[name].take(pa.array(shuffled))
        )

    other = flights_of(table, weather, airports)

    assert not np.array_equal(other.late, flights.late)
    for name in FEATURES:
        np.testing.assert_array_equal(other.inputs[name], flights.inputs[name])


def test_the_weather_is_that_of_the_hour_before(
    tables: tuple[pa.Table, pa.Table, pa.Table], flights: Flights
) -> None:
    """Weather of the departure's own hour and later, spoilt, changes nothing for that flight."""
    table, weather, airports = tables
    noon = int(np.datetime64("2013-07-01T16", "h").astype(np.int64))
    spoilt = module._hours(weather) >= noon
    temp = np.where(spoilt, -999.0, weather["temp"].to_numpy())
    changed = weather.set_column(weather.column_names.index("temp"), "temp", pa.array(temp))

    other = flights_of(table, changed, airports).inputs["temp"]

    same = flights.scheduled_at < (noon + 1) * 60 * module.MICROS_A_MINUTE
    np.testing.assert_array_equal(other[same], flights.inputs["temp"][same])
    assert (other[~same][:500] == -999).all()


def test_the_first_flight_is_read_right(flights: Flights) -> None:
    """United 1545 of 1 January 2013, 05:15 from Newark to Houston, due there at 08:19."""
    first = {name: flights.inputs[name][0] for name in FEATURES}

    assert flights.request_id[0] == "2013-01-01-UA1545-EWR-0515"
    assert first["day_of_week"] == 1  # a Tuesday
    assert (first["hour"], first["minute"], first["arrival_minute"]) == (5, 15, 8 * 60 + 19)
    assert first["block_minutes"] == 4 * 60 + 4  # an hour is gained on the way
    assert (first["dest"], first["departures_in_hour"], first["temp"]) == ("IAH", 2, 39.92)
    # 11 minutes late by the data.
    assert _utc(flights.scheduled_at[0]) == np.datetime64("2013-01-01T10:15")
    assert _utc(flights.landed_at[0]) == np.datetime64("2013-01-01T14:30")
    assert not flights.late[0]


def test_flights_come_in_the_order_of_departure_and_land_later(flights: Flights) -> None:
    assert (np.diff(flights.scheduled_at) >= 0).all()
    assert (flights.landed_at > flights.scheduled_at).all()


def test_a_flight_that_never_arrived_is_late(flights: Flights) -> None:
    lost = ~flights.arrived
    waited = (flights.landed_at - flights.scheduled_at)[lost] // module.MICROS_A_MINUTE

    assert flights.late[lost].all()
    np.testing.assert_array_equal(waited, flights.inputs["block_minutes"][lost] + 15)


def test_request_ids_are_unique_and_stable(flights: Flights) -> None:
    assert len(set(flights.request_id)) == len(flights)
    assert flights.request_id == load_flights().request_id


def test_a_second_flight_of_the_same_name_gets_a_suffix(
    tables: tuple[pa.Table, pa.Table, pa.Table],
) -> None:
    table, weather, airports = tables
    twice = pa.concat_tables([table.slice(0, 1), table.slice(0, 1)])

    assert flights_of(twice, weather, airports).request_id == [
        "2013-01-01-UA1545-EWR-0515",
        "2013-01-01-UA1545-EWR-0515-2",
    ]


def test_only_the_weather_may_be_missing(flights: Flights) -> None:
    numeric = {name: flights.inputs[name] for name in FEATURES if name not in module.CATEGORICAL}

    missing = {name for name, values in numeric.items() if np.isnan(values).any()}

    assert missing == set(WEATHER)


class Notebook:
    """A run that writes everything down."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {"seed": 2013}
        self.params: dict[str, Any] = {}
        self.points: list[tuple[int, dict[str, float]]] = []
        self.names: set[str] = set()
        self.datasets: dict[str, pa.Table] = {}
        self.models: list[tuple[str, str, Signature, str]] = []

    def log_params(self, params: Mapping[str, Any]) -> None:
        self.params |= params

    def log(self, metrics: Mapping[str, float], *, step: int) -> None:
        self.points.append((step, dict(metrics)))

    def log_dataset(self, table: pa.Table, *, name: str, role: str) -> None:
        self.names.add(name)
        self.datasets[role] = table

    def log_model(self, text: str, *, engine: str, signature: Signature, task: str) -> None:
        self.models.append((text, engine, signature, task))


def rows(flights: Flights, n: int) -> pa.Table:
    columns: dict[str, Any] = {name: flights.inputs[name][:n] for name in FEATURES}
    columns["label"] = flights.late[:n].astype(np.int64)
    columns["event_time"] = pa.array(flights.scheduled_at[:n], pa.timestamp("us", tz="UTC"))
    return pa.table(columns)


def test_the_recipe_tells_the_run_everything(flights: Flights) -> None:
    run = Notebook()

    recipe.train(run, rows(flights, 20_000))

    assert run.params["seed"] == 2013
    assert run.params["num_leaves"] in (7, 15, 31)
    assert run.names == {"flights"}
    steps = [step for step, metrics in run.points if "training_auc" in metrics]
    assert steps == list(range(run.params["rounds"]))
    ((text, engine, signature, task),) = run.models
    assert text.startswith("tree")
    assert (engine, task) == ("lightgbm", "binary")
    assert tuple(column.name for column in signature.inputs) == FEATURES


def test_the_hold_out_is_the_last_fifth_of_the_days(flights: Flights) -> None:
    run = Notebook()

    recipe.train(run, rows(flights, 20_000))

    training, holdout = (
        np.unique(recipe._days(run.datasets[role])) for role in ("training", "holdout")
    )
    assert training.max() < holdout.min()
    assert len(holdout) == round(0.2 * (len(training) + len(holdout)))
    assert sum(len(table) for table in run.datasets.values()) == 20_000


def test_the_hold_out_is_a_fortnight_at_most() -> None:
    assert recipe._cut(np.arange(365)) == 365 - 14


def test_the_same_rows_give_the_same_model(flights: Flights) -> None:
    once, again = Notebook(), Notebook()

    recipe.train(once, rows(flights, 20_000))
    recipe.train(again, rows(flights, 20_000))

    assert once.models[0][0] == again.models[0][0]


def test_rows_out_of_order_are_refused(flights: Flights) -> None:
    table = rows(flights, 1000)

    with pytest.raises(Invalid, match="not in the order of their event times"):
        recipe.train(Notebook(), table.take(list(reversed(range(1000)))))


def test_rows_of_one_day_are_refused(flights: Flights) -> None:
    with pytest.raises(Invalid, match="found rows of 1 days"):
        recipe.train(Notebook(), rows(flights, 100))


def test_the_package_is_found_where_it_is_installed() -> None:
    assert (Path(FOLDER) / "flights.csv.zip").is_file()


def _utc(micros: int) -> np.datetime64:
    return np.datetime64(int(micros), "us")
