"""What is told of suites, verdicts, approvals, standing policies, and of where a version comes from."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import msgspec

from mainspring.registry.promotion import Outcome, RiskTier
from mainspring.tracking.contract import RunDataset

CheckName = Annotated[str, msgspec.Meta(max_length=250, pattern=r"^[\w.:]+$(?!\n)")]


class CheckSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A check and what it is asked for."""

    name: CheckName
    """A plug of the kind `checks`, or `module:function`."""
    parameters: Annotated[dict[str, Any], msgspec.Meta(max_length=50)] = {}


class SuiteRow(msgspec.Struct, frozen=True, kw_only=True):
    """What must be so before a version may enter a stage."""

    model: str
    """Empty if the workspace asks it of every model."""
    risk_tier: RiskTier | None
    """Of which models the workspace asks it, if not of all."""
    stage: str
    digest: str
    checks: list[CheckSpec]
    approvals: int
    approvers: dict[str, int]
    services: list[str]
    verdict_hours: int | None
    training_days: int | None
    expiry_days: int | None
    override_hours: int | None
    declared_by: str
    recorded_at: dt.datetime


class VerdictRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a check said."""

    check: str
    outcome: Outcome
    reason: str
    measurements: dict[str, Any]
    suite_digest: str
    data_digest: str
    recorded_at: dt.datetime


class AskedCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A check that a promotion has to pass."""

    check: str
    """What its verdict is called: its name, numbered if several suites ask it differently."""
    name: str
    parameters: dict[str, Any]
    pending: bool
    """Whether it has to run: it has not yet, or too long ago."""


class ApprovalRow(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody decided."""

    person: str
    policy: str | None
    decision: str
    reason: str
    recorded_at: dt.datetime


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A standing policy."""

    name: str
    model: str
    stage: str
    proposed_by: str
    approved_by: str | None
    max_promotions: int
    used: int
    revoked: bool
    expires_at: dt.datetime
    recorded_at: dt.datetime


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """A version traced back to what it came from."""

    model: str
    version: int
    digest: str | None
    stage: str
    registered_by: str
    run: str | None
    run_author: str | None
    run_opened_at: dt.datetime | None
    code: dict[str, Any]
    environment: dict[str, Any]
    datasets: list[RunDataset]
    parent_version: int | None
    """The version that was in production when this one was asked for."""
    suite_digest: str | None
    suite_declared_at: dt.datetime | None
    verdicts: list[VerdictRow]
    approvals: list[ApprovalRow]
    causes: list[str]
    """The chain of events that led to the registration, the nearest first."""
