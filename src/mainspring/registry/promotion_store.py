"""The rows of suites, promotions, verdicts, approvals and standing policies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from mainspring.administration.actor_store import entitled, held_roles
from mainspring.administration.denial_store import lifted_by
from mainspring.administration.tables import principal_table
from mainspring.core.access import ROLES
from mainspring.core.errors import NotFound
from mainspring.core.matching import fitting
from mainspring.core.name_patterns import Patterns
from mainspring.core.text import closest
from mainspring.registry.promotion import (
    OPEN_STATES,
    UNDONE_STATES,
    Approval,
    StandingPolicy,
    Suite,
    Verdict,
)
from mainspring.registry.record import ApprovalRow, CheckSpec, Policy, SuiteRow, VerdictRow
from mainspring.registry.tables import (
    approval_table,
    model_table,
    policy_table,
    promotion_table,
    suite_table,
    verdict_table,
    version_table,
)


class Since(NamedTuple):
    """From when on the grants of which people count for nothing."""

    parties: frozenset[str]
    moment: dt.datetime


class Standing(NamedTuple):
    """Whether somebody may approve, and the roles and groups that they belong to."""

    entitled: bool
    belongs: frozenset[str]


EVERY_MODEL = ""
"""What stands in place of a model's name in the suites of a workspace."""


class PromotionStore:
    """Decisions of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def add_suite(self, row: Mapping[str, Any]) -> None:
        """A newly declared suite."""
        self._connection.execute(insert(suite_table).values(**row, workspace_id=self._workspace_id))

    def suite_rows(self, model: str, stage: str | None = None) -> list[Row[Any]]:
        """The suites of a model, newest first."""
        query = (
            select(suite_table)
            .where(suite_table.c.workspace_id == self._workspace_id, suite_table.c.model == model)
            .order_by(suite_table.c.id.desc())
        )
        if stage is not None:
            query = query.where(suite_table.c.stage == stage)
        return list(self._connection.execute(query).all())

    def gate_rows(self, stage: str | None = None) -> list[Row[Any]]:
        """The suites that the workspace asks of its models, newest first."""
        return self.suite_rows(EVERY_MODEL, stage)

    def suites_by_keys(self, keys: Sequence[int]) -> list[Row[Any]]:
        """Some suites, in this order."""
        found = self._connection.execute(select(suite_table).where(suite_table.c.id.in_(keys)))
        rows = {row.id: row for row in found}
        return [rows[key] for key in keys]

    def add_promotion(self, row: Mapping[str, Any]) -> None:
        """A new request."""
        self._connection.execute(
            insert(promotion_table).values(**row, workspace_id=self._workspace_id)
        )

    def promotion(self, public_id: str) -> Row[Any]:
        """One request."""
        row = self._connection.execute(
            select(promotion_table).where(
                promotion_table.c.workspace_id == self._workspace_id,
                promotion_table.c.public_id == public_id,
            )
        ).one_or_none()
        if row is None:
            raise NotFound(f"no promotion {public_id!r} in this workspace", field="promotion")
        return row

    def open_promotion(self, version: int, stage: str) -> Row[Any] | None:
        """The undecided request for a version and stage."""
        return self._connection.execute(
            select(promotion_table).where(
                promotion_table.c.version_id == version,
                promotion_table.c.stage == stage,
                promotion_table.c.state.in_(OPEN_STATES),
            )
        ).first()

    def promotions(
        self, model: str | None, limit: int, patterns: Patterns = None, *, only_open: bool
    ) -> list[Row[Any]]:
        """Requests, newest first."""
        query = (
            select(promotion_table)
            .join(version_table, version_table.c.id == promotion_table.c.version_id)
            .join(model_table, model_table.c.id == version_table.c.model_id)
            .where(
                promotion_table.c.workspace_id == self._workspace_id,
                fitting(model_table.c.name, patterns, self._connection.dialect.name),
            )
            .order_by(promotion_table.c.id.desc())
            .limit(limit)
        )
        if model is not None:
            query = query.where(model_table.c.name == model)
        if only_open:
            query = query.where(promotion_table.c.state.in_(UNDONE_STATES))
        return list(self._connection.execute(query).all())

    def last_promotion(self, version: int) -> Row[Any] | None:
        """The newest request about a version."""
        return self._connection.execute(
            select(promotion_table)
            .where(promotion_table.c.version_id == version)
            .order_by(promotion_table.c.id.desc())
            .limit(1)
        ).first()

    def open_of(self, version: int) -> list[Row[Any]]:
        """The undecided requests for a version."""
        query = select(promotion_table).where(
            promotion_table.c.version_id == version, promotion_table.c.state.in_(OPEN_STATES)
        )
        return list(self._connection.execute(query))

    def overridden(self, version: int, stage: str) -> list[Row[Any]]:
        """What let a version into a stage past its gate, and nobody has confirmed yet."""
        table = promotion_table
        same = (table.c.version_id == version) & (table.c.stage == stage)
        query = select(table).where(same, table.c.state == "overridden")
        return list(self._connection.execute(query))

    def overdue(self, now: dt.datetime) -> list[Row[Any]]:
        """Undecided requests, and overrides that nobody confirmed, past their time."""
        return list(
            self._connection.execute(
                select(promotion_table).where(
                    promotion_table.c.workspace_id == self._workspace_id,
                    promotion_table.c.state.in_(UNDONE_STATES),
                    promotion_table.c.expires_at <= now,
                )
            )
        )

    def undone(self, stage: str) -> list[str]:
        """The ids of the requests for a stage that somebody still has to decide on."""
        table = promotion_table.c
        query = select(table.public_id).where(
            table.workspace_id == self._workspace_id,
            table.stage == stage,
            table.state.in_(UNDONE_STATES),
        )
        return list(self._connection.scalars(query))

    def set_state(self, key: int, state: str, at: dt.datetime | None = None) -> None:
        """Move a request on."""
        values: dict[str, Any] = {"state": state}
        if at is not None:
            values["decided_at"] = at
        self._connection.execute(
            update(promotion_table).where(promotion_table.c.id == key).values(**values)
        )

    def add_verdict(self, row: Mapping[str, Any]) -> None:
        """What a check said; the newest of a check counts."""
        self._connection.execute(insert(verdict_table).values(**row))

    def verdict_rows(self, promotion: int) -> list[VerdictRow]:
        """The newest verdict of each check, in the order in which they came."""
        rows = self._connection.execute(
            select(verdict_table)
            .where(verdict_table.c.promotion_id == promotion)
            .order_by(verdict_table.c.id)
        )
        latest = {
            row.check_name: VerdictRow(
                check=row.check_name,
                outcome=row.outcome,
                reason=row.reason,
                measurements=row.measurements,
                suite_digest=row.suite_digest,
                data_digest=row.data_digest,
                recorded_at=row.recorded_at,
            )
            for row in rows
        }
        return list(latest.values())

    def add_approval(self, row: Mapping[str, Any]) -> None:
        """What somebody decided."""
        self._connection.execute(insert(approval_table).values(**row))

    def approval_rows(self, promotion: int) -> list[ApprovalRow]:
        """Every decision on a request, as shown."""
        return [
            ApprovalRow(
                person=row.person,
                policy=row.policy,
                decision=row.decision,
                reason=row.reason,
                recorded_at=row.recorded_at,
            )
            for row in self._approvals(promotion)
        ]

    def _approvals(self, promotion: int) -> list[Row[Any]]:
        return list(
            self._connection.execute(
                select(approval_table)
                .where(approval_table.c.promotion_id == promotion)
                .order_by(approval_table.c.id)
            )
        )

    def approvals(self, promotion: int, services: Iterable[str], since: Since) -> list[Approval]:
        """The decisions, with whether each of those who gave them may still give one."""
        rows = self._approvals(promotion)
        standing = self.standing({row.person for row in rows}, since)
        for service in set(self.working(services)) - standing.keys():
            standing[service] = Standing(True, frozenset())
        nobody = Standing(False, frozenset())
        return [
            Approval(
                row.person,
                row.decision == "approve",
                row.bound_to,
                *standing.get(row.person, nobody),
            )
            for row in rows
        ]

    def standing(self, names: set[str], since: Since) -> dict[str, Standing]:
        """Which of the people may approve, and what they belong to, leaving out a party's grace."""
        able = entitled(self._connection, self._workspace_id, "approve", names)
        able -= lifted_by(self._connection, self._workspace_id, "approve", *since)
        found: dict[str, set[str]] = {name: set() for name in able}
        approving = set()
        for held in held_roles(self._connection, self._workspace_id, able):
            if any(by in since.parties and at > since.moment for by, at in held.grants):
                continue
            found[held.person] |= {one for one in (held.role, held.group) if one is not None}
            if "approve" in ROLES.get(held.role or "", ()):
                approving.add(held.person)
        return {
            name: Standing(name in approving, frozenset(belongs)) for name, belongs in found.items()
        }

    def working(self, services: Iterable[str]) -> list[str]:
        """Those of the service accounts that there are, and neither they nor their owners are disabled."""
        owner = principal_table.alias("owner")
        query = (
            select(principal_table.c.name)
            .join(owner, owner.c.id == principal_table.c.owner_id)
            .where(
                principal_table.c.kind == "service",
                principal_table.c.name.in_(list(services)),
                principal_table.c.disabled_at.is_(None),
                owner.c.disabled_at.is_(None),
            )
        )
        return list(self._connection.scalars(query))

    def strangers(self, names: Sequence[str]) -> list[str]:
        """Those of the names that no person has who can still sign in."""
        query = select(principal_table.c.name).where(
            principal_table.c.kind == "person",
            principal_table.c.name.in_(names),
            principal_table.c.disabled_at.is_(None),
        )
        known = set(self._connection.scalars(query)) if names else set()
        return [name for name in names if name not in known]

    def add_policy(self, row: Mapping[str, Any]) -> None:
        """A proposed policy."""
        self._connection.execute(
            insert(policy_table).values(**row, workspace_id=self._workspace_id)
        )

    def policy_row(self, name: str) -> Row[Any]:
        """One policy."""
        rows = {row.name: row for row in self._policies()}
        if name not in rows:
            raise NotFound(f"no policy named {name!r}{closest(name, rows)}", field="policy")
        return rows[name]

    def update_policy(self, key: int, **values: Any) -> None:
        """Approve, use or revoke a policy."""
        self._connection.execute(
            update(policy_table).where(policy_table.c.id == key).values(**values)
        )

    def policies(self, patterns: Patterns = None) -> list[Policy]:
        """Every policy."""
        return [policy_of(row) for row in self._policies(patterns)]

    def _policies(self, patterns: Patterns = None) -> list[Row[Any]]:
        return list(
            self._connection.execute(
                select(policy_table)
                .where(
                    policy_table.c.workspace_id == self._workspace_id,
                    fitting(policy_table.c.model, patterns, self._connection.dialect.name),
                )
                .order_by(policy_table.c.name)
            )
        )


def policy_of(row: Any) -> Policy:
    """The policy that a row holds."""
    return Policy(**{name: getattr(row, name) for name in Policy.__struct_fields__})


def standing_policy(row: Any) -> StandingPolicy:
    """The policy as the rules see it."""
    names = list(StandingPolicy.__dataclass_fields__)
    return StandingPolicy(**{name: getattr(row, name) for name in names})


def suite_row_of(row: Any) -> SuiteRow:
    """The suite as it is shown."""
    return SuiteRow(
        model=row.model,
        risk_tier=row.risk_tier,
        stage=row.stage,
        digest=row.digest,
        checks=msgspec.convert(row.checks, list[CheckSpec]),
        approvals=row.approvals,
        approvers=row.approvers,
        services=row.services,
        verdict_hours=row.verdict_hours,
        training_days=row.training_days,
        expiry_days=row.expiry_days,
        override_hours=row.override_hours,
        declared_by=row.declared_by,
        recorded_at=row.recorded_at,
    )


def suite_of(row: Any) -> Suite:
    """The suite as the rules see it."""
    return Suite(
        digest=row.digest,
        checks=tuple(check["name"] for check in row.checks),
        approvals=row.approvals,
        declared_at=row.recorded_at,
        approvers=row.approvers,
        services=frozenset(row.services),
        verdict_hours=row.verdict_hours,
        training_days=row.training_days,
        expiry_days=row.expiry_days,
        override_hours=row.override_hours,
    )


def verdict_of(row: VerdictRow) -> Verdict:
    """The verdict as the rules see it."""
    return Verdict(
        check=row.check,
        outcome=row.outcome,
        reason=row.reason,
        suite_digest=row.suite_digest,
        data_digest=row.data_digest,
        recorded_at=row.recorded_at,
    )
