"""The rules of promotions: pure, so they need no fixtures."""

from __future__ import annotations

import datetime as dt

from mainspring.core.clock import EPOCH
from mainspring.registry.promotion import (
    Approval,
    Provenance,
    StandingPolicy,
    Suite,
    Verdict,
    applicable_suite,
    approval_blockers,
    check_blockers,
    four_eyes,
    policy_blockers,
    provenance_blockers,
    valid_approvals,
)

HOUR = dt.timedelta(hours=1)
NOON = EPOCH + 12 * HOUR
SUITE = Suite("digest", ("performance", "latency"), 2, NOON)
COMPLETE = Provenance("run", NOON + HOUR, attested=True)


def passed(check: str, suite: str = "digest") -> Verdict:
    return Verdict(check, "passed", "", suite, "data", NOON)


def policy(**changes: object) -> StandingPolicy:
    fields: dict[str, object] = {
        "name": "monthly",
        "model": "m",
        "stage": "production",
        "approved_by": "paul",
        "expires_at": NOON,
        "revoked": False,
        "max_promotions": 3,
        "used": 2,
        **changes,
    }
    return StandingPolicy(**fields)  # type: ignore[arg-type]


def reasons(**changes: object) -> list[str]:
    return policy_blockers(policy(**changes), "m", "production", "low", NOON - HOUR)


def test_the_newest_suite_before_the_run_applies() -> None:
    older, newer = Suite("a", (), 0, NOON - HOUR), Suite("b", (), 0, NOON)
    later = Suite("c", (), 0, NOON + 2 * HOUR)

    assert applicable_suite([later, newer, older], NOON + HOUR) == newer


def test_a_suite_of_the_same_moment_was_not_declared_before() -> None:
    assert applicable_suite([SUITE], NOON) is None


def test_a_complete_run_after_the_suite_has_nothing_against_it() -> None:
    assert provenance_blockers(COMPLETE, [SUITE], "production") == []


def test_a_late_suite_is_refused_with_both_times() -> None:
    early = Provenance("run", NOON - HOUR, attested=True)

    (reason,) = provenance_blockers(early, [SUITE], "production")

    assert "1970-01-01T12:00:00" in reason
    assert "1970-01-01T11:00:00" in reason


def test_a_stage_without_a_suite_lets_nothing_in() -> None:
    reasons = provenance_blockers(COMPLETE, [], "production")

    assert reasons == ["no suite is declared for the stage 'production'"]


def test_an_unattested_run_is_refused() -> None:
    (reason,) = provenance_blockers(
        Provenance("run", NOON + HOUR, attested=False), [SUITE], "production"
    )

    assert "unattested" in reason


def test_everything_that_a_run_lacks_is_told() -> None:
    lacking = Provenance("run", NOON + HOUR, attested=True, missing=("code", "environment"))

    assert provenance_blockers(lacking, [SUITE], "production") == [
        "run run recorded no code",
        "run run recorded no environment",
    ]


def test_a_version_without_a_run_is_refused() -> None:
    assert provenance_blockers(None, [SUITE], "production") == [
        "the version has no tracked run behind it"
    ]


def test_checks_without_a_verdict_are_pending() -> None:
    assert check_blockers(SUITE, [passed("latency")], NOON) == (["performance"], [])


def test_a_verdict_under_another_suite_does_not_count() -> None:
    pending, _ = check_blockers(SUITE, [passed("latency"), passed("performance", "other")], NOON)

    assert pending == ["performance"]


def test_a_failed_check_refuses_and_says_why() -> None:
    failed = Verdict("latency", "failed", "p99 is 80 ms", "digest", "data", NOON)

    _, refused = check_blockers(SUITE, [passed("performance"), failed], NOON)

    assert refused == ["check 'latency' failed: p99 is 80 ms"]


def test_too_little_data_is_not_a_pass() -> None:
    thin = Verdict("latency", "not_enough_data", "3 rows", "digest", "data", NOON)

    _, refused = check_blockers(SUITE, [passed("performance"), thin], NOON)

    assert refused == ["check 'latency' had not enough data: 3 rows"]


def test_the_last_verdict_of_a_check_counts() -> None:
    failed = Verdict("latency", "failed", "slow", "digest", "data", NOON)

    said = [failed, passed("latency"), passed("performance")]
    assert check_blockers(SUITE, said, NOON) == ([], [])


def test_one_person_counts_once() -> None:
    twice = [Approval("paul", approves=True, bound_to="x")] * 2

    assert approval_blockers(SUITE, twice, "x") == ["1 of 2 approvals given"]


def test_an_approval_bound_to_something_else_does_not_count() -> None:
    assert valid_approvals([Approval("paul", approves=True, bound_to="y")], "x") == {}


def test_a_rejection_is_no_approval() -> None:
    assert valid_approvals([Approval("paul", approves=False, bound_to="x")], "x") == {}


def test_who_lost_the_permission_does_not_count() -> None:
    demoted = Approval("paul", approves=True, bound_to="x", entitled=False)

    assert valid_approvals([demoted], "x") == {}


def test_enough_approvals_hold_nothing_back() -> None:
    two = [Approval(name, approves=True, bound_to="x") for name in ("paul", "petra")]

    assert approval_blockers(SUITE, two, "x") == []


def test_a_party_may_not_decide() -> None:
    assert four_eyes("dora", ["dora", "paul"]) != []


def test_another_person_may_decide() -> None:
    assert four_eyes("petra", ["dora", "paul"]) == []


def test_a_standing_policy_within_its_limits_speaks() -> None:
    assert reasons() == []


def test_an_unapproved_policy_does_not_speak() -> None:
    assert reasons(approved_by=None) == ["policy 'monthly' was not approved by a person yet"]


def test_a_revoked_policy_does_not_speak() -> None:
    assert reasons(revoked=True) == ["policy 'monthly' was revoked"]


def test_a_policy_ends_at_its_moment() -> None:
    assert policy_blockers(policy(), "m", "production", "low", NOON) != []


def test_a_used_up_policy_does_not_speak() -> None:
    assert reasons(used=3) == ["policy 'monthly' has been used 3 times, its limit"]


def test_a_policy_is_for_one_model() -> None:
    assert reasons(model="other") == ["policy 'monthly' is for 'other' to 'production'"]


def test_a_policy_is_for_one_stage() -> None:
    assert reasons(stage="staging") == ["policy 'monthly' is for 'm' to 'staging'"]


def test_a_policy_decides_for_low_risk_alone() -> None:
    found = policy_blockers(policy(), "m", "production", "medium", NOON - HOUR)

    assert found == ["risk tier is 'medium'; a standing policy decides only for 'low'"]
