"""What a decision on a promotion is made over: the stores, the parties, what is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mainspring.core.blobs import canonical_json, digest_of
from mainspring.core.errors import Blocked
from mainspring.core.event import Announcement
from mainspring.core.work import Work
from mainspring.registry import contract
from mainspring.registry.contract import Promotion
from mainspring.registry.field import missing_fields
from mainspring.registry.field_store import FieldStore
from mainspring.registry.promotion import (
    OPEN_STATES,
    UNDONE_STATES,
    Provenance,
    Suite,
    applicable_suite,
    approval_blockers,
    check_blockers,
    four_eyes,
    policy_blockers,
    provenance_blockers,
    standing_blockers,
)
from mainspring.registry.promotion_store import (
    PromotionStore,
    standing_policy,
    suite_of,
    verdict_of,
)
from mainspring.registry.requirement import CODE_KEYS
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

    def bound_to(self, promotion: Any, version: Any, suite: Any) -> str:
        """The digest of everything that an approval is given for."""
        verdicts = self.promotions.verdict_rows(promotion.id)
        said = sorted((v.check, v.outcome, v.data_digest, v.measurements) for v in verdicts)
        return digest_of(canonical_json([version.digest, suite.digest, said]))

    def parties(self, promotion: Any, version: Any) -> set[str]:
        """Everybody who made the version or asked for the promotion."""
        run = self.tracking.find_run(version.run) if version.run else None
        parties = {promotion.requested_by, version.registered_by, *promotion.on_behalf_of}
        return parties | ({run.author} if run else set())

    def rule(self, promotion: Any, version: Any, suite: Any) -> Suite:
        """What the suite asks here: that nobody has to agree, a party cannot have declared."""
        found = suite_of(suite)
        if found.approvals == 0 and suite.declared_by in self.parties(promotion, version):
            return replace(found, approvals=1)
        return found

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

    def missing(self, promotion: Any, version: Any, suite: Any) -> list[str]:
        """What holds the promotion back now."""
        if promotion.state == "overridden":
            until = promotion.expires_at.isoformat()
            return [f"a second person has not confirmed it; it returns by itself at {until}"]
        rule = self.rule(promotion, version, suite)
        verdicts = [verdict_of(row) for row in self.promotions.verdict_rows(promotion.id)]
        pending, refused = check_blockers(rule, verdicts)
        bound = self.bound_to(promotion, version, suite)
        approvals = approval_blockers(rule, self.promotions.approvals(promotion.id), bound)
        return (
            [f"check {name!r} has not run yet" for name in pending]
            + refused
            + [
                *approvals,
                *self.unsaid(version, promotion.stage),
            ]
        )

    def shown(self, promotion: Any) -> Promotion:
        """The promotion as it is told."""
        version = self.registry.version_by_key(promotion.version_id)
        suite = self.promotions.suite_by_key(promotion.suite_id)
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
            suite_digest=suite.digest,
            bound_to=self.bound_to(promotion, version, suite) if is_open else None,
            missing=self.missing(promotion, version, suite) if undone else [],
            verdicts=self.promotions.verdict_rows(promotion.id),
            approvals=self.promotions.approval_rows(promotion.id),
            recorded_at=promotion.recorded_at,
            expires_at=promotion.expires_at,
            decided_at=promotion.decided_at,
        )

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
    refusal = four_eyes(actor.name, desk.parties(promotion, version))
    if refusal:
        raise Blocked(
            f"{actor.name!r} may not decide on {version.model}@{version.number}: "
            f"{'; '.join(refusal)}",
            refusal,
            fix="ask a second person with the role approver",
        )


def suite_for(desk: Desk, version: Any, request: contract.RequestPromotion) -> Any:
    """The suite that applies to the version, or the refusal that says why there is none."""
    rows = desk.promotions.suite_rows(request.model, request.stage)
    suites = [suite_of(row) for row in rows]
    provenance = desk.provenance(version)
    reasons = provenance_blockers(provenance, suites, request.stage)
    name = f"{request.model}@{request.version}"
    reasons[:0] = standing_blockers(name, version.state, version.state_reason)
    reasons += desk.unsaid(version, request.stage)
    if version.digest is None:
        reasons.insert(0, "its files are not kept here, or are not those of the run it names")
    if request.policy is not None:
        policy = standing_policy(desk.promotions.policy_row(request.policy))
        reasons += policy_blockers(
            policy, request.model, request.stage, version.risk_tier, desk.work.now
        )
    if reasons:
        raise Blocked(
            f"{request.model}@{request.version} may not enter {request.stage}: "
            f"{'; '.join(reasons)}",
            reasons,
            fix="declare the suite first, then train: mainspring suite declare",
        )
    assert provenance is not None
    applicable = applicable_suite(suites, provenance.opened_at)
    assert applicable is not None
    return next(row for row in rows if row.recorded_at == applicable.declared_at)
