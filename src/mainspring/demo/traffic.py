"""The flights as traffic: each is predicted before it leaves and labelled once it has landed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import msgspec
import numpy as np

from mainspring.core.errors import MainspringError, Unavailable, Unreachable
from mainspring.demo.flights import FEATURES, Flights
from mainspring.demo.setting import moment
from mainspring.demo.stage import Stage
from mainspring.interfaces.sdk.client import Client
from mainspring.interfaces.sdk.endpoint import Endpoint
from mainspring.monitoring.label_contract import Label, RecordLabels, record_labels

HOUR_MICROS = 3_600_000_000
BEAT_MICROS = 4 * HOUR_MICROS
"""Traffic comes in steps of this much event time: the flights of a step share a request."""
MAX_ROWS = 5_000
PATIENCE_S = 120.0


@dataclass(slots=True)
class Tally:
    """What was acknowledged, and how often a request had to be sent again."""

    predictions: int = 0
    labels: int = 0
    requests: int = 0
    retries: int = 0
    versions: dict[str, int] = field(default_factory=dict)


class Traffic:
    """Sends the flights of a stretch of time and the labels that become known in it."""

    def __init__(self, flights: Flights, chosen: np.ndarray, stage: Stage) -> None:
        self.tally = Tally()
        self._stage = stage
        self._flights = flights
        self._places = np.flatnonzero(chosen)
        self._departures = flights.scheduled_at[self._places]
        self._by_landing = self._places[np.argsort(flights.landed_at[self._places], kind="stable")]
        self._landings = flights.landed_at[self._by_landing]
        self._labelled = 0

    def beats(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The steps of a stretch of event time."""
        for at in range(start, end, BEAT_MICROS):
            yield at, min(at + BEAT_MICROS, end)

    def play(self, author: Client, endpoint: Endpoint, span: tuple[int, int]) -> None:
        """Predict the departures of the span, then tell what has landed by its end."""
        first, last = np.searchsorted(self._departures, span)
        if last > first:
            self._predict(endpoint, self._places[first:last])
        self.land(author, endpoint, span[1])

    def land(self, author: Client, endpoint: Endpoint, until: int) -> None:
        """Label every flight that has landed by then and is not labelled yet."""
        last = int(np.searchsorted(self._landings, until))
        while self._labelled < last:
            places = self._by_landing[self._labelled : min(last, self._labelled + MAX_ROWS)]
            labels = [
                Label(
                    request_id=self._flights.request_id[place],
                    value=float(self._flights.late[place]),
                    event_time=moment(int(self._flights.landed_at[place])),
                )
                for place in places
            ]
            request = RecordLabels(deployment=endpoint.name, labels=labels)
            self._patiently(lambda request=request: author.call(record_labels, request))
            self._labelled += len(labels)
            self.tally.labels += len(labels)

    def _predict(self, endpoint: Endpoint, places: np.ndarray) -> None:
        body = msgspec.json.encode({"inputs": self._tensors(places)})
        answer = self._patiently(lambda: self._post(endpoint, body))
        self.tally.requests += 1
        self.tally.predictions += len(places)
        version = answer["model_version"]
        self.tally.versions[version] = self.tally.versions.get(version, 0) + len(places)

    def _tensors(self, places: np.ndarray) -> list[dict[str, Any]]:
        rows = [len(places)]
        tensors = [
            {"name": name, "shape": rows, **_data(self._flights.inputs[name][places])}
            for name in FEATURES
        ]
        ids = [self._flights.request_id[place] for place in places]
        times = self._flights.scheduled_at[places].tolist()
        tensors.append(
            {"name": "mainspring.request_id", "datatype": "BYTES", "shape": rows, "data": ids}
        )
        tensors.append(
            {"name": "mainspring.event_time", "datatype": "INT64", "shape": rows, "data": times}
        )
        return tensors

    def _post(self, endpoint: Endpoint, body: bytes) -> dict[str, Any]:
        answer = endpoint.send(body)
        if answer.status_code >= 500:
            raise Unavailable(f"the deployment answered {answer.status_code}: {answer.text[:200]}")
        if answer.status_code >= 400:
            raise MainspringError(f"a prediction was refused: {answer.text[:500]}")
        found: dict[str, Any] = msgspec.json.decode(answer.content)
        return found

    def _patiently(self, send: Any) -> Any:
        """Send until it is acknowledged: the ids are the same, so nothing is counted twice."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return send()
            except (Unreachable, Unavailable, httpx2.TransportError):
                if time.monotonic() > deadline:
                    raise
                self.tally.retries += 1
                self._stage.bring_back()
                time.sleep(0.1)


def _data(values: np.ndarray) -> dict[str, Any]:
    if values.dtype.kind == "O":
        return {"datatype": "BYTES", "data": values.tolist()}
    if values.dtype.kind in "iu":
        return {"datatype": "INT64", "data": values.tolist()}
    numbers = values.astype(object)
    numbers[np.isnan(values)] = None
    return {"datatype": "FP64", "data": numbers.tolist()}
