"""What a workspace wants said of its models: typed, and asked for before production; and an owner."""

from __future__ import annotations

import pytest

from mainspring.administration import contract as administration
from mainspring.administration.contract import NamePerson
from mainspring.core.errors import Blocked, Invalid, NotFound
from mainspring.registry import contract
from mainspring.registry.catalog_contract import (
    CreateModel,
    TagModel,
    TagVersion,
    create_model,
    tag_model,
    tag_version,
)
from mainspring.registry.contract import DescribeModel, NamePromotion
from mainspring.registry.field import Field, FieldType, field_blockers
from mainspring.registry.field_contract import (
    DeclareField,
    ListFields,
    NameField,
    declare_field,
    drop_field,
    list_fields,
)
from mainspring.registry.search_contract import SearchModels, search_models
from tests import story
from tests.house import Clients
from tests.story import MODEL


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("text", ["late flights"], ["", "  "]),
        ("number", ["1", "-0.5", "1e3"], ["", "one", "nan", "inf", " 1", "1_000"]),
        ("boolean", ["true", "false"], ["yes", "True", ""]),
        ("date", ["2026-03-31"], ["31.03.2026", "2026-02-30", "20260331"]),
        ("choice", ["credit"], ["", "Credit", "loan"]),
    ],
)
def test_a_value_is_of_its_fields_type(kind: FieldType, good: list[str], bad: list[str]) -> None:
    field = Field("model", "area", kind, ("credit", "travel") if kind == "choice" else ())

    assert [value for value in good if field_blockers(field, value)] == []
    assert [value for value in bad if not field_blockers(field, value)] == []


def declare(clients: Clients, **more: object) -> None:
    wanted = {"of": "model", "name": "business_context", "required": True, **more}
    clients.admin.call(declare_field, DeclareField(**wanted))  # type: ignore[arg-type]


def test_nothing_enters_production_without_what_has_to_be_said(clients: Clients) -> None:
    declare(clients)
    declare(clients, of="version", name="benchmark", type="number")
    story.declare(clients.developer)
    number = story.version(clients.developer).number

    with pytest.raises(Blocked) as caught:
        story.ask(clients.developer, number)
    assert caught.value.reasons == [
        "the model does not say 'business_context' (text)",
        "the version does not say 'benchmark' (number)",
    ]

    clients.developer.call(
        tag_model, TagModel(model=MODEL, key="business_context", value="who is late")
    )
    clients.developer.call(
        tag_version, TagVersion(model=MODEL, version=number, key="benchmark", value="0.71")
    )
    assert story.ask(clients.developer, number).state == "checking"


def test_what_is_not_of_the_type_is_refused_where_it_is_said(clients: Clients) -> None:
    declare(clients, name="area", type="choice", choices=["credit", "travel"])
    story.version(clients.developer)

    with pytest.raises(Invalid, match="wanted one of credit, travel"):
        clients.developer.call(tag_model, TagModel(model=MODEL, key="area", value="loans"))
    with pytest.raises(Invalid, match="wanted one of"):
        clients.developer.call(create_model, CreateModel(model="new", tags={"area": "loans"}))

    clients.developer.call(tag_model, TagModel(model=MODEL, key="area", value="travel"))
    request = SearchModels(filter="tags.area = 'travel'")
    assert [one.name for one in clients.viewer.call(search_models, request).items] == [MODEL]


def test_a_field_that_is_dropped_asks_for_nothing(clients: Clients) -> None:
    declare(clients)
    clients.admin.call(drop_field, NameField(of="model", name="business_context"))

    assert clients.viewer.call(list_fields, ListFields()) == []
    with pytest.raises(NotFound):
        clients.admin.call(drop_field, NameField(of="model", name="business_context"))
    story.declare(clients.developer)
    story.ask(clients.developer, story.version(clients.developer).number)


@pytest.mark.parametrize("more", [{"type": "choice"}, {"type": "text", "choices": ["a"]}])
def test_choices_belong_to_choices(clients: Clients, more: dict[str, object]) -> None:
    with pytest.raises(Invalid, match="choices belong to the type 'choice'"):
        declare(clients, **more)


def test_a_model_without_an_owner_who_can_answer_does_not_enter_production(
    clients: Clients,
) -> None:
    story.declare(clients.developer)
    number = story.version(clients.developer).number
    clients.developer.call(contract.describe_model, DescribeModel(model=MODEL, owner="vera"))
    promotion = story.ask(clients.developer, number)
    story.say(clients.service, promotion.id)
    clients.admin.call(administration.disable_person, NamePerson(name="vera"))

    shown = story.approve(clients.approver, promotion.id)
    assert shown.state == "waiting"
    assert shown.missing == [
        "the model's owner 'vera' is nobody who can sign in: nobody would answer for it"
    ]
    clients.developer.call(contract.withdraw, NamePromotion(promotion=promotion.id))
    with pytest.raises(Blocked, match="nobody would answer for it"):
        story.ask(clients.developer, number)


def test_owners_and_those_on_call_are_people(clients: Clients) -> None:
    story.version(clients.developer)

    for words in ({"owner": "nobody"}, {"on_call": ["vera", "nobody"]}):
        with pytest.raises(NotFound, match="nobody here is called 'nobody'"):
            clients.developer.call(
                contract.describe_model,
                DescribeModel(model=MODEL, **words),
            )
    request = DescribeModel(model=MODEL, on_call=["ole", "vera"], escalation="+44 20 7946 0000")
    found = clients.developer.call(contract.describe_model, request)

    assert (found.on_call, found.escalation) == (["ole", "vera"], "+44 20 7946 0000")


def test_a_name_that_is_taken_is_declared_anew(clients: Clients) -> None:
    declare(clients)
    declare(clients, required=False)

    [field] = clients.viewer.call(list_fields, ListFields())
    assert not field.required
    assert story.kinds(clients.viewer).count("field.declared") == 2
