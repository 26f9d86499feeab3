"""Tokens that are limited to names: every operation there is, tried about a name that does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec
import pytest
from sqlalchemy import Column, MetaData, Table, Text, insert, select

from mainspring.administration import contract
from mainspring.administration.actor_store import predictors
from mainspring.administration.contract import CreateToken, NewToken
from mainspring.app import OPERATIONS, App, LocalClient, workspace_key
from mainspring.core.access import token_hash
from mainspring.core.blobs import digest_of
from mainspring.core.clock import utc_now
from mainspring.core.errors import Forbidden, Invalid, MainspringError, NotFound
from mainspring.core.matching import fitting
from mainspring.core.name_patterns import fits
from mainspring.core.operation import FileClient, Operation, checked
from mainspring.deployment import contract as deployment
from mainspring.registry import contract as registry
from tests import story
from tests.conftest import SignIn
from tests.house import Clients, Clock, local_client
from tests.sample import sample
from tests.world import World, built

NAMING = [one for one in OPERATIONS.values() if one.naming]
REQUIRED = [
    one
    for one in NAMING
    if any(
        item.required and item.name in one.naming for item in msgspec.structs.fields(one.request)
    )
]
SILENT = [one for one in OPERATIONS.values() if not one.filtered and one not in REQUIRED]
FILTERED = {
    "whoami.show", "model.list", "model.search", "model.search-versions", "promotion.list",
    "policy.list", "deploy.list",
}  # fmt: skip
NAMES = [
    "churn",
    "churn-a",
    "Churn-a",
    "churn_a",
    "churnXa",
    "a churn-a",
    "50%",
    "[ab]",
    "a",
    "",
    "\n",
]
PATTERNS = ["churn-*", "churn?a", "*churn*", "churn_a", "50%", "%", "_", "[ab]", "*", "?", "a\\b"]


def by_name(operation: Operation[Any, Any]) -> str:
    return operation.name


def limited(clients: Clients, *patterns: str, owner: str = "ada") -> NewToken:
    request = CreateToken(owner=owner, models=list(patterns))
    return clients.admin.call(contract.create_token, request)


@pytest.fixture
def of_churn(clients: Clients, sign_in: SignIn) -> FileClient:
    """An administrator whose token is limited to churn-*."""
    return sign_in(limited(clients, "churn-*").token)


class TestEveryOperation:
    """The matrix; what is refused is refused before anything is looked up, so one database will do."""

    @pytest.fixture
    def database_kind(self) -> str:
        """No row is read beyond the token's."""
        return "SQLite"

    @pytest.fixture
    def transport(self) -> str:
        """The limit is beneath both ways in."""
        return "in process"

    @pytest.fixture
    def of_churn(self, app: App, tokens: dict[str, str]) -> LocalClient:
        """Somebody with every permission there is, by a token limited to churn-*."""
        for role in ("admin", "service", "trainer"):
            app.token_of("person", "ada", role)
        request = CreateToken(owner="ada", models=["churn-*"])
        made = local_client(app, tokens["ada"]).call(contract.create_token, request)
        return local_client(app, made.token)

    def test_about_another_name_is_refused(self, of_churn: LocalClient) -> None:
        passed = []
        for operation in NAMING:
            for name in operation.naming:
                fitting_names = dict.fromkeys(operation.naming, "churn-a")
                fields = msgspec.to_builtins(sample(operation))
                wanted = checked(operation, {**fields, **fitting_names, name: "payments"})
                if refusal(of_churn, operation, wanted) != ("payments", "churn-*"):
                    passed.append((operation.name, name))

        assert passed == []

    def test_without_a_name_is_refused_unless_it_is_filtered(self, of_churn: LocalClient) -> None:
        passed = [
            operation.name
            for operation in SILENT
            if refusal(of_churn, operation, sample(operation)) != ("names none", "churn-*")
        ]

        assert passed == []

    def test_about_a_name_that_fits_goes_on(self, of_churn: LocalClient) -> None:
        refused = []
        for operation in NAMING:
            fields = msgspec.to_builtins(sample(operation))
            wanted = checked(operation, {**fields, **dict.fromkeys(operation.naming, "churn-a")})
            if refusal(of_churn, operation, wanted) is not None:
                refused.append(operation.name)

        assert refused == []


def refusal(client: FileClient, operation: Operation[Any, Any], request: Any) -> object:
    """What the limit said: the name or that there was none, and the pattern."""
    try:
        client.call(operation, request)
    except Forbidden as error:
        if "the token is limited" in error.message:
            words = ("payments", "names none")
            return next(word for word in words if word in error.message), "churn-*"
    except MainspringError:
        pass
    return None


def test_only_lists_of_names_are_filtered() -> None:
    served = [one for one in OPERATIONS.values() if not one.inside]
    assert {one.name for one in served if one.filtered} == FILTERED
    assert all(OPERATIONS[name].reads for name in FILTERED)


def test_every_field_that_holds_a_models_name_is_known_as_one() -> None:
    found = {
        (one.name, name)
        for one in OPERATIONS.values()
        for name in one.request.__struct_fields__
        if "model" in name or "deployment" in name
    }

    ids = {"trained_model", "models", "copied_model"}
    assert {(o, n) for o, n in found if n not in OPERATIONS[o].naming} <= {
        (o, n) for o, n in found if n in ids
    }
    assert "copied_model" in OPERATIONS["model.add-version"].naming


@pytest.fixture
def world(clients: Clients, clock: Clock) -> World:
    """Something of every kind happened to flights-late; and there is a model churn-a."""
    made = built(clients, clock)
    clients.developer.call(
        OPERATIONS["model.create"], OPERATIONS["model.create"].request(model="churn-a")
    )
    return made


@pytest.mark.parametrize("name", sorted(FILTERED - {"whoami.show"}))
def test_a_filtered_list_holds_what_fits_alone(
    world: World, clients: Clients, sign_in: SignIn, name: str
) -> None:
    operation = OPERATIONS[name]

    def shown(*patterns: str) -> str:
        client = sign_in(limited(clients, *patterns).token)
        return msgspec.json.encode(client.call(operation, sample(operation))).decode()

    assert story.MODEL not in shown("churn-*")
    assert story.MODEL in shown("churn-*", "flights-l?te")


def test_a_next_page_is_found_among_what_fits(
    world: World, clients: Clients, sign_in: SignIn
) -> None:
    operation = OPERATIONS["model.search"]
    client = sign_in(limited(clients, "flights*").token)

    page = client.call(operation, operation.request(limit=1))

    assert ([one.name for one in page.items], page.next) == ([story.MODEL], None)


def test_a_name_that_is_not_there_has_no_hint_of_one_that_is_not_to_be_known(
    world: World, clients: Clients, sign_in: SignIn
) -> None:
    client = sign_in(limited(clients, "flights-lat").token)
    request = registry.NameModel(model="flights-lat")

    with pytest.raises(NotFound, match="did you mean 'flights-late'"):
        clients.admin.call(registry.show_model, request)
    with pytest.raises(NotFound) as caught:
        client.call(registry.show_model, request)
    assert story.MODEL not in str(caught.value.as_json())


def test_a_limited_token_makes_no_token_at_all(of_churn: FileClient) -> None:
    for request in (CreateToken(owner="ada"), CreateToken(owner="ada", models=["churn-*"])):
        with pytest.raises(Forbidden, match=r"'churn-\*'"):
            of_churn.call(contract.create_token, request)


def test_a_token_tells_its_patterns(clients: Clients, of_churn: FileClient) -> None:
    listed = clients.admin.call(contract.list_tokens, contract.Nothing())

    assert of_churn.call(contract.whoami, contract.Nothing()).models == ["churn-*"]
    assert listed[-1].models == ["churn-*"]
    assert story.events(clients.admin)[-1].facts["models"] == ["churn-*"]


@pytest.mark.parametrize("pattern", ["", "a@b", "a/b", "a:b", "*a*a*a*a*", "x" * 251, "a\n"])
def test_what_is_no_pattern_is_refused(clients: Clients, pattern: str) -> None:
    with pytest.raises(Invalid):
        limited(clients, pattern)


def test_a_token_without_any_name_is_not_made(clients: Clients) -> None:
    with pytest.raises(Invalid):
        limited(clients)


def test_patterns_mean_the_same_in_python_and_in_the_database(app: App) -> None:
    table = Table("named", MetaData(), Column("name", Text), prefixes=["TEMPORARY"])
    with app.database.write() as connection:
        table.create(connection)
        connection.execute(insert(table), [{"name": name} for name in NAMES])
        for pattern in PATTERNS:
            condition = fitting(table.c.name, (pattern,), connection.dialect.name)
            found = set(connection.scalars(select(table.c.name).where(condition)))
            assert found == {name for name in NAMES if fits(name, (pattern,))}, pattern
        table.drop(connection)


def test_a_limited_token_predicts_where_it_fits_alone(
    world: World, clients: Clients, app: App
) -> None:
    made = limited(clients, "churn-*", owner="dora")
    other = limited(clients, "flights-*", owner="dora")

    operation = OPERATIONS["deploy.placements"]
    placed = clients.service.call(operation, operation.request())

    assert [one.deployment.name for one in placed] == [story.MODEL]
    assert token_hash(other.token) in placed[0].tokens
    assert token_hash(made.token) not in placed[0].tokens
    with app.database.read() as connection:
        found = predictors(connection, workspace_key(connection, "default"), utc_now())
    assert found[token_hash(made.token)] == ("churn-*",)


class TestMlflow:
    """A client of MLflow's with a limited token."""

    @pytest.fixture
    def database_kind(self) -> str:
        """The door does not know which database it is."""
        return "SQLite"

    @pytest.fixture
    def transport(self) -> str:
        """The world is built in this process."""
        return "in process"

    @pytest.fixture
    def http(self, world: World, url: str) -> Iterator[httpx2.Client]:
        """The client."""
        clients = world.clients
        headers = {"Authorization": f"Bearer {limited(clients, 'churn-*').token}"}
        with httpx2.Client(base_url=url, headers=headers, trust_env=False, verify=False) as client:
            yield client

    def test_searches_find_what_fits(self, http: httpx2.Client) -> None:
        models = http.get("/api/2.0/mlflow/registered-models/search").json()
        versions = http.get("/api/2.0/mlflow/model-versions/search").json()

        assert [one["name"] for one in models["registered_models"]] == ["churn-a"]
        assert versions.get("model_versions", []) == []

    @pytest.mark.parametrize(
        ("verb", "path", "body"),
        [
            ("GET", "2.0/mlflow/registered-models/get?name=flights-late", None),
            ("POST", "2.0/mlflow/registered-models/create", {"name": "flights-2"}),
            ("POST", "2.0/mlflow/registered-models/rename",
             {"name": "churn-a", "new_name": "flights-2"}),
            ("DELETE", "2.0/mlflow/registered-models/delete", {"name": "flights-late"}),
            ("POST", "2.0/mlflow/experiments/search", {"max_results": 5}),
            ("POST", "2.0/mlflow/runs/create", {"experiment_id": "0"}),
            ("PUT", "2.0/mlflow-artifacts/artifacts/a/b.txt", {}),
        ],
    )  # fmt: skip
    def test_all_else_is_refused(
        self, http: httpx2.Client, verb: str, path: str, body: object
    ) -> None:
        answer = http.request(verb, f"/api/{path}", json=body)

        assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")
        assert "churn-*" in answer.json()["message"]

    @pytest.mark.parametrize(
        "path",
        ["/api/v1/workspaces/default/files/{0}/content", "/api/2.0/mlflow-artifacts/artifacts/a"],
    )
    def test_a_file_is_refused_before_it_is_stored(
        self, http: httpx2.Client, app: App, path: str
    ) -> None:
        digest = digest_of(b"nobody may send this")
        answer = http.put(path.format(digest), content=b"nobody may send this")

        assert answer.status_code == 403
        assert not app.blobs.has(digest)


def test_a_deployment_is_a_name_too(world: World, clients: Clients, sign_in: SignIn) -> None:
    client = sign_in(limited(clients, "churn-*", "flights-late").token)

    with pytest.raises(Forbidden, match="'late-too'"):
        client.call(
            deployment.start, deployment.StartDeployment(model=story.MODEL, name="late-too")
        )
