"""What a decision on a promotion is made over: the stores, the parties, what is missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from mainspring.administration.account_store import answerable
from mainspring.administration.credential_store import given
from mainspring.core.blobs import canonical_json, digest_of
from mainspring.core.errors import Blocked
from mainspring.core.event import Announcement
from mainspring.core.work import Work
from mainspring.registry.contract import Promotion
from mainspring.registry.field import missing_fields
from mainspring.registry.field_store import FieldStore
from mainspring.registry.gate import Gate, Lowered, tier_at
from mainspring.registry.promotion import (
    OPEN_STATES,
    UNDONE_STATES,
    Approval,
    Provenance,
    RiskTier,
    Suite,
    approval_blockers,
    check_blockers,
    four_eyes,
)
from mainspring.registry.promotion_store import PromotionStore, Since, verdict_of
from mainspring.registry.record import AskedCheck
from mainspring.registry.requirement import CODE_KEYS
from mainspring.registry.standing_gate import checks_of, newest_gates, not_run, standing_gate
from mainspring.registry.store import RegistryStore
from mainspring.tracking.dataset_store import DatasetStore
from mainspring.tracking.store import TrackingStore


class Desk:
    """The stores that a decision is made over, in one transaction."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.registry = RegistryStore(work.connection, work.workspace_id)
        self.promotions = PromotionStore(work.connection, work.workspace_id)
        self.tracking = TrackingStore(work.connection, work.workspace_id)

    def provenance(self, version: Any) -> Provenance | None:
        """The run behind a version, and what it lacks."""
        run = self.tracking.find_run(version.run) if version.run else None
        if run is None:
            return None
        roles = {
            dataset.role
            for dataset in DatasetStore(self.work.connection, self.work.workspace_id).datasets(
                run.id
            )
        }
        here = {
            "training data": "training" in roles,
            "hold-out data": "holdout" in roles,
            "code": any(run.code.get(key) for key in CODE_KEYS),
            "environment": bool(run.environment.get("packages")),
            "end": run.status == "finished",
        }
        missing = tuple(name for name, known in here.items() if not known)
        return Provenance(version.run, run.opened_at, run.attested, missing)

    def bound_to(self, promotion: Any, version: Any, gate: Gate) -> str:
        """The digest of everything that an approval is given for."""
        verdicts = self.promotions.verdict_rows(promotion.id)
        said = sorted((v.check, v.outcome, v.data_digest, v.measurements) for v in verdicts)
        return digest_of(canonical_json([version.digest, gate.binding, said]))

    def parties(self, promotion: Any, version: Any) -> set[str]:
        """Everybody who made the version or asked for the promotion."""
        run = self.tracking.find_run(version.run) if version.run else None
        parties = {promotion.requested_by, version.registered_by, *promotion.on_behalf_of}
        return self.answering(parties | ({run.author} if run else set()))

    def answering(self, names: Iterable[str]) -> set[str]:
        """These, and who answers for the service accounts among them: it counts as their own doing."""
        return answerable(self.work.connection, names)

    def suites(self, promotion: Any) -> list[Any]:
        """The suites that apply to a promotion: the model's own, and those of the workspace."""
        return self.promotions.suites_by_keys([promotion.suite_id, *promotion.more_suites])

    def gate(self, promotion: Any, version: Any) -> Gate:
        """All that is asked here: that nobody has to agree, a party cannot have declared."""
        rows = self.suites(promotion)
        today = self.gates_today(version, promotion.stage)
        found = standing_gate(rows, today)
        declared_by = {row.declared_by for row in [*rows, *today]}
        if found.rule.approvals == 0 and declared_by & self.parties(promotion, version):
            return replace(found, rule=replace(found.rule, approvals=1))
        return found

    def gates_today(self, version: Any, stage: str) -> list[Any]:
        """What the workspace asks today before the stage of a model with the version's risk tier."""
        tier = self.tier(version, self.opened_at(version))
        return newest_gates(self.promotions.gate_rows(stage), tier)

    def at_first(self, suites: Sequence[Any], version: Any, stage: str) -> tuple[Suite, list[str]]:
        """What the suites ask of a version that nobody has asked for, and all that it lacks."""
        rule = standing_gate(suites, self.gates_today(version, stage)).rule
        missing = [not_run(check, rule) for check in rule.checks]
        return rule, missing + approval_blockers(rule, [], "")

    def opened_at(self, version: Any) -> dt.datetime | None:
        """When the server saw the run behind the version opening."""
        run = self.tracking.find_run(version.run) if version.run else None
        return run.opened_at if run else None

    def tier(self, version: Any, opened_at: dt.datetime | None) -> RiskTier:
        """The risk tier that counts for a version whose run was opened then."""
        lowered = (
            Lowered(version.lowered_from, version.lowered_at) if version.lowered_from else None
        )
        return tier_at(version.risk_tier, lowered, opened_at or version.recorded_at)

    def approvals(self, promotion: Any, version: Any, gate: Gate) -> list[Approval]:
        """What was said by those who may: who was given the account that made it is a party now."""
        since = self.since(promotion, version)
        said = self.promotions.approvals(promotion.id, gate.rule.services, since)
        counting = [one for one in said if one.person not in since.parties and one.entitled]
        return self._each_person_once(counting, gate.rule.services)

    def _each_person_once(
        self, said: Sequence[Approval], services: frozenset[str]
    ) -> list[Approval]:
        """Without the service accounts of people who have approved as well, or by another account."""
        found = [one for one in said if one.person not in services]
        counted = {one.person for one in found if one.approves}
        for account in sorted({one.person for one in said if one.person in services}):
            answering = self.answering([account])
            if not answering & counted:
                found += [one for one in said if one.person == account]
                counted |= answering
        return found

    def since(self, promotion: Any, version: Any) -> Since:
        """From when on what the parties grant counts for nothing here."""
        moment = self.opened_at(version) or version.recorded_at
        return Since(frozenset(self.parties(promotion, version)), moment)

    def unsaid(self, version: Any, stage: str) -> list[str]:
        """What has to be known of a model and a version that enter production, and is not."""
        if stage != "production":
            return []
        reasons = []
        if self.promotions.strangers([version.owner]):
            reasons.append(
                f"the model's owner {version.owner!r} is nobody who can sign in: "
                "nobody would answer for it"
            )
        fields = FieldStore(self.work.connection, self.work.workspace_id).fields()
        if fields:
            model = self.registry.model_of(self.registry.model_row(version.model))
            reasons += missing_fields(fields, "model", model.tags)
            reasons += missing_fields(fields, "version", self.registry.version_of(version).tags)
        return reasons

    def add_decision(self, promotion: Any, decision: str, reason: str, bound_to: str) -> None:
        """Write down what the actor said of a promotion."""
        self.promotions.add_approval(
            {
                "promotion_id": promotion.id,
                "person": self.work.actor.name,
                "decision": decision,
                "reason": reason,
                "bound_to": bound_to,
                "recorded_at": self.work.now,
            }
        )

    def pending(self, promotion: Any, gate: Gate) -> tuple[list[str], list[str]]:
        """Which checks have to run, and which said no (in words)."""
        verdicts = [verdict_of(row) for row in self.promotions.verdict_rows(promotion.id)]
        return check_blockers(gate.rule, verdicts, self.work.now)

    def missing(self, promotion: Any, version: Any, gate: Gate) -> list[str]:
        """What holds the promotion back now."""
        if promotion.state == "overridden":
            until = promotion.expires_at.isoformat()
            return [f"a second person has not confirmed it; it returns by itself at {until}"]
        pending, refused = self.pending(promotion, gate)
        bound = self.bound_to(promotion, version, gate)
        given = self.approvals(promotion, version, gate)
        return [
            *(not_run(name, gate.rule) for name in pending),
            *refused,
            *approval_blockers(gate.rule, given, bound),
            *self.unsaid(version, promotion.stage),
        ]

    def shown(self, promotion: Any) -> Promotion:
        """The promotion as it is told."""
        version = self.registry.version_by_key(promotion.version_id)
        gate = self.gate(promotion, version)
        is_open = promotion.state in OPEN_STATES
        undone = promotion.state in UNDONE_STATES
        return Promotion(
            id=promotion.public_id,
            model=version.model,
            version=version.number,
            stage=promotion.stage,
            state=promotion.state,
            requested_by=promotion.requested_by,
            policy=promotion.policy,
            reason=promotion.reason,
            suite_digest=gate.rule.digest,
            bound_to=self.bound_to(promotion, version, gate) if is_open else None,
            missing=self.missing(promotion, version, gate) if undone else [],
            checks=asked_checks(
                self.suites(promotion), self.pending(promotion, gate)[0] if is_open else []
            ),
            verdicts=self.promotions.verdict_rows(promotion.id),
            approvals=self.promotions.approval_rows(promotion.id),
            recorded_at=promotion.recorded_at,
            expires_at=promotion.expires_at,
            decided_at=promotion.decided_at,
        )

    def moved(self, version: Any, stage: str, *champions: Any) -> None:
        """A version has come into a stage: what it left behind and whom it replaced is settled."""
        self.end_overrides(version, version.stage)
        for champion in champions:
            if champion is not None:
                self.end_overrides(champion, stage)

    def end_overrides(self, version: Any, stage: str) -> None:
        """What has left the stage waits for no second person: should it return, that is another time."""
        for promotion in self.promotions.overridden(version.id, stage):
            self.promotions.set_state(promotion.id, "returned", self.work.now)
            self.announce("promotion.returned", promotion, version, reason=f"it left {stage}")

    def announce_version(self, kind: str, version: Any, **facts: Any) -> None:
        """Log an event about the version."""
        self.work.announce_fully(
            Announcement(
                kind=kind,
                subject_kind="version",
                subject=f"{version.model}@{version.number}",
                model=version.model,
                facts={"version": version.number, **facts},
                digest_after=version.digest,
            )
        )

    def announce(self, kind: str, promotion: Any, version: Any, **facts: Any) -> None:
        """Log an event about the promotion."""
        self.work.announce_fully(
            Announcement(
                kind=kind,
                subject_kind="promotion",
                subject=promotion.public_id,
                model=version.model,
                facts={"version": version.number, "stage": promotion.stage, **facts},
                digest_after=version.digest,
            )
        )


def refused_party(desk: Desk, promotion: Any, version: Any) -> None:
    """Refuse services, and people who took part: nobody judges their own work."""
    actor = desk.work.actor
    if actor.kind != "person":
        raise Blocked("only a person decides", [f"{actor.name!r} is a {actor.kind}"])
    since = desk.since(promotion, version)
    refusal = four_eyes(actor.name, since.parties) or by_grace(desk, since)
    if refusal:
        raise Blocked(
            f"{actor.name!r} may not decide on {version.model}@{version.number}: "
            f"{'; '.join(refusal)}",
            refusal,
            fix="ask a second person with the role approver",
        )


def by_grace(desk: Desk, since: Since) -> list[str]:
    """Whether the actor may approve, or is who they seem to be, by the hand of a party alone."""
    actor = desk.work.actor
    standing = desk.promotions.standing({actor.name}, since).get(actor.name)
    if standing is None or not standing.entitled:
        why = "may approve by the grace of a party alone, given since the training began"
        return [f"{actor.name!r} {why}"]
    by = given(desk.work.connection, actor)
    if by is not None and by.name in since.parties and by.at > since.moment:
        why = f"what they signed in with, {by.name!r} made since the training began and took part"
        return [f"{actor.name!r} may not be who decides: {why}"]
    return []


def asked_checks(suites: Sequence[Any], pending: Sequence[str]) -> list[AskedCheck]:
    """The checks of the suites as they are shown."""
    return [
        AskedCheck(
            check=one.label,
            name=one.name,
            parameters=dict(one.parameters),
            pending=one.label in pending,
        )
        for one in checks_of(suites)
    ]
