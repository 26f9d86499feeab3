"""A person who has done all that can be done, and what a database holds of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import Text, func, select, type_coerce, update

from mainspring.administration import contract as administration
from mainspring.administration import erasure_contract, group_contract
from mainspring.administration.contract import (
    AddPerson,
    CreateToken,
    GrantRole,
    Nothing,
    SetPassword,
)
from mainspring.administration.erasure_contract import Erased, ErasePerson
from mainspring.administration.group_contract import Deny, GroupMember
from mainspring.app import App
from mainspring.core.blobs import canonical_json
from mainspring.core.chain import chain_hash
from mainspring.core.database import Json, metadata
from mainspring.core.errors import MainspringError
from mainspring.core.event_log import event_table, workspace_table
from mainspring.core.ids import new_id
from mainspring.core.operation import Client
from mainspring.core.principal import principal_table
from mainspring.registry import contract as registry
from mainspring.registry.contract import DescribeModel, NamePolicy, ProposePolicy
from tests import group_deeds, story
from tests.house import SERVICE, Clients, Clock, local_client
from tests.registry_deeds import LOOSE
from tests.story import MODEL
from tests.world import DRIVE, World, built

NAME = "dora"
USER_TAG = "mlflow.user"
UNDONE = {
    "people.erase", "storage.collect", "runs.sweep", "promotion.expire", "model.delete",
    "model.rename", "model.delete-version", "retrain.cancel", "retrain.now",
    "aliases.unprotect", "fields.drop", "monitor.unschedule", "groups.delete", "groups.revoke",
}  # fmt: skip
"""Deeds that end the life, take away its traces, or with which time passes that the rest needs."""

WRITTEN: tuple[tuple[str, str, Any], ...] = (
    ("job", "last_error", f"Forbidden: person {NAME!r} needs the permission"),
    ("deployment", "message", f"Blocked: {NAME!r} may not"),
    ("retraining", "outcome", f"{NAME}: not as good as {NAME!r} said"),
    ("alert", "acknowledged_by", NAME),
    ("group_role", "granted_by", NAME),
    ("promotion", "on_behalf_of", [NAME, "ole"]),
    ("run", "code", {"authors": [{"name": NAME}]}),
    ("webhook_delivery", "body", canonical_json({"data": {"tags": {USER_TAG: NAME}}}).decode()),
)
"""What stands in columns that no short deed writes."""


def erase(client: Client, name: str = NAME, **more: Any) -> Erased:
    """Erase somebody."""
    request = ErasePerson(name=name, reason="request 7", **more)
    return client.call(erasure_contract.erase_person, request)


def lived(app: App, clients: Clients, clock: Clock, tokens: dict[str, str]) -> World:
    """A world in which Dora did what there is to do, where she was let."""
    for role in ("admin", "approver", "deployer"):
        clients.admin.call(administration.grant_role, GrantRole(person=NAME, role=role))
    world = built(clients, clock)
    _approves(clients)
    theirs = Clients(
        lambda name: clients.service if name == SERVICE else clients.developer, clients.signed_in
    )
    for name, deed in DRIVE.items():
        if name not in UNDONE:
            with suppress(MainspringError):  # a refusal is a trace as well
                deed(replace(world, clients=theirs))
    _is_named(app, clients)
    _hands_over(app, clients, tokens)
    return world


def _approves(clients: Clients) -> None:
    """Decides on what is others', and stands by it."""
    others = clients.admin
    others.call(registry.propose_policy, ProposePolicy(name="hers", model=MODEL))
    clients.developer.call(registry.approve_policy, NamePolicy(policy="hers"))
    number = story.version(others, user=NAME).number
    promotion = story.ask(others, number)
    story.say(clients.service, promotion.id)
    story.approve(clients.developer, promotion.id)
    story.open_run(
        clients.developer, user="deborah", environment={"user": NAME}, tags={USER_TAG: "deborah"}
    )


def _is_named(app: App, clients: Clients) -> None:
    """Stands in what others and Mainspring itself wrote."""
    on_call = DescribeModel(model=LOOSE, owner=NAME, on_call=[NAME, "ole"])
    clients.admin.call(registry.describe_model, on_call)
    admin = clients.admin
    admin.call(group_contract.add_member, GroupMember(group=group_deeds.GROUP, person=NAME))
    admin.call(group_contract.deny, Deny(person=NAME, verb="train"))
    secret = "a long secret of hers"
    admin.call(administration.set_password, SetPassword(person=NAME, password=secret))
    with app.database.write() as connection:
        for table, column, value in WRITTEN:
            values = {column: value}
            connection.execute(update(metadata.tables[table]).values(values))
        for table in ("experiment_tag", "tag", "model_tag", "version_tag", "trained_model_tag"):
            tags = metadata.tables[table]
            ((owner, foreign),) = [(one.name, list(one.foreign_keys)) for one in tags.c][:1]
            key = connection.scalars(select(func.min(foreign[0].column))).one()
            connection.execute(tags.insert().values({owner: key, "key": USER_TAG, "value": NAME}))


def _hands_over(app: App, clients: Clients, tokens: dict[str, str]) -> None:
    """Lets others take over what would hold up the erasure."""
    clients.admin.call(registry.describe_model, DescribeModel(model=MODEL, owner="ole"))
    there = local_client(app, tokens[NAME], "another")
    there.call(administration.grant_role, GrantRole(person="ada", role="admin"))


def texts(app: App) -> Iterator[tuple[str, str]]:
    """Every text in the database, with the column that it is in."""
    with app.database.read() as connection:
        for table in metadata.sorted_tables:
            for column in table.c:
                if isinstance(column.type, Text | Json):
                    for value in connection.scalars(select(type_coerce(column, Text))):
                        yield f"{table.name}.{column.name}", value or ""


def columns_with(app: App, word: str) -> set[str]:
    """The columns that a word is in, anywhere in a text."""
    return {column for column, text in texts(app) if word in text}


def append_old(app: App, **columns: Any) -> None:
    """Log an event as the first schema version was written: with names."""
    with app.database.write() as connection:
        head = connection.execute(
            select(workspace_table).where(workspace_table.c.id == 1)
        ).one()  # fmt: skip
        like = select(event_table).where(event_table.c.workspace_id == 1)
        found = connection.execute(like.order_by(event_table.c.id).limit(1)).mappings().one()
        row = {**found, "public_id": new_id(), "schema_version": 1, **columns}
        del row["id"]
        row |= {"sequence": head.chain_sequence + 1, "previous_hash": head.chain_hash}
        row["hash"] = chain_hash(head.chain_hash, row)
        connection.execute(event_table.insert().values(row))
        end = {"chain_sequence": row["sequence"], "chain_hash": row["hash"]}
        connection.execute(
            update(workspace_table).where(workspace_table.c.id == 1).values(end)
        )  # fmt: skip


def public_id(app: App, name: str) -> str:
    """What the log refers to somebody by."""
    query = select(principal_table.c.public_id).where(
        principal_table.c.kind == "person", principal_table.c.name == name
    )
    with app.database.read() as connection:
        return str(connection.execute(query).scalar_one())


def faults(clients: Clients) -> list[str]:
    """What is wrong with the log of any workspace."""
    verified = clients.admin.call(administration.verify_workspaces, Nothing())
    return [fault.found for one in verified for fault in one.chain.faults]


def again(clients: Clients, app: App, name: str, *roles: str) -> Clients:
    """Another person under the name, with a client of theirs."""
    request = AddPerson(name=name, roles=[*roles])
    clients.admin.call(administration.add_person, request)
    made = clients.admin.call(administration.create_token, CreateToken(owner=name))
    return Clients(lambda _name: local_client(app, made.token))


def hand_over(clients: Clients) -> None:
    """Let another own the model."""
    request = DescribeModel(model=MODEL, owner="ole")
    clients.admin.call(registry.describe_model, request)
