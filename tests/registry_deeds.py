"""How to do each operation that changes the catalogue or a webhook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mainspring.core.operation import FileClient
from mainspring.engines.table import EngineTable
from mainspring.registry import catalog_contract as catalog
from mainspring.registry import field_contract as fields
from mainspring.registry import override_contract as breaking
from mainspring.registry import protection_contract as protection
from mainspring.registry import stage_contract as stages
from mainspring.registry import standing_contract as standing
from mainspring.registry.contract import (
    DeclareSuite,
    NameModel,
    NameVersion,
    Vouch,
    declare_suite,
    vouch,
)
from mainspring.registry.engine_contract import RecordEngines, record_engines
from mainspring.registry.gate_contract import DeclareGate, declare_gate
from mainspring.registry.record import CheckSpec
from mainspring.registry.requirement_contract import SetRequirements, set_requirements
from mainspring.webhooks import contract as webhooks
from mainspring.webhooks.contract import CreateWebhook, GiveUp, NameWebhook, UpdateWebhook
from tests.accounts import add as add_account
from tests.accounts import token_by
from tests.registry.catalog import add, create
from tests.story import MODEL, PARAMETERS, ask, say, version

PROTECTED = "stable"
"""An alias that follows production."""
FIELD = "business_context"
"""A field of models that the world has declared."""
SCANNER = "scanner"
SHADOW = "shadow"
"""A stage of the world's own."""
LOOSE = "loose"
"""A model that no suite names."""
KEY = "k"


def prepared(developer: FileClient) -> str:
    """A model of the catalogue, and a webhook; answers the webhook's id."""
    create(developer, LOOSE, tags={KEY: "v"})
    add(developer, LOOSE, tags={KEY: "v"})
    request = CreateWebhook(name="ci", address="https://example.com/", events=["prompt.created"])
    webhook = developer.call(webhooks.create_webhook, request).id
    developer.call(webhooks.try_webhook, webhooks.TryWebhook(webhook=webhook))
    return webhook


def _model(
    operation: Any, request: type[Any] = NameModel, **fields: Any
) -> Callable[[Any], object]:
    return lambda world: world.clients.developer.call(operation, request(model=LOOSE, **fields))


def _version(
    operation: Any, request: type[Any] = NameVersion, **fields: Any
) -> Callable[[Any], object]:
    return _model(operation, request, version=1, **fields)


def _webhook(operation: Any, request: type[Any] = NameWebhook, **fields: Any) -> Any:
    return lambda world: world.clients.developer.call(
        operation, request(webhook=world.webhook, **fields)
    )


def _given_up(world: Any) -> None:
    asked = webhooks.TryWebhook(webhook=world.webhook)
    delivery = world.clients.developer.call(webhooks.try_webhook, asked).id
    world.clients.service.call(webhooks.give_up, GiveUp(delivery=delivery, reason="gone"))


def _judged(who: str, *operations: Any) -> Callable[[Any], object]:
    def judge(world: Any) -> None:
        request = standing.Judge(model=LOOSE, version=1, reason="a scan found something")
        for operation in operations:
            getattr(world.clients, who).call(operation, request)

    return judge


def _overridden(world: Any) -> str:
    """What is in production stands aside for a version that nobody looked at."""
    people = world.clients
    suite = DeclareSuite(
        model=MODEL, checks=[CheckSpec(name="data")], approvals=1, override_hours=4
    )
    people.admin.call(declare_suite, suite)
    request = breaking.Override(model=MODEL, version=2, reason="the other one is broken")
    return str(people.deployer.call(breaking.override, request).id)


def _confirmed(world: Any) -> None:
    request = breaking.Confirm(promotion=_overridden(world), reason="I looked at it")
    world.clients.approver.call(breaking.confirm, request)


def _vouched(world: Any) -> None:
    """A service account that the suite names approves."""
    people = world.clients
    checks = [CheckSpec(name="performance", parameters=PARAMETERS["performance"])]
    add_account(people, SCANNER, "vera")
    suite = DeclareSuite(model=MODEL, checks=checks, services=[SCANNER])
    people.admin.call(declare_suite, suite)
    promotion = ask(people.developer, version(people.developer).number)
    say(people.service, promotion.id)
    robot = people.signed_in(token_by(people.admin, SCANNER).token)
    robot.call(vouch, Vouch(promotion=promotion.id, reason="the scan is clean"))


def timed(service: FileClient, version: int) -> None:
    """What a worker measured of a version of the model is recorded."""
    table = EngineTable(native="lightgbm", reason="no converter installed")
    request = RecordEngines(model=MODEL, version=version, table=table)
    service.call(record_engines, request)


DEEDS: dict[str, Callable[[Any], object]] = {
    "model.block": _judged("developer", standing.block),
    "model.unblock": _judged("admin", standing.block, standing.unblock),
    "model.revoke": _judged("admin", standing.revoke),
    "promotion.override": _overridden,
    "promotion.confirm": _confirmed,
    "promotion.comment": lambda world: world.clients.developer.call(
        breaking.comment, breaking.Comment(promotion=world.promotion, text="looks fine")
    ),
    "fields.declare": lambda world: world.clients.admin.call(
        fields.declare_field, fields.DeclareField(of="version", name="benchmark", type="number")
    ),
    "fields.drop": lambda world: world.clients.admin.call(
        fields.drop_field, fields.NameField(of="model", name=FIELD)
    ),
    "aliases.protect": lambda world: world.clients.admin.call(
        protection.protect_alias, protection.ProtectAlias(alias="champion")
    ),
    "aliases.unprotect": lambda world: world.clients.admin.call(
        protection.unprotect_alias, protection.UnprotectAlias(alias=PROTECTED)
    ),
    "stages.declare": lambda world: world.clients.admin.call(
        stages.declare_stage, stages.DeclareStage(name="canary")
    ),
    "stages.drop": lambda world: world.clients.admin.call(
        stages.drop_stage, stages.NameStage(name=SHADOW)
    ),
    "gates.declare": lambda world: world.clients.admin.call(
        declare_gate, DeclareGate(checks=[CheckSpec(name="data")])
    ),
    "promotion.vouch": _vouched,
    "model.record-engines": lambda world: timed(world.clients.service, 2),
    "model.create": lambda world: create(world.clients.developer, "another"),
    "model.rename": _model(catalog.rename_model, catalog.RenameModel, name="another"),
    "model.delete": _model(catalog.delete_model),
    "model.tag": _model(catalog.tag_model, catalog.TagModel, key="new", value="v"),
    "model.untag": _model(catalog.untag_model, catalog.UntagModel, key=KEY),
    "model.add-version": lambda world: add(world.clients.developer, LOOSE),
    "model.describe-version": _version(
        catalog.describe_version, catalog.DescribeVersion, description="good"
    ),
    "model.delete-version": _version(catalog.delete_version),
    "model.tag-version": _version(catalog.tag_version, catalog.TagVersion, key="new", value="v"),
    "model.untag-version": _version(catalog.untag_version, catalog.UntagVersion, key=KEY),
    "model.move": _version(catalog.move_version, catalog.MoveVersion, stage="staging"),
    "requirements.set": lambda world: world.clients.admin.call(
        set_requirements, SetRequirements(require=["data"])
    ),
    "webhooks.create": lambda world: world.clients.developer.call(
        webhooks.create_webhook,
        CreateWebhook(name="two", address="https://example.com/", events=["prompt.created"]),
    ),
    "webhooks.update": _webhook(webhooks.update_webhook, UpdateWebhook, name="another"),
    "webhooks.delete": _webhook(webhooks.delete_webhook),
    "webhooks.give-up": _given_up,
}
DATA = {
    "webhooks.test": "a delivery is data; that one was not taken is an event",
    "webhooks.tell": "deliveries are data, and made of events",
}
