"""Files on their way through the proxy: uploaded, listed, downloaded, deleted, kept in their place."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from mainspring.interfaces.mlflow_api.files import disposition
from mainspring.interfaces.mlflow_api.paths import proxied, safe_path
from mainspring.tracking import contract as tracking
from mainspring.tracking.place import located
from tests.house import Clients
from tests.interfaces.mlflow_api.wire import (
    AJAX,
    API,
    PROXY,
    Answer,
    Wire,
    done,
    experiment,
    logged_model,
    refused,
    run,
)

INVALID, MISSING = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"
UPLOAD = f"{AJAX}/upload-artifact"
WAYS_OUT = [
    "../path", "a/../../b", "/etc/passwd", "//etc/passwd", "C:/windows", "C:\\windows", "..\\up",
    "a/..", "..", "%2e%2e/up", "%252e%252e/up", "..%2fup", "%2fetc%2fpasswd", "a#b", "a%23b",
    "file:///etc/passwd", "file:a", "FILE:a", "\\\\host\\share", "x" * 601,
    "%25" * 3 + "2525252525252525252525252e",
]  # fmt: skip


def put(wire: Wire, path: str, content: bytes = b"bytes") -> Answer:
    return wire("PUT", f"{PROXY}/{quote(path)}", content)


def get(wire: Wire, path: str) -> Answer:
    return wire("GET", f"{PROXY}/{quote(path)}")


def listed(answer: Answer) -> list[str]:
    return [file["path"] + "/" * file["is_dir"] for file in done(answer).get("files", [])]


def root_of(info: dict[str, str]) -> str:
    """The path below the proxy's root of a run or a logged model."""
    return info["artifact_uri"].removeprefix("mlflow-artifacts:/")


def test_what_was_uploaded_is_downloaded(wire: Wire) -> None:
    done(put(wire, "a.txt", b"0"))
    done(put(wire, "dir/b.txt", b"1" * 3_000_000))

    assert get(wire, "a.txt").body == b"0"
    assert get(wire, "dir/b.txt").body == b"1" * 3_000_000
    assert done(wire("GET", PROXY)) == {
        "files": [
            {"path": "a.txt", "is_dir": False, "file_size": 1},
            {"path": "dir", "is_dir": True},
        ]
    }
    assert listed(wire("GET", PROXY, path="dir")) == ["b.txt"]


def test_an_empty_file_is_a_file(wire: Wire) -> None:
    done(put(wire, "empty", b""))

    assert (get(wire, "empty").status, get(wire, "empty").body) == (200, b"")


def test_the_files_of_a_run_are_the_runs(wire: Wire, clients: Clients) -> None:
    info = run(wire, experiment(wire))
    done(put(wire, f"{root_of(info)}/plots/roc.png"))

    of_run = wire("GET", f"{API}/artifacts/list", run_id=info["run_id"], path="plots")

    assert done(of_run)["root_uri"] == info["artifact_uri"]
    assert listed(of_run) == ["plots/roc.png"]
    assert listed(wire("GET", PROXY, path=f"{root_of(info)}/plots")) == ["roc.png"]
    native = clients.viewer.call(tracking.show_run, tracking.NameRun(run=info["run_id"]))
    assert [file.path for file in native.artifacts] == ["plots/roc.png"]


def test_a_run_of_an_experiment_with_a_place_of_its_own_keeps_its_files(wire: Wire) -> None:
    info = run(wire, experiment(wire, artifact_location="mlflow-artifacts:/else/where"))
    assert info["artifact_uri"] == f"mlflow-artifacts:/else/where/{info['run_id']}/artifacts"
    done(put(wire, f"{root_of(info)}/a"))

    assert listed(wire("GET", f"{API}/artifacts/list", run_id=info["run_id"])) == ["a"]


def test_a_path_like_that_of_a_run_that_is_not_here_is_a_loose_file(wire: Wire) -> None:
    path = f"0/{'0' * 32}/artifacts/a.txt"
    done(put(wire, path))

    assert get(wire, path).body == b"bytes"
    assert listed(wire("GET", PROXY, path=path.rpartition("/")[0])) == ["a.txt"]
    done(wire("DELETE", f"{PROXY}/{path}"))
    refused(get(wire, path), 404, MISSING)


def test_a_file_may_be_replaced_and_deleted(wire: Wire) -> None:
    root = root_of(run(wire))
    for content in (b"first", b"second"):
        done(put(wire, f"{root}/a/b.txt", content))
    done(put(wire, f"{root}/c.txt"))

    assert get(wire, f"{root}/a/b.txt").body == b"second"
    for path in ("a", "c.txt", "c.txt", "none"):
        done(wire("DELETE", f"{PROXY}/{root}/{path}"))
    assert listed(wire("GET", PROXY, path=root)) == []


def test_a_run_is_emptied_by_its_root(wire: Wire) -> None:
    root = root_of(run(wire))
    done(put(wire, f"{root}/a/b.txt"))
    done(put(wire, "kept"))

    done(wire("DELETE", f"{PROXY}/{root}/"))

    assert listed(wire("GET", PROXY, path=root)) == []
    assert get(wire, "kept").status == 200


@pytest.mark.parametrize("path", WAYS_OUT)
def test_a_path_that_leads_out_is_refused_everywhere(wire: Wire, path: str) -> None:
    key, model = run(wire)["run_id"], logged_model(wire)["model_id"]

    for answer in (
        put(wire, path),
        get(wire, path),
        wire("DELETE", f"{PROXY}/{quote(path)}"),
        wire("GET", PROXY, path=path),
        wire("GET", f"{API}/artifacts/list", run_id=key, path=path),
        wire("GET", "/get-artifact", run_id=key, path=path),
        wire("GET", "/model-versions/get-artifact", name="m", version=1, path=path),
        wire("POST", UPLOAD, b"bytes", run_uuid=key, path=path),
        wire("GET", f"{API}/logged-models/{model}/artifacts/directories",
             artifact_directory_path=path),
        wire("GET", f"{AJAX}/logged-models/{model}/artifacts/files",
             artifact_file_path=path),
        wire("POST", f"/api/2.0/mlflow-artifacts/mpu/create/{quote(path)}", {"path": "a"}),
    ):  # fmt: skip
        assert refused(answer, 400, INVALID) == "Invalid path"


@pytest.mark.parametrize(
    ("raw", "status"),
    [("%2e%2e/a", 400), ("%2E%2E%2Fa", 400), ("a/%00b", 200), ("a/%0d%0ab", 200), ("%ff", 200),
     ("a//b", 200), ("./a", 200), ("", 400), (".", 400), ("a%5cb", 400)],
)  # fmt: skip
def test_a_raw_path_is_stored_as_it_is_found_again(wire: Wire, raw: str, status: int) -> None:
    sent = wire("PUT", f"{PROXY}/{raw}", b"bytes")

    assert sent.status == status, sent.body
    if status == 200:
        assert wire("GET", f"{PROXY}/{raw}").body == b"bytes"


@pytest.mark.parametrize(
    "name", ["a b.txt", "späť ✓.txt", 'quo"te', "100%.txt", "step%100%timestamp.png", "a;b", "a+b&c=d"]
)  # fmt: skip
def test_a_name_goes_there_and_back(wire: Wire, name: str) -> None:
    info = run(wire)
    done(put(wire, f"{root_of(info)}/{name}"))

    assert get(wire, f"{root_of(info)}/{name}").body == b"bytes"
    assert listed(wire("GET", f"{API}/artifacts/list", run_id=info["run_id"])) == [name]


def test_a_file_is_no_folder(wire: Wire) -> None:
    done(put(wire, "a"))

    refused(put(wire, "a/b"), 400, INVALID, "is a file")
    refused(get(wire, "a/b"), 404, MISSING, "No such artifact: 'a/b'")


def test_a_run_of_another_or_deleted_takes_no_files(wire: Wire, wires: dict[str, Wire]) -> None:
    info = run(wire)
    path = f"{root_of(info)}/a"
    done(wire("POST", f"{API}/runs/delete", {"run_id": info["run_id"]}))

    refused(put(wires["ada"], path), 403, "PERMISSION_DENIED")
    refused(put(wire, path), 400, INVALID, "is deleted")


def test_who_only_reads_uploads_nothing(wires: dict[str, Wire]) -> None:
    refused(put(wires["vera"], "a"), 403, "PERMISSION_DENIED")
    refused(wires["vera"]("DELETE", f"{PROXY}/a"), 403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.txt", "text/plain"),
        ("b.pkl", "application/octet-stream"),
        ("c.png", "image/png"),
        ("d.html", "text/html"),
        ("MLmodel", "text/plain"),
    ],
)
def test_a_browser_saves_a_file_and_never_shows_it(wire: Wire, name: str, kind: str) -> None:
    info = run(wire)
    done(put(wire, f"{root_of(info)}/{name}"))

    for answer in (
        get(wire, f"{root_of(info)}/{name}"),
        wire("GET", "/get-artifact", run_id=info["run_id"], path=name),
        wire("GET", "/get-artifact", run_uuid=info["run_id"], path=name),
    ):
        headers = {key.lower(): value for key, value in answer.headers.items()}
        assert headers["content-type"] == kind
        assert headers["content-disposition"] == f"attachment; filename={name}"
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b", 'attachment; filename="a b"'),
        ('a"b\\', 'attachment; filename="a\\"b\\\\"'),
        ("ä", "attachment; filename*=UTF-8''%C3%A4"),
    ],
)
def test_a_name_does_not_break_out_of_its_header(name: str, header: str) -> None:
    assert disposition(name) == header


def test_a_page_uploads_a_small_file(wire: Wire) -> None:
    key = run(wire)["run_id"]

    assert wire("POST", UPLOAD, b"hello", run_uuid=key, path="a/t.txt").status == 200
    assert wire("GET", "/get-artifact", run_uuid=key, path="a/t.txt").body == b"hello"


def test_a_page_has_to_say_what_it_uploads(wire: Wire) -> None:
    key = run(wire)["run_id"]

    refused(wire("POST", UPLOAD), 400, INVALID, "Request must specify run_uuid.")
    refused(wire("POST", UPLOAD, run_uuid=key), 400, INVALID, "Request must specify path.")
    asked = {"run_uuid": key, "path": "a"}
    refused(wire("POST", UPLOAD, **asked), 400, INVALID, "Request must specify data.")
    big = bytes(10 * 1024 * 1024 + 1)
    refused(wire("POST", UPLOAD, big, **asked), 400, INVALID, "Max size is 10MB")
    refused(wire("POST", UPLOAD, b"x", **{**asked, "run_uuid": "no"}), 404, MISSING)


@pytest.mark.parametrize("key", ["", "nothing", "\x00", "0" * 32, "'"])
def test_a_run_that_is_not_here_has_no_files(wire: Wire, key: str) -> None:
    for target in (f"{API}/artifacts/list", "/get-artifact"):
        assert wire("GET", target, run_id=key, path="a").status in (400, 404)
    assert wire("GET", "/get-artifact", run_id=key).status == 400


def test_a_version_is_downloaded_from_its_source(wire: Wire) -> None:
    info = run(wire)
    done(put(wire, f"{root_of(info)}/model/MLmodel"))
    done(wire("POST", f"{API}/registered-models/create", {"name": "trees"}))
    source = f"{info['artifact_uri']}/model"
    body = {"name": "trees", "source": source, "run_id": info["run_id"]}
    done(wire("POST", f"{API}/model-versions/create", body))
    target, asked = "/model-versions/get-artifact", {"name": "trees", "version": 1}

    assert wire("GET", target, **asked, path="MLmodel").body == b"bytes"
    refused(wire("GET", target, **asked, path="none"), 404, MISSING)
    refused(wire("GET", target, **{**asked, "version": 2}, path="MLmodel"), 404, MISSING)
    for wrong in ({"version": "x"}, {"version": "9" * 30}, {"name": ""}, {"name": "\x00"}):
        assert wire("GET", target, **{**asked, **wrong}, path="MLmodel").status in (400, 404)


def test_files_come_to_the_server_itself(wire: Wire) -> None:
    key = run(wire)["run_id"]
    asked = {"run_id": key, "path": "a"}
    up, down = (f"{API}/artifacts/presigned-{way}-url" for way in ("upload", "download"))

    refused(wire("POST", up, asked), 400, INVALID, "not supported for proxied")
    refused(wire("POST", down, asked), 400, INVALID, "not supported for runs with proxied")
    refused(wire("POST", up, {"path": "a"}), 400, INVALID, "Exactly one of run_id and model_id")
    refused(wire("POST", up, {"run_id": key, "path": "../a"}), 400, INVALID, "Invalid path")
    presigned = wire("GET", "/api/2.0/mlflow-artifacts/presigned/a")
    refused(presigned, 501, "NOT_IMPLEMENTED", "Multipart download is not supported")


@pytest.mark.parametrize(
    ("path", "place", "within"),
    [
        ("a.txt", "files", "a.txt"),
        (f"0/{'a' * 32}/artifacts/b/c", f"runs/{'a' * 32}", "b/c"),
        (f"0/{'a' * 32}/artifacts", f"runs/{'a' * 32}", ""),
        (f"{'a' * 32}/artifacts/b", f"runs/{'a' * 32}", "b"),
        (f"0/models/m-{'b' * 32}/artifacts/c", f"models/{'b' * 32}", "c"),
        (f"0/models/{'b' * 32}/artifact/c", "files", f"0/models/{'b' * 32}/artifact/c"),
        (f"0/{'a' * 32}/artifacts/{'b' * 32}/artifacts/c", f"runs/{'a' * 32}",
         f"{'b' * 32}/artifacts/c"),
        (f"0/x{'a' * 32}/artifacts/b", "files", f"0/x{'a' * 32}/artifacts/b"),
    ],
)  # fmt: skip
def test_a_path_names_its_place(path: str, place: str, within: str) -> None:
    assert located(path) == (place, within)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("mlflow-artifacts:/0/a", "0/a"),
        ("mlflow-artifacts:", ""),
        ("mlflow-artifacts://host:90/0/a/", "0/a"),
        ("https://h/api/2.0/mlflow-artifacts/artifacts/a/b", "a/b"),
        ("https://h/api/2.0/mlflow-artifacts/artifacts", ""),
        ("https://h/elsewhere/a", None),
        ("s3://bucket/a", None),
    ],
)
def test_a_uri_names_a_path_of_the_proxy_or_none(uri: str, path: str | None) -> None:
    assert proxied(uri) == path


@pytest.mark.parametrize(
    ("path", "plain"),
    [("a%20b", "a b"), ("a%2520b", "a b"), ("a/./b//c/", "a/b/c"), ("step%100", "step%100"), (".", "")],
)  # fmt: skip
def test_a_path_is_decoded_as_far_as_it_goes(path: str, plain: str) -> None:
    assert safe_path(path) == plain
