"""What a stranger sends to a route: good requests read off its parameters, and bad ones made of them."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from mainspring.interfaces.mlflow_api import ROOMS
from mainspring.interfaces.mlflow_api.dispatch import PATTERNS, ROUTES, Endpoint

assert ROOMS
AJAX = "/ajax-api/"
STREAM_QUERY = {
    "model-versions/get-artifact": ("name", "version", "path"),
    "/get-artifact": ("run_id", "run_uuid", "path"),
    "upload-artifact": ("run_uuid", "path"),
    "artifacts/files": ("artifact_file_path",),
}
"""What the routes that read their request themselves take from the query, by the end of their path."""
LONG = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(400))
"""A long text that no database can make shorter."""
UNKNOWN = "f" * 32
IN_URL = 10_000
"""Characters of a value in a URL: beyond some 64 KB a server's reader of headers hangs up."""
KNOWN: dict[str, object] = {
    "experiment_id": "0", "experiment_ids": ["0"], "experiment_name": "Default",
    "name": "churn", "new_name": "other", "version": "1", "stage": "Staging", "alias": "best",
    "source": "s3://bucket/model", "filter": "", "order_by": [], "page_token": "",
    "view_type": "ALL", "run_view_type": "ALL", "status": "FINISHED", "max_results": 5,
    "metric_key": "loss", "key": "loss", "path": "folder/file.txt", "artifact_path": "folder",
    "artifact_location": "", "timestamp": 1, "step": 1, "value": "1", "model_json": "{}",
    "url": "https://1.1.1.1/hook", "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}],
    "query": "{test(inputString: \"a\") {output}}", "operationName": None, "variables": {},
    "upload": UNKNOWN, "number": "1", "upload_id": UNKNOWN, "tag_key": "key", "parent_run_id": "",
    "start_step": 0, "end_step": 10, "datasets": [], "field_name": "name",
}  # fmt: skip
"""A good value of each parameter that may not be just anything."""
WRONG_TYPES: tuple[object, ...] = (
    None, 7, -1, 1.5, True, "", "text", [], [[]], [None], {}, {"a": {"b": []}},
)  # fmt: skip
NASTY = (
    "\x00", "nul\x00inside", "x" * 200_000, LONG, "é\u202e\U0001f600", "../../etc/passwd", "%00", "%2e%2e%2f",
    "' or 1=1 --", '"', "`", "99999999999999999999999", "-1", "0", "NaN", "٣", "a\nb", "m-" + UNKNOWN,
    UNKNOWN, "None", "*", "/", "\\", "runs:/" + UNKNOWN, "models:/a/1", "file:///etc/passwd", "http://[",
    "metrics.a >", "tags.`a` = '", "AAAA", "1.1", "eyJvZmZzZXQiOiAxfQ==", "1e400",
)  # fmt: skip
"""Texts that no route may stumble over."""
EXTREME: tuple[object, ...] = (
    -1, 0, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**40, 1e308, -0.0,
)  # fmt: skip
"""Numbers that do not fit somewhere."""


_PLAIN: dict[type[inspect.Type], object] = {
    inspect.BoolType: True, inspect.IntType: 1, inspect.FloatType: 1, inspect.DictType: {},
}  # fmt: skip

_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(), st.sampled_from([value for value in KNOWN.values() if isinstance(value, str)]),
)  # fmt: skip
_NAMES = st.one_of(
    st.text(), st.sampled_from([*KNOWN, "run_id", "metrics", "params", "tags", "models", "dataset"])
)
BODIES = st.dictionaries(
    _NAMES,
    st.recursive(
        _SCALARS, lambda inner: st.lists(inner) | st.dictionaries(_NAMES, inner), max_leaves=20
    ),
)
"""Objects of anything that JSON can say, often under names that routes know."""


@dataclass(frozen=True, slots=True)
class Road:
    """A route as a client takes it."""

    method: str
    path: str
    """With `{name}` where a value stands in it."""
    endpoint: Endpoint

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def twin(self) -> Road | None:
        """The same route below /ajax-api."""
        if not self.path.startswith("/api/"):
            return None
        path = AJAX + self.path.removeprefix("/api/")
        return next((one for one in every() if str(one) == f"{self.method} {path}"), None)

    def send(self, http: httpx2.Client, fields: Mapping[str, Any], **more: Any) -> httpx2.Response:
        """Send the fields: those of the path in it, the others as clients send them."""
        body = dict(fields)
        path = re.sub(r"{(\w+)}", lambda name: _in_path(body.pop(name[1], "a")), self.path)
        if self.method == "GET" or self.endpoint.params is None:
            query = {name: _texts(value) for name, value in body.items() if value is not None}
            return http.request(self.method, path, params=query, **more)
        return http.request(self.method, path, json=body, **more)

    def post(self, http: httpx2.Client, content: bytes, kind: str = "application/json") -> Any:
        """Send a body, whatever it is."""
        path = re.sub(r"{\w+}", UNKNOWN, self.path)
        return http.request(self.method, path, content=content, headers={"Content-Type": kind})


def every() -> list[Road]:
    """Every route, in a settled order."""
    plain = [Road(method, path, endpoint) for (method, path), endpoint in ROUTES.items()]
    fields = [
        Road(method, re.sub(r"\(\?P(<\w+>)[^)]*\)", _named, pattern.pattern).replace("\\", ""), one)
        for method, pattern, one in PATTERNS
    ]
    return sorted(plain + fields, key=str)


def main() -> list[Road]:
    """Every route but those below /ajax-api that only repeat one."""
    found = every()
    twins = {str(road.twin) for road in found}
    return [road for road in found if str(road) not in twins]


def examples(road: Road, seeds: Mapping[str, object]) -> list[dict[str, Any]]:
    """Requests as good clients send them: about a logged model, and about none."""
    fields = example(road, seeds)
    if "model_id" in road.path or "model_id" not in str(fields):
        return [fields]
    return [fields, example(road, {**seeds, "model_id": ""})]


def example(road: Road, seeds: Mapping[str, object]) -> dict[str, Any]:
    """A request as a good client sends it."""
    in_path = {
        name: seeds.get(name, KNOWN.get(name, "a")) for name in re.findall(r"{(\w+)}", road.path)
    }
    if road.endpoint.params is None:
        ends = (query for end, query in STREAM_QUERY.items() if road.path.endswith(end))
        return {**{name: seeds.get(name, KNOWN.get(name)) for name in next(ends, ())}, **in_path}
    made = _example(inspect.type_info(road.endpoint.params), "", seeds)
    assert isinstance(made, dict)
    return {**made, **in_path}


def with_each(
    requests: list[dict[str, Any]], values: tuple[object, ...]
) -> Iterator[dict[str, Any]]:
    """The requests with each value in each place of them."""
    for fields in requests:
        yield fields
        for place in _places(fields, ()):
            for value in values:
                yield _replaced(fields, place, value)


def _named(found: re.Match[str]) -> str:
    return "{" + found[1].strip("<>") + "}"


def _in_path(value: object) -> str:
    return quote(_text(value), safe="")


def _texts(value: object) -> Any:
    """As a query says it: lists again and again, other things in the words of JSON."""
    if isinstance(value, list):
        return [_texts(one) for one in value]
    return _text(value)


def _text(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text[:IN_URL]


def _example(kind: inspect.Type, name: str, seeds: Mapping[str, object]) -> Any:
    if name in seeds or name in KNOWN:
        return copy.deepcopy(seeds.get(name, KNOWN.get(name)))
    match kind:
        case inspect.StructType(fields=fields):
            return {one.encode_name: _example(one.type, one.encode_name, seeds) for one in fields}
        case inspect.UnionType(types=types):
            return _example(types[0], name, seeds)
        case inspect.ListType(item_type=item):
            return [_example(item, "", seeds)]
    return next((good for plain, good in _PLAIN.items() if isinstance(kind, plain)), "a")


def _places(value: object, above: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if above:
        yield above
    pairs: Any = value.items() if isinstance(value, dict) else ()
    pairs = enumerate(value) if isinstance(value, list) else pairs
    for key, inner in pairs:
        yield from _places(inner, (*above, key))


def _replaced(fields: Mapping[str, Any], place: tuple[str | int, ...], value: object) -> Any:
    made = copy.deepcopy(dict(fields))
    at: Any = made
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return made
