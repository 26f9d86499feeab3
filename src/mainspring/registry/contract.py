"""What may be asked about models, versions, suites, promotions and standing policies."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec

from mainspring.core.ids import Id, Limit, ModelName, Name, Text, Version
from mainspring.core.operation import Done, Operation, Request
from mainspring.registry.model import Model, ModelVersion
from mainspring.registry.promotion import Outcome, PromotionState, RiskTier
from mainspring.registry.record import (
    ApprovalRow,
    AskedCheck,
    CheckName,
    CheckSpec,
    Lineage,
    Policy,
    SuiteRow,
    VerdictRow,
)

Count = Annotated[int, msgspec.Meta(ge=0, le=10)]
Reason = Annotated[Text, msgspec.Meta(min_length=1)]
Reference = Annotated[str, msgspec.Meta(max_length=250, pattern=r"^[^/\x00\n]+$(?!\n)")]
StageName = Annotated[
    str,
    msgspec.Meta(
        max_length=50,
        pattern=r"^[a-z][a-z0-9_-]*$(?!\n)",
        description="staging, production, or a stage that the workspace has declared",
    ),
]
TargetStage = StageName
ApproverName = Annotated[
    str,
    msgspec.Meta(
        max_length=250,
        pattern=r"^(group:)?[^:\x00\n]+$(?!\n)",
        description="a role, or group:NAME",
    ),
]


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """A request to move a version to a stage, with all that was said about it."""

    id: str
    model: str
    version: int
    stage: str
    state: PromotionState
    requested_by: str
    policy: str | None
    reason: str
    suite_digest: str
    bound_to: str | None
    """What an approval now would be bound to."""
    missing: list[str]
    """What still holds it back, in words."""
    checks: list[AskedCheck]
    verdicts: list[VerdictRow]
    approvals: list[ApprovalRow]
    recorded_at: dt.datetime
    expires_at: dt.datetime
    decided_at: dt.datetime | None


class NameModel(Request, frozen=True, kw_only=True):
    """One model."""

    model: ModelName


class NameVersion(Request, frozen=True, kw_only=True):
    """One version."""

    model: ModelName
    version: Version


class ListModels(Request, frozen=True, kw_only=True):
    """Models by name."""

    limit: Limit = 100


class DescribeModel(NameModel, frozen=True, kw_only=True):
    """Facts that people say of a model; what is not given stays."""

    owner: Name | None = None
    team: Text | None = None
    on_call: Annotated[list[Name], msgspec.Meta(max_length=100)] | None = None
    """Who is asked when something is wrong, in turn."""
    escalation: Text | None = None
    """Whom to call when nobody answers."""
    risk_tier: RiskTier | None = None
    description: Text | None = None


class RegisterVersion(NameModel, frozen=True, kw_only=True):
    """A trained model becomes the next version."""

    trained_model: Id
    description: Text = ""


class ListVersions(NameModel, frozen=True, kw_only=True):
    """Versions of a model, newest first."""

    limit: Limit = 100


class Resolve(NameModel, frozen=True, kw_only=True):
    """`3`, a stage or an alias."""

    reference: Reference


class SetAlias(NameVersion, frozen=True, kw_only=True):
    """A name that points at a version."""

    alias: Name


class DropAlias(NameModel, frozen=True, kw_only=True):
    """A name to forget."""

    alias: Name


class Demands(Request, frozen=True, kw_only=True):
    """What must be so before a version may enter a stage."""

    stage: TargetStage = "production"
    checks: Annotated[list[CheckSpec], msgspec.Meta(max_length=100)]
    approvals: Count = 1
    """How many people have to agree who had no part in it."""
    approvers: Annotated[dict[ApproverName, Count], msgspec.Meta(max_length=20)] = {}
    """How many of them must hold a role, or belong to a `group:NAME`."""
    services: Annotated[list[Name], msgspec.Meta(max_length=20)] = []
    """The service accounts whose approval counts as well."""
    verdict_hours: Annotated[int, msgspec.Meta(ge=1, le=8784)] | None = None
    """How old a check's verdict may be when the version enters; an older one runs again."""
    training_days: Annotated[int, msgspec.Meta(ge=1, le=3660)] | None = None
    """How many days ago the run behind the version may have been opened."""
    expiry_days: Annotated[int, msgspec.Meta(ge=1, le=366)] | None = None
    """After how many days a request that nobody decided on expires; 14 without a number."""
    override_hours: Annotated[int, msgspec.Meta(ge=1, le=168)] | None = None
    """Within how many hours a second person confirms what went past the gate by break-glass, or it
    returns by itself; without a number nothing leads past the gate."""


class DeclareSuite(Demands, frozen=True, kw_only=True):
    """What must be so before a version may enter the stage. Declare it before training."""

    model: ModelName


class NamePromotion(Request, frozen=True, kw_only=True):
    """One promotion."""

    promotion: Id


class RecordVerdict(NamePromotion, frozen=True, kw_only=True):
    """What a check said of the version under a promotion."""

    check: CheckName
    outcome: Outcome
    reason: Text
    measurements: Annotated[dict[str, Any], msgspec.Meta(max_length=200)] = {}
    data_digest: Text


class RequestPromotion(NameVersion, frozen=True, kw_only=True):
    """Ask to move a version to a stage; its checks start by themselves."""

    stage: TargetStage = "production"
    reason: Text = ""
    policy: Name | None = None
    """The standing policy that decides instead of people."""
    on_behalf_of: Annotated[list[Name], msgspec.Meta(max_length=10)] = []
    """The people for whom a service asks; they are parties to it like one who asks themselves."""


class ListPromotions(Request, frozen=True, kw_only=True):
    """Promotions, newest first."""

    model: ModelName | None = None
    open: bool = False
    limit: Limit = 100


class Decide(NamePromotion, frozen=True, kw_only=True):
    """Approve or reject."""

    decision: Literal["approve", "reject"] = "approve"
    reason: Reason


class Vouch(NamePromotion, frozen=True, kw_only=True):
    """A service account's approval."""

    reason: Reason


class RollBack(NameVersion, frozen=True, kw_only=True):
    """Return to a version that was in the stage before."""

    stage: TargetStage = "production"
    reason: Reason


class ProposePolicy(NameModel, frozen=True, kw_only=True):
    """An approval to be given beforehand; it counts after another person approved it."""

    name: Name
    stage: TargetStage = "production"
    days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 90
    max_promotions: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10


class NamePolicy(Request, frozen=True, kw_only=True):
    """One standing policy."""

    policy: Name


list_models = Operation(
    "model.list", "GET", "/models", ListModels, list[Model],
    allow="read", summary="List the models.", filtered=True,
)  # fmt: skip
show_model = Operation(
    "model.show", "GET", "/models/{model}", NameModel, Model,
    allow="read", summary="Show a model.",
)  # fmt: skip
describe_model = Operation(
    "model.describe", "PATCH", "/models/{model}", DescribeModel, Model,
    allow="register", summary="Say who owns a model, its risk tier, what it is for.",
)  # fmt: skip
register_version = Operation(
    "model.register", "POST", "/models/{model}/versions", RegisterVersion, ModelVersion,
    allow="register", summary="Register a trained model as the next version.",
)  # fmt: skip
list_versions = Operation(
    "model.versions", "GET", "/models/{model}/versions", ListVersions, list[ModelVersion],
    allow="read", summary="List the versions of a model, newest first.",
)  # fmt: skip
show_version = Operation(
    "model.version", "GET", "/models/{model}/versions/{version}", NameVersion, ModelVersion,
    allow="read", summary="Show a version.",
)  # fmt: skip
resolve = Operation(
    "model.resolve", "GET", "/models/{model}/references/{reference}", Resolve, ModelVersion,
    allow="read", summary="Find the version that a number, a stage or an alias names.",
)  # fmt: skip
show_lineage = Operation(
    "model.lineage", "GET", "/models/{model}/versions/{version}/lineage", NameVersion, Lineage,
    allow="read", summary="Trace a version back to data, code and run.",
)  # fmt: skip
set_alias = Operation(
    "model.alias", "PUT", "/models/{model}/aliases/{alias}", SetAlias, Model,
    allow="register", summary="Point an alias at a version.",
)  # fmt: skip
drop_alias = Operation(
    "model.unalias", "DELETE", "/models/{model}/aliases/{alias}", DropAlias, Model,
    allow="register", summary="Forget an alias.",
)  # fmt: skip
declare_suite = Operation(
    "suite.declare", "POST", "/suites", DeclareSuite, SuiteRow,
    allow="validate", summary="Declare what a stage asks of a model's versions.", decision=True,
)  # fmt: skip
list_suites = Operation(
    "suite.list", "GET", "/models/{model}/suites", NameModel, list[SuiteRow],
    allow="read", summary="List the suites of a model, newest first.",
)  # fmt: skip
request_promotion = Operation(
    "promotion.request", "POST", "/models/{model}/versions/{version}/promotions",
    RequestPromotion, Promotion,
    allow="request", summary="Ask to move a version to a stage.", decision=True,
)  # fmt: skip
preview_promotion = Operation(
    "promotion.preview", "GET", "/models/{model}/versions/{version}/promotions/preview",
    RequestPromotion, Promotion,
    allow="read", summary="List what would hold a promotion back, and ask for nothing.",
)  # fmt: skip
record_verdict = Operation(
    "promotion.verdict", "POST", "/promotions/{promotion}/verdicts", RecordVerdict, Promotion,
    allow="operate", summary="Record what a check said.", decision=True,
)  # fmt: skip
decide = Operation(
    "promotion.decide", "POST", "/promotions/{promotion}/decisions", Decide, Promotion,
    allow="approve", summary="Approve or reject a promotion.", decision=True,
)  # fmt: skip
vouch = Operation(
    "promotion.vouch", "POST", "/promotions/{promotion}/vouchers", Vouch, Promotion,
    allow="validate", summary="Approve as a service account that the suite names.", decision=True,
)  # fmt: skip
withdraw = Operation(
    "promotion.withdraw", "POST", "/promotions/{promotion}/withdrawal", NamePromotion, Promotion,
    allow="request", summary="Take a request back.", decision=True,
)  # fmt: skip
show_promotion = Operation(
    "promotion.show", "GET", "/promotions/{promotion}", NamePromotion, Promotion,
    allow="read", summary="Show a promotion and what holds it back.",
)  # fmt: skip
list_promotions = Operation(
    "promotion.list", "GET", "/promotions", ListPromotions, list[Promotion],
    allow="read", summary="List promotions, newest first.", filtered=True,
)  # fmt: skip
roll_back = Operation(
    "model.rollback", "POST", "/models/{model}/rollbacks", RollBack, ModelVersion,
    allow="rollback", summary="Return to a version that was in the stage before.", decision=True,
)  # fmt: skip
propose_policy = Operation(
    "policy.propose", "POST", "/policies", ProposePolicy, Policy,
    allow="request", summary="Propose a standing policy.", decision=True,
)  # fmt: skip
approve_policy = Operation(
    "policy.approve", "POST", "/policies/{policy}/approval", NamePolicy, Policy,
    allow="approve", summary="Approve a standing policy that another person proposed.",
    decision=True,
)  # fmt: skip
revoke_policy = Operation(
    "policy.revoke", "POST", "/policies/{policy}/revocation", NamePolicy, Policy,
    allow="approve", summary="End a standing policy.", decision=True,
)  # fmt: skip
list_policies = Operation(
    "policy.list", "GET", "/policies", ListModels, list[Policy],
    allow="read", summary="List the standing policies.", filtered=True,
)  # fmt: skip
expire_promotions = Operation(
    "promotion.expire", "POST", "/promotions/expiry", Request, Done,
    allow="operate", summary="Expire requests that were not decided in time.", repeatable=True,
)  # fmt: skip
