"""What several suites ask together: a model's own, and those of the workspace. Pure rules, no storage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from mainspring.core.blobs import canonical_json, digest_of
from mainspring.registry.promotion import TIERS, RiskTier, Suite


class NamedCheck(NamedTuple):
    """A check as a promotion names it: two suites may ask the same with other parameters."""

    label: str
    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lowered:
    """That a model's risk tier was lowered: versions trained before keep the higher one."""

    tier: RiskTier
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Gate:
    """All that a promotion has to pass."""

    rule: Suite
    binding: str
    """The digest of all suites that have a say: an approval is bound to it."""


def tier_at(tier: RiskTier, lowered: Lowered | None, opened_at: dt.datetime) -> RiskTier:
    """The tier that counts for a run: lowering it helps only what is trained afterwards."""
    if lowered is None or opened_at > lowered.at:
        return tier
    return max(tier, lowered.tier, key=TIERS.index)


def labelled(suites: Iterable[Iterable[tuple[str, Mapping[str, Any]]]]) -> list[NamedCheck]:
    """The checks of several suites, what is asked twice once; another's of the same name is told apart."""
    found: list[NamedCheck] = []
    for checks in suites:
        for name, parameters in checks:
            same = [one for one in found if one.name == name]
            if any(one.parameters == parameters for one in same):
                continue
            label = f"{name}.{len(same) + 1}" if same else name
            found.append(NamedCheck(label, name, parameters))
    return found


def together(suites: Sequence[Suite], checks: Sequence[NamedCheck]) -> Suite:
    """One suite that asks what all of them ask; of each thing the most."""
    first = suites[0]
    if len(suites) == 1:
        return first
    demanding = _strictest(first, suites[1:])
    digest = joint_digest([suite.digest for suite in suites])
    return replace(demanding, digest=digest, checks=tuple(check.label for check in checks))


def joint_digest(digests: Sequence[str]) -> str:
    """What stands for several suites at once; one alone stands for itself."""
    if len(set(digests)) == 1:
        return digests[0]
    return digest_of(canonical_json(list(dict.fromkeys(digests))))


def gate_of(applicable: Suite, declared: Sequence[Suite], now_asked: Sequence[Suite]) -> Gate:
    """The gate: what was declared before the training, and what the workspace asks of people today.

    A check that was thought of after the training proves nothing, so it is for the next one; who must
    agree and how fresh all has to be can be asked for at any time. `declared` are the suites that
    `applicable` puts together, `now_asked` the workspace's newest.
    """
    digests = [suite.digest for suite in [*declared, *now_asked]]
    return Gate(_strictest(applicable, now_asked), joint_digest(digests))


def _strictest(first: Suite, others: Sequence[Suite]) -> Suite:
    """The first, with what the others ask of people and of time."""
    found = first
    for other in others:
        wanted = {**found.approvers}
        for name, count in other.approvers.items():
            wanted[name] = max(count, wanted.get(name, 0))
        found = replace(
            found,
            approvals=max(found.approvals, other.approvals),
            approvers=wanted,
            services=found.services & other.services,
            verdict_hours=_least(found.verdict_hours, other.verdict_hours),
            training_days=_least(found.training_days, other.training_days),
            expiry_days=_least(found.expiry_days, other.expiry_days),
            override_hours=_least(found.override_hours, other.override_hours),
        )
    return found


def _least(one: int | None, other: int | None) -> int | None:
    given = [number for number in (one, other) if number is not None]
    return min(given, default=None)
