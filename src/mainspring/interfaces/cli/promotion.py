"""`mainspring promote`, `approve`, `reject`, `rollback`: a version's way to a stage and back."""

from __future__ import annotations

import re
import time
from typing import Any

import click

from mainspring.administration.account_contract import list_accounts
from mainspring.administration.contract import Nothing, Person, list_people
from mainspring.core.access import permitted
from mainspring.core.errors import Blocked, Conflict, Invalid, NotFound, Unavailable
from mainspring.core.operation import Client
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.frame import Command, note
from mainspring.interfaces.cli.output import show
from mainspring.interfaces.cli.references import version_named, whole_id
from mainspring.interfaces.cli.requests import build
from mainspring.registry import contract
from mainspring.registry.contract import Promotion

LOOK_S = 0.25
APPROVAL_NEEDED = 5


@click.command(cls=Command)
@click.argument("reference", metavar="MODEL@V")
@click.option("--to", "stage", required=True, help="The stage to enter.")
@click.option("--reason", default="", help="Why; approvers read it.")
@click.option("--policy", help="The standing policy that decides instead of people.")
@click.option("--dry-run", is_flag=True, help="Only list what would hold it back.")
@click.option("--wait/--no-wait", default=True, help="Wait for the checks.  [default: wait]")
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    default=600,
    show_default=True,
    help="How many seconds to wait.",
)
@click.pass_context
def promote(context: click.Context, /, reference: str, **given: Any) -> None:
    """Ask to move a version to a stage; its checks start by themselves."""
    asked = {name: given[name] for name in ("stage", "reason", "policy")}
    operation = contract.preview_promotion if given["dry_run"] else contract.request_promotion
    with connected() as connection:
        client = connection.client
        model, version = version_named(client, reference)
        request = build(operation, {"model": model, "version": version, **asked})
        promotion = client.call(operation, request)
        if given["wait"] and not given["dry_run"] and promotion.state == "checking":
            promotion = _checked(client, promotion, connection.url, given["timeout"])
        show(operation, promotion)
        if not given["dry_run"]:
            context.exit(_ending(client, promotion))


def _checked(client: Client, promotion: Promotion, url: str | None, timeout: float) -> Promotion:
    """Wait until its checks are done."""
    if url is None:
        note("no server runs here: the checks will run at the next `mainspring up`")
        return promotion
    note(f"checking {promotion.model}@{promotion.version}: {'; '.join(promotion.missing)}")
    deadline = time.monotonic() + timeout
    while promotion.state == "checking":
        if time.monotonic() > deadline:
            raise Unavailable(
                f"the checks of promotion {promotion.id} still run after {timeout:g} s",
                promotion.missing,
                fix=f"look later: mainspring promotion show {promotion.id}",
            )
        time.sleep(LOOK_S)
        promotion = client.call(
            contract.show_promotion, contract.NamePromotion(promotion=promotion.id)
        )
    return promotion


def _ending(client: Client, promotion: Promotion) -> int:
    """The exit code of a request, after saying what comes next."""
    name = f"{promotion.model}@{promotion.version}"
    if promotion.state == "promoted":
        note(f"{name} is in {promotion.stage}")
    elif promotion.state == "waiting":
        note(f"waiting: {'; '.join(promotion.missing)}; {_who(client, promotion)}")
        note(f"next: mainspring approve {name} --reason WHY")
        return APPROVAL_NEEDED
    elif promotion.state == "checking":
        note(f"next: mainspring promotion show {promotion.id}")
    else:
        refused = [f"{v.check}: {v.reason}" for v in promotion.verdicts if v.outcome != "passed"]
        raise Blocked(
            f"{name} may not enter {promotion.stage}: the promotion is {promotion.state}",
            refused,
            fix="train a version that passes, then ask again",
        )
    return 0


def _who(client: Client, promotion: Promotion) -> str:
    """The people who could approve: they may, and had no part in it."""
    people = client.call(list_people, Nothing())
    lineage = client.call(
        contract.show_lineage,
        contract.NameVersion(model=promotion.model, version=promotion.version),
    )
    parties = {promotion.requested_by, lineage.registered_by, lineage.run_author}
    for account in client.call(list_accounts, Nothing()):
        parties |= set(account.answering) if account.name in parties else set()
    able = [
        person.name
        for person in people
        if not person.disabled
        and person.name not in parties
        and "approve" in permitted(_roles(person), frozenset(person.denied))
    ]
    if not able:
        return "nobody here may approve it: mainspring roles grant --person NAME --role approver"
    return f"{' or '.join(able)} may approve it"


def _roles(person: Person) -> frozenset[str]:
    return frozenset(person.roles).union(*person.groups.values())


def _decide(target: str, stage: str | None, decision: str, reason: str) -> None:
    with connected() as connection:
        promotion = _open_promotion(connection.client, target, stage)
        fields = {"promotion": promotion, "decision": decision, "reason": reason}
        decided = connection.client.call(contract.decide, build(contract.decide, fields))
        show(contract.decide, decided)
        if decided.missing:
            note(f"still missing: {'; '.join(decided.missing)}")


def _open_promotion(client: Client, target: str, stage: str | None) -> str:
    """The id of the one open promotion that is meant."""
    if "@" not in target:
        if not re.fullmatch("[0-9a-f]{4,32}", target):
            raise Invalid(
                f"{target!r} is neither MODEL@V nor a promotion's id",
                fix="mainspring promotion list",
            )
        return whole_id(client, "promotion", target)
    model, version = version_named(client, target)
    request = contract.ListPromotions(model=model, open=True, limit=1000)
    found = [
        one
        for one in client.call(contract.list_promotions, request)
        if one.version == version and stage in (None, one.stage)
    ]
    if not found:
        raise NotFound(
            f"no promotion of {model}@{version} is open",
            fix=f"ask for one: mainspring promote {model}@{version} --to production",
        )
    if len(found) > 1:
        raise Conflict(
            f"{model}@{version} waits for {' and '.join(one.stage for one in found)}",
            fix="say which: --to STAGE",
        )
    return found[0].id


@click.command(cls=Command)
@click.argument("target", metavar="MODEL@V|PROMOTION")
@click.option("--reason", required=True, help="Why; it is kept with the approval.")
@click.option("--to", "stage", help="The stage, when it waits for more than one.")
def approve(target: str, reason: str, stage: str | None) -> None:
    """Approve a promotion that waits; nobody approves what they made or asked for."""
    _decide(target, stage, "approve", reason)


@click.command(cls=Command)
@click.argument("target", metavar="MODEL@V|PROMOTION")
@click.option("--reason", required=True, help="Why; it is kept with the promotion.")
@click.option("--to", "stage", help="The stage, when it waits for more than one.")
def reject(target: str, reason: str, stage: str | None) -> None:
    """Reject a promotion that waits."""
    _decide(target, stage, "reject", reason)


@click.command(cls=Command)
@click.argument("reference", metavar="MODEL@V")
@click.option("--reason", required=True, help="Why; it is kept in the log.")
@click.option("--stage", default="production", show_default=True, help="Where.")
def rollback(reference: str, reason: str, stage: str) -> None:
    """Return to a version that was in the stage before, without new checks."""
    with connected() as connection:
        model, version = version_named(connection.client, reference)
        fields = {"model": model, "version": version, "stage": stage, "reason": reason}
        request = build(contract.roll_back, fields)
        show(contract.roll_back, connection.client.call(contract.roll_back, request))
        note(f"deployments of {model} in {stage} change to version {version} by themselves")
