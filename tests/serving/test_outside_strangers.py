"""Web pages of other hosts, and callers who ask what the models have done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import tritonclient.http as triton

from .data_plane import INFER, Plane, row, served

UNLOAD = "/v2/repository/models/tumour/unload"


def _asked(plane: Plane, path: str, origin: str) -> httpx2.Response:
    # As a browser sends it for a page: no token, and no leave asked before.
    headers = {"origin": origin, "content-type": "text/plain"}
    return httpx2.post(f"{plane.client.base_url}{path}", json=row(), headers=headers, verify=False)


@pytest.fixture(scope="module")
def anonymous(tmp_path_factory: pytest.TempPathFactory, first_model: Path) -> Iterator[Plane]:
    """It asks for no token, and lets its callers load and unload."""
    folder = tmp_path_factory.mktemp("anonymous")
    models = [served(first_model)]
    with Plane(folder, models, tokens=[], anonymous=True, is_steered=False) as plane:
        yield plane


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1.evil.example", "http://[", "evil", "file://"],
)
def test_pages_of_other_hosts_are_refused_where_no_token_is_asked_for(
    anonymous: Plane, origin: str
) -> None:
    for path in (INFER, UNLOAD, "/predict/tumour", "/invocations"):
        refused = _asked(anonymous, path, origin)

        assert refused.status_code == 403
        assert list(refused.json()) == ["error"]
    url = f"{anonymous.client.base_url}{INFER}"
    assert httpx2.post(url, json=row(), verify=False).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "http://127.0.0.1:8000", "https://[::1]"]
)
def test_pages_of_this_machine_are_not(anonymous: Plane, origin: str) -> None:
    assert _asked(anonymous, INFER, origin).status_code == 200


def test_where_a_token_is_asked_for_it_decides(plane: Plane) -> None:
    headers = {"origin": "http://evil.example"}

    assert plane.client.post(INFER, json=row(), headers=headers).status_code == 200
    assert _asked(plane, INFER, "http://evil.example").status_code == 401


@pytest.mark.parametrize("workers", [1, 2])
def test_statistics_are_what_happened(tmp_path: Path, first_model: Path, workers: int) -> None:
    models = [served(first_model), served(first_model, "2", "other")]
    with Plane(tmp_path, models, workers=workers, tokens=[], anonymous=True) as plane:
        url = f"{plane.client.base_url}{INFER}"
        for count in (1, 2, 3):
            assert httpx2.post(url, json=row(count), verify=False).status_code == 200
        assert httpx2.post(url, json={"inputs": []}, verify=False).status_code == 400
        with triton.InferenceServerClient(f"127.0.0.1:{plane.port}") as client:
            (one,) = client.get_inference_statistics("tumour", "1")["model_stats"]
            every = client.get_inference_statistics()["model_stats"]
            with pytest.raises(triton.InferenceServerException, match="no model named"):
                client.get_inference_statistics("nope")
            assert "statistics" in client.get_server_metadata()["extensions"]

    stats = one["inference_stats"]
    assert (one["name"], one["version"], one["inference_count"]) == ("tumour", "1", 6)
    assert one["execution_count"] == 3
    assert {name: stats[name]["count"] for name in ("success", "fail", "queue")} == {
        "success": 3,
        "fail": 1,
        "queue": 3,
    }
    assert 0 < stats["compute_infer"]["ns"] < stats["success"]["ns"]
    assert [(each["name"], each["inference_count"]) for each in every] == [
        ("tumour", 6),
        ("other", 0),
    ]


def test_where_nothing_is_counted_there_are_no_statistics(
    tmp_path: Path, first_model: Path
) -> None:
    with Plane(tmp_path, [served(first_model)], metrics=False) as plane:
        answer = plane.client.get("/v2/models/tumour/stats")

    assert answer.status_code == 409
    assert "keeps no metrics" in answer.json()["error"]
