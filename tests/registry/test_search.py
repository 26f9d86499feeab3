"""Searches of models and versions, on both databases and both clients."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import Invalid
from mainspring.core.operation import FileClient, Page
from mainspring.registry import catalog_contract as catalog
from mainspring.registry import contract, search_contract
from mainspring.registry.catalog_contract import AddVersion, CreateModel, MoveVersion
from mainspring.registry.contract import NameVersion, SetAlias
from mainspring.registry.search_contract import (
    FoundModel,
    FoundVersion,
    SearchModels,
    SearchVersions,
)
from tests.house import Clients

RUN, OTHER = "a" * 32, "b" * 32


def model(client: FileClient, name: str, **more: Any) -> None:
    client.call(catalog.create_model, CreateModel(model=name, **more))


def version(client: FileClient, name: str, **more: Any) -> int:
    request = AddVersion(model=name, **{"source": "s3://bucket/a", **more})
    return client.call(catalog.add_version, request).version


def find(client: FileClient, text: str = "", *order_by: str, **more: Any) -> Page[FoundModel]:
    request = SearchModels(filter=text, order_by=list(order_by), **more)
    return client.call(search_contract.search_models, request)


def names(client: FileClient, text: str = "", *order_by: str, **more: Any) -> list[str]:
    return [one.name for one in find(client, text, *order_by, **more).items]


def versions(client: FileClient, text: str = "", *order_by: str, **more: Any) -> Page[FoundVersion]:
    request = SearchVersions(filter=text, order_by=list(order_by), **more)
    return client.call(search_contract.search_versions, request)


def numbers(client: FileClient, text: str = "", *order_by: str, **more: Any) -> list[str]:
    found = versions(client, text, *order_by, **more).items
    return [f"{one.model}@{one.version}" for one in found]


@pytest.fixture
def client(clients: Clients) -> FileClient:
    """The developer, before whom three models lie."""
    developer = clients.developer
    model(developer, "RM4", tags={"t1": "abc", "t2": "xyz"})
    model(developer, "RM4A", description="the second", tags={"t1": "abcd", "t3": "XYZ"})
    model(developer, "rm4ab")
    return developer


def test_models_are_found_by_name_and_tag(client: FileClient) -> None:
    assert names(client) == ["RM4", "RM4A", "rm4ab"]
    assert names(client, "name = 'RM4'") == ["RM4"]
    assert names(client, "name != 'RM4'") == ["RM4A", "rm4ab"]
    assert names(client, "name LIKE 'RM4%'") == ["RM4", "RM4A"]
    assert names(client, "name LIKE '_M4%'") == ["RM4", "RM4A"]
    assert names(client, "name iLike '%rm4a%'") == ["RM4A", "rm4ab"]
    assert names(client, "name IN ('RM4', 'other')") == ["RM4"]
    assert names(client, "tag.t3 = 'XYZ'") == ["RM4A"]
    assert names(client, "tag.t1 LIKE 'ab%' AND tags.t2 ILIKE 'XY%'") == ["RM4"]
    assert names(client, "tag.t1 != 'abcd' and tag.t1 LIKE 'ab%'") == ["RM4"]
    assert names(client, "tag.T3 = 'XYZ'") == []
    assert names(client, "creation_timestamp > 0 AND last_updated_timestamp < 1e999") == [
        "RM4", "RM4A", "rm4ab"
    ]  # fmt: skip
    assert names(client, "creation_timestamp = 0") == []


def test_models_are_sorted_and_come_in_pages(client: FileClient) -> None:
    assert names(client, "", "name DESC") == ["rm4ab", "RM4A", "RM4"]
    assert names(client, "", "timestamp") == ["RM4", "RM4A", "rm4ab"]
    first = find(client, "", "last_updated_timestamp DESC", limit=2)
    second = find(client, "", "last_updated_timestamp DESC", limit=2, after=first.next)

    assert [one.name for one in first.items + second.items] == ["rm4ab", "RM4A", "RM4"]
    assert second.next is None


def test_prompts_are_no_models(client: FileClient) -> None:
    model(client, "greeting", kind="prompt")

    assert names(client) == ["RM4", "RM4A", "rm4ab"]
    assert names(client, kind="prompt") == ["greeting"]


def test_a_found_model_tells_its_newest_version_in_each_stage(client: FileClient) -> None:
    for _ in range(4):
        version(client, "RM4A")
    moves: list[tuple[int, str]] = [(1, "staging"), (2, "staging"), (3, "archived")]
    for number, stage in moves:
        client.call(catalog.move_version, MoveVersion(model="RM4A", version=number, stage=stage))
    client.call(contract.set_alias, SetAlias(model="RM4A", alias="champion", version=2))

    (found,) = find(client, "name = 'RM4A'").items

    assert (found.description, found.tags) == ("the second", {"t1": "abcd", "t3": "XYZ"})
    assert found.aliases == {"champion": 2}
    assert {one.stage: one.version for one in found.latest} == {
        "development": 4, "staging": 2, "archived": 3
    }  # fmt: skip


def test_versions_are_found_by_what_is_said_of_them(client: FileClient) -> None:
    version(client, "RM4", source="A/B", run=RUN, tags={"t1": "abc", "t 2": "xyz"})
    version(client, "RM4", source="A/C", run=OTHER, tags={"t1": "abc", "t 2": "x123"})
    version(client, "rm4ab", source="A/D", run=OTHER)

    assert numbers(client) == ["rm4ab@1", "RM4@2", "RM4@1"]
    assert numbers(client, "name = 'RM4'") == ["RM4@2", "RM4@1"]
    assert numbers(client, "name ILIKE 'RM4a%'") == ["rm4ab@1"]
    assert numbers(client, "version_number >= 2") == ["RM4@2"]
    assert numbers(client, f"run_id = '{RUN}'") == ["RM4@1"]
    assert numbers(client, f"run_id IN ('{RUN}', '{OTHER}')") == ["rm4ab@1", "RM4@2", "RM4@1"]
    assert numbers(client, f"run_id NOT IN ('{RUN}')") == ["rm4ab@1", "RM4@2"]
    assert numbers(client, f"run_id LIKE '{RUN[:30]}%'") == ["RM4@1"]
    assert numbers(client, "source_path = 'A/D'") == ["rm4ab@1"]
    assert numbers(client, "source_path = 'A'") == []
    assert numbers(client, "tag.`t 2` != 'xy'") == ["RM4@2", "RM4@1"]
    assert numbers(client, "tag.`t 2` like 'x%' and tag.`t 2` != 'xyz'") == ["RM4@2"]
    assert numbers(client, "tag.t1 = 'abc' and tag.`t 2` = 'xyz'") == ["RM4@1"]
    assert numbers(client, "creation_timestamp > 0", "name", "version_number") == [
        "RM4@1", "RM4@2", "rm4ab@1"
    ]  # fmt: skip


def test_a_found_version_tells_all_but_its_files(client: FileClient) -> None:
    number = version(
        client, "RM4", run=RUN, run_link="http://a", description="said", tags={"a": "b"}
    )
    client.call(contract.set_alias, SetAlias(model="RM4", alias="best", version=number))

    (found,) = versions(client).items

    assert (found.model, found.version, found.stage) == ("RM4", 1, "development")
    assert (found.run, found.run_link, found.source) == (RUN, "http://a", "s3://bucket/a")
    assert (found.description, found.registered_by, found.digest) == ("said", "dora", None)
    assert (found.tags, found.aliases) == ({"a": "b"}, ["best"])


def test_deleted_versions_are_not_found(client: FileClient) -> None:
    for _ in range(2):
        version(client, "RM4")
    client.call(catalog.delete_version, NameVersion(model="RM4", version=2))

    assert numbers(client) == ["RM4@1"]
    assert [one.version for one in find(client, "name = 'RM4'").items[0].latest] == [1]


def test_versions_come_in_pages(client: FileClient) -> None:
    for name in ("RM4", "rm4ab", "RM4", "RM4A", "RM4"):
        version(client, name)
    found: list[str] = []
    page = versions(client, "", "version_number DESC", limit=2)
    for _ in range(2):
        found += [f"{one.model}@{one.version}" for one in page.items]
        page = versions(client, "", "version_number DESC", limit=2, after=page.next)

    found += [f"{one.model}@{one.version}" for one in page.items]
    assert found == ["RM4@3", "RM4@2", "RM4@1", "RM4A@1", "rm4ab@1"]
    assert page.next is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run_id = 'a'", "Invalid attribute key 'run_id' specified"),
        ("name!=something", "not quoted or unidentified quote types used for string value"),
        ("evilhax = true", r"Invalid clause\(s\) in filter string"),
        ("tags.a > 'b'", "Invalid comparator"),
    ],
)
def test_what_cannot_be_asked_of_models_is_refused(
    client: FileClient, text: str, message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        names(client, text)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (["name", "run_id DESC"], "Invalid attribute key 'run_id' specified"),
        (["name", "last_updated_timestamp DESC blah"], r"Invalid order_by clause '.+'"),
        (["tags.a"], "Invalid order_by entity"),
        (["name", "name DESC"], "duplicate fields"),
    ],
)
def test_versions_are_not_sorted_by_anything(
    client: FileClient, order: list[str], message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        versions(client, "", *order)
