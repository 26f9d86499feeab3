"""The wire that MLflow's clients speak on, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import pytest

from tests.interfaces.mlflow_api.wire import Answer, Wire


@pytest.fixture
def transport() -> str:
    """The whole of this is about HTTP."""
    return "over HTTP"


@pytest.fixture
def wires(url: str, tokens: dict[str, str]) -> dict[str, Wire]:
    """What each of the people sends, as it stands."""

    def wire(token: str) -> Wire:
        def send(method: str, target: str, body: object = None, **query: object) -> Answer:
            connection = HTTPConnection(urlsplit(url).netloc, timeout=20)
            plain = isinstance(body, bytes)
            content = body if plain else None if body is None else msgspec.json.encode(body)
            headers = {"Authorization": f"Bearer {token}"}
            if content is not None and not plain:
                headers["Content-Type"] = "application/json"
            asked = f"?{urlencode(query, doseq=True, quote_via=quote)}" if query else ""
            connection.request(method, target + asked, content, headers)  # type: ignore[arg-type]
            response = connection.getresponse()
            answer = Answer(response.status, dict(response.getheaders()), response.read())
            connection.close()
            return answer

        return send

    return {name: wire(token) for name, token in tokens.items()}


@pytest.fixture
def wire(wires: dict[str, Wire], caplog: pytest.LogCaptureFixture) -> Iterator[Wire]:
    """What the developer sends; at the end there must be no traceback in the log."""
    yield wires["dora"]
    assert [record for record in caplog.get_records("call") if record.exc_info] == []
