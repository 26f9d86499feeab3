"""A deployment as a caller sees it: rows in, predictions out, the truth told later."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

from mainspring.core.clock import to_micros, utc_now
from mainspring.core.errors import Invalid, Unreachable
from mainspring.core.operation import FileClient
from mainspring.deployment.contract import Deployment
from mainspring.monitoring.label_contract import (
    Label,
    LabelCoverage,
    ReadCoverage,
    RecordedLabels,
    read_coverage,
)
from mainspring.monitoring.label_delivery import record
from mainspring.serving.reserved import EVENT_TIME, REQUEST_ID, ids_of_rows


class Endpoint:
    """Asks one deployment by the Open Inference Protocol.

    >>> endpoint = client.endpoint("tiny")
    >>> endpoint.name
    'tiny'
    """

    def __init__(self, client: FileClient, deployment: Deployment, token: str) -> None:
        assert deployment.url is not None
        self.name = deployment.name
        self.model = deployment.model
        self.url = deployment.url
        self._client = client
        self._http = httpx2.Client(
            base_url=deployment.url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=60.0,
            trust_env=False,
        )
        self._datatypes: dict[str, str] = {}

    def close(self) -> None:
        """Close the connections.

        >>> client.endpoint("tiny").close()
        """
        self._http.close()

    def predict(
        self,
        rows: Any,
        *,
        request_ids: Sequence[str] | None = None,
        event_times: Sequence[dt.datetime] | None = None,
    ) -> dict[str, list[Any]]:
        """Predict for columns of values, or for a table.

        Answers the outputs by name, and under `request_id` the id of each row, by which the truth
        can be told later. Sending the same ids again records nothing twice.

        >>> found = endpoint.predict({"x": [0.0, 1.0]}, request_ids=["a", "b"])
        >>> found["request_id"]
        ['a', 'b']
        """
        columns = _columns(rows)
        body = {"inputs": self._tensors(columns, request_ids, event_times)}
        answer = self._ask("POST", f"/v2/models/{self.model}/infer", body)
        found = {tensor["name"]: tensor["data"] for tensor in answer["outputs"]}
        rows = len(body["inputs"][0]["data"])
        ids = request_ids if request_ids is not None else ids_of_rows(answer["id"], rows)
        return {**found, "request_id": list(ids)}

    def send(self, body: bytes) -> httpx2.Response:
        """Send an inference request as it is; for callers that build their own.

        >>> endpoint.send(b'{"inputs": []}').status_code
        400
        """
        path = f"/v2/models/{self.model}/infer"
        headers = {"Content-Type": "application/json"}
        return self._http.post(path, content=body, headers=headers)

    def log_truth(
        self,
        truth: Mapping[str, float],
        *,
        event_time: dt.datetime | Mapping[str, dt.datetime] | None = None,
    ) -> int:
        """Tell what turned out to be true, by request id; answers how many were news.

        `event_time` is when it became known, for all or by request id; now if not given.

        >>> endpoint.log_truth({"a": 0, "b": 1})
        2
        """
        times = event_time if isinstance(event_time, Mapping) else {}
        same = event_time if isinstance(event_time, dt.datetime) else utc_now()
        labels = [
            Label(request_id=key, value=float(value), event_time=times.get(key, same))
            for key, value in truth.items()
        ]
        return record(self._client, self.name, labels).count

    def label(
        self,
        values: Sequence[float],
        *,
        request_ids: Sequence[str] | None = None,
        entity_keys: Sequence[str] | None = None,
        about: dt.datetime | Sequence[dt.datetime] | None = None,
        event_time: dt.datetime | Sequence[dt.datetime] | None = None,
    ) -> RecordedLabels:
        """Tell what turned out to be true, by request id, or by entity and the time it is about.

        A label by entity is about the entity's latest prediction at or before `about`. `event_time`
        is when it became known; now if not given. Times are one for all or one for each. Sending
        the same again has no effect, another value is a correction; the answer says how many were
        what.

        >>> endpoint.label([0.0, 0.0], request_ids=["a", "b"]).corrected
        1
        """
        rows = len(values)
        columns = {
            "request_id": _given("request_ids", request_ids, rows),
            "entity_key": _given("entity_keys", entity_keys, rows),
            "about": _given("about", about, rows),
            "event_time": _given("event_time", event_time or utc_now(), rows),
        }
        labels = [
            _label({"value": float(value), **{name: one[at] for name, one in columns.items()}})
            for at, value in enumerate(values)
        ]
        return record(self._client, self.name, labels)

    def coverage(self, since: dt.datetime, until: dt.datetime) -> LabelCoverage:
        """Of how many predictions of a stretch of event time the truth is known.

        >>> import datetime as dt
        >>> now = dt.datetime.now(dt.timezone.utc)
        >>> found = endpoint.coverage(now - dt.timedelta(hours=1), now)
        >>> (found.predictions, found.labelled, found.unmatched)
        (2, 2, 0)
        """
        request = ReadCoverage(deployment=self.name, since=since, until=until)
        return self._client.call(read_coverage, request)

    def _tensors(
        self,
        columns: dict[str, list[Any]],
        request_ids: Sequence[str] | None,
        event_times: Sequence[dt.datetime] | None,
    ) -> list[dict[str, Any]]:
        if not self._datatypes:
            described = self._ask("GET", f"/v2/models/{self.model}")
            self._datatypes = {one["name"]: one["datatype"] for one in described["inputs"]}
        tensors = [
            {"name": name, "datatype": kind, "shape": [len(columns[name])], "data": columns[name]}
            for name, kind in self._datatypes.items()
            if name in columns
        ]
        rows = len(tensors[0]["data"]) if tensors else 0
        if request_ids is not None:
            tensors.append(_reserved(REQUEST_ID, "BYTES", list(request_ids), rows))
        if event_times is not None:
            micros = [to_micros(moment) for moment in event_times]
            tensors.append(_reserved(EVENT_TIME, "INT64", micros, rows))
        return tensors

    def _ask(self, verb: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = self._http.request(verb, path, json=body)
        except httpx2.TransportError as error:
            raise Unreachable(
                f"deployment {self.name!r} at {self.url} does not answer: {error}"
            ) from error
        found: dict[str, Any] = answer.json()
        if answer.status_code >= 400:
            raise Invalid(f"deployment {self.name!r} refused: {found.get('error')}")
        return found


def _given(name: str, given: Any, rows: int) -> list[Any]:
    """A value for each row: one for all, one for each, or none."""
    if given is None or isinstance(given, dt.datetime):
        return [given] * rows
    if len(given) != rows:
        raise Invalid(f"found {len(given)} {name} for {rows} values", field=name)
    return list(given)


def _label(fields: dict[str, Any]) -> Label:
    try:
        return Label(**fields)
    except ValueError as error:
        raise Invalid(f"a label: {error}", field="label") from None


def _reserved(name: str, datatype: str, data: list[Any], rows: int) -> dict[str, Any]:
    if len(data) != rows:
        raise Invalid(f"found {len(data)} values of {name} for {rows} rows", field=name)
    return {"name": name, "datatype": datatype, "shape": [rows], "data": data}


def _columns(rows: Any) -> dict[str, list[Any]]:
    if hasattr(rows, "to_pydict"):
        rows = rows.to_pydict()
    elif hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        rows = rows.to_dict(orient="list")
    if not isinstance(rows, Mapping):
        raise Invalid(
            f"found rows as a {type(rows).__name__}, wanted columns of values or a table",
            field="rows",
        )
    return {str(name): [_plain(value) for value in values] for name, values in rows.items()}


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124  NaN
