"""Files under paths: put, replaced, listed a folder at a time, removed."""

from __future__ import annotations

import pytest

from mainspring.core.blobs import digest_of
from mainspring.core.errors import Conflict, Forbidden, Invalid, NotFound
from mainspring.core.ids import new_id
from mainspring.core.operation import FileClient
from mainspring.tracking import artifact_contract as contract
from mainspring.tracking import contract as tracking
from mainspring.tracking.artifact_contract import (
    Artifact,
    ListArtifacts,
    NameArtifact,
    PutArtifact,
    RemoveArtifacts,
)
from mainspring.tracking.contract import FileEntry, NameRun
from tests import story
from tests.house import Clients


@pytest.fixture
def place(clients: Clients) -> str:
    """Where the files of a run of the developer are."""
    return f"runs/{story.open_run(clients.developer)}"


def put(client: FileClient, place: str, path: str, content: bytes = b"bytes") -> FileEntry:
    file = FileEntry(path=path, digest=story.put(client, content), size=len(content))
    return client.call(contract.put_artifact, PutArtifact(place=place, file=file))


def listed(clients: Clients, place: str, path: str = "", limit: int = 1000) -> list[Artifact]:
    found: list[Artifact] = []
    after: str | None = ""
    while after is not None:
        request = ListArtifacts(place=place, path=path, limit=limit, after=after or None)
        page = clients.viewer.call(contract.list_artifacts, request)
        found, after = found + page.items, page.next
    return found


def names(clients: Clients, place: str, path: str = "", limit: int = 1000) -> list[str]:
    return [one.path + "/" * one.folder for one in listed(clients, place, path, limit)]


def test_a_file_is_shown_where_it_was_put(clients: Clients, place: str) -> None:
    file = put(clients.developer, place, "plots/roc curve (1), späť.png")

    found = clients.viewer.call(contract.show_artifact, NameArtifact(place=place, path=file.path))

    assert found == file


def test_a_file_may_be_replaced(clients: Clients, place: str) -> None:
    put(clients.developer, place, "a.txt", b"first")
    file = put(clients.developer, place, "a.txt", b"second")

    assert [one.digest for one in listed(clients, place)] == [file.digest]


def test_a_finished_run_takes_late_files(clients: Clients, place: str) -> None:
    story.finish(clients.developer, place.removeprefix("runs/"))

    put(clients.developer, place, "a.txt")

    assert names(clients, place) == ["a.txt"]


def test_a_folder_is_listed_one_level_deep(clients: Clients, place: str) -> None:
    for path in ("a.txt", "dir/b.txt", "dir/deep/c.txt", "dir.txt", "dir/deep/d.txt", "dir-1/e"):
        put(clients.developer, place, path)

    assert sorted(names(clients, place)) == ["a.txt", "dir-1/", "dir.txt", "dir/"]
    assert names(clients, place, "dir") == ["dir/b.txt", "dir/deep/"]
    assert names(clients, place, "dir/deep") == ["dir/deep/c.txt", "dir/deep/d.txt"]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_of_a_folder_tell_everything_once(clients: Clients, place: str, limit: int) -> None:
    paths = ["a", "b/1", "b/2", "b/3", "b/4", "b.x", "c/1/2", "c/1/3", "d", "zß/1", "🙂"]
    for path in paths:
        put(clients.developer, place, path)

    found = names(clients, place, limit=limit)

    assert sorted(found) == sorted(["a", "b/", "b.x", "c/", "d", "zß/", "🙂"])


def test_a_file_is_listed_with_its_size_and_digest(clients: Clients, place: str) -> None:
    file = put(clients.developer, place, "dir/a.txt", b"12345")

    assert listed(clients, place, "dir") == [
        Artifact(path="dir/a.txt", folder=False, size=5, digest=file.digest)
    ]


def test_what_is_not_there_is_empty(clients: Clients, place: str) -> None:
    put(clients.developer, place, "a.txt")

    assert (listed(clients, place, "b"), listed(clients, place, "a.txt")) == ([], [])


@pytest.mark.parametrize(
    ("first", "second"), [("a", "a/b"), ("a/b/c", "a"), ("a/b", "a/b/c/d"), ("a/b/c", "a/b")]
)
def test_a_file_is_no_folder(clients: Clients, place: str, first: str, second: str) -> None:
    put(clients.developer, place, first)

    with pytest.raises(Conflict, match="is a f"):
        put(clients.developer, place, second)


def test_a_file_or_a_folder_is_removed(clients: Clients, place: str) -> None:
    for path in ("a", "b/1", "b/2/3", "b.x", "c"):
        put(clients.developer, place, path)

    for path, count in (("a", 1), ("b", 2), ("none", 0)):
        request = RemoveArtifacts(place=place, path=path)
        assert clients.developer.call(contract.remove_artifacts, request).count == count

    assert names(clients, place) == ["b.x", "c"]


def test_everything_is_removed_at_once(clients: Clients, place: str) -> None:
    for path in ("a", "b/1"):
        put(clients.developer, place, path)

    clients.developer.call(contract.remove_artifacts, RemoveArtifacts(place=place, path=""))

    assert names(clients, place) == []


def test_loose_files_belong_to_the_workspace(clients: Clients) -> None:
    put(clients.developer, "files", "shared/a.txt")
    put(clients.admin, "files", "shared/a.txt", b"of the administrator")

    assert names(clients, "files", "shared") == ["shared/a.txt"]


def test_nobody_writes_into_the_run_of_another(clients: Clients, place: str) -> None:
    with pytest.raises(Forbidden, match="is 'dora'"):
        put(clients.admin, place, "a.txt")
    with pytest.raises(Forbidden, match="is 'dora'"):
        clients.admin.call(contract.remove_artifacts, RemoveArtifacts(place=place, path=""))


def test_a_deleted_run_takes_no_files(clients: Clients, place: str) -> None:
    run = place.removeprefix("runs/")
    clients.developer.call(tracking.delete_run, NameRun(run=run))

    with pytest.raises(Conflict, match="is deleted"):
        put(clients.developer, place, "a.txt")


@pytest.mark.parametrize("kind", ["runs", "models"])
def test_files_of_nobody_are_not_found(clients: Clients, kind: str) -> None:
    place = f"{kind}/{new_id()}"

    with pytest.raises(NotFound) as caught:
        put(clients.developer, place, "a.txt")
    assert caught.value.field == "place"
    with pytest.raises(NotFound):
        listed(clients, place)


def test_bytes_that_never_came_have_no_path(clients: Clients, place: str) -> None:
    file = FileEntry(path="a.txt", digest=digest_of(b"never sent"), size=10)

    with pytest.raises(NotFound, match="this workspace has no file"):
        clients.developer.call(contract.put_artifact, PutArtifact(place=place, file=file))


def test_a_file_that_is_not_there_is_not_shown(clients: Clients, place: str) -> None:
    with pytest.raises(NotFound) as caught:
        clients.viewer.call(contract.show_artifact, NameArtifact(place=place, path="a.txt"))
    assert caught.value.field == "path"


@pytest.mark.parametrize(
    "place", ["", "runs", "runs/1", "runs/../files", "files/x", "elsewhere", "runs/" + "g" * 32]
)
def test_a_place_is_one_of_ours(clients: Clients, place: str) -> None:
    with pytest.raises(Invalid) as caught:
        listed(clients, place)
    assert caught.value.field == "place"


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../up", "a/../b", "a//b", "a/.", "a\\b", "C:/x", "a\n", "a\x00b", "a/", "x" * 601],
)  # fmt: skip
def test_a_path_stays_below_its_place(clients: Clients, place: str, path: str) -> None:
    with pytest.raises(Invalid) as caught:
        clients.viewer.call(contract.show_artifact, NameArtifact(place=place, path=path))
    assert caught.value.field == "path"


def test_files_that_come_and_go_are_told_of(clients: Clients, place: str) -> None:
    put(clients.developer, place, "a.txt")
    put(clients.developer, place, "a.txt")
    clients.developer.call(contract.remove_artifacts, RemoveArtifacts(place=place, path="a.txt"))
    clients.developer.call(contract.remove_artifacts, RemoveArtifacts(place=place, path="a.txt"))

    assert story.kinds(clients.viewer)[-2:] == ["artifact.linked", "artifact.removed"]
