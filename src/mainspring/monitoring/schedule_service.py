"""Windows close by themselves: the server's upkeep starts what is due."""

from __future__ import annotations

import datetime as dt

import msgspec

from mainspring.core.errors import NotFound
from mainspring.core.operation import Done, Request
from mainspring.core.work import Work, performs
from mainspring.deployment.store import DeploymentStore
from mainspring.monitoring import contract
from mainspring.monitoring.contract import CloseWindows, Schedule
from mainspring.monitoring.schedule_store import ScheduleStore, schedule_of
from mainspring.monitoring.service import close_windows


def _store(work: Work) -> ScheduleStore:
    return ScheduleStore(work.connection, work.workspace_id)


@performs(contract.set_schedule)
def set_schedule(work: Work, request: contract.SetSchedule) -> Schedule:
    """Set it; the first measurement is due at once."""
    deployment = DeploymentStore(work.connection, work.workspace_id).row(request.deployment)
    fields = msgspec.to_builtins(request)
    del fields["deployment"]
    _store(work).put(deployment.id, {**fields, "next_at": work.now, "set_by": work.actor.name})
    work.announce(
        "monitor.scheduled",
        ("deployment", deployment.name),
        deployment.model,
        every_minutes=request.every_minutes,
    )
    return next(
        schedule_of(row) for row in _store(work).rows() if row.deployment == deployment.name
    )


@performs(contract.drop_schedule)
def drop_schedule(work: Work, request: contract.NameSchedule) -> Done:
    """Stop."""
    deployment = DeploymentStore(work.connection, work.workspace_id).row(request.deployment)
    if not _store(work).drop(deployment.id):
        raise NotFound(f"deployment {deployment.name!r} has no schedule", field="deployment")
    work.announce("monitor.unscheduled", ("deployment", deployment.name), deployment.model)
    return Done()


@performs(contract.list_schedules)
def list_schedules(work: Work, request: contract.ListAll) -> list[Schedule]:
    """By deployment."""
    return [schedule_of(row) for row in _store(work).rows()][: request.limit]


@performs(contract.run_schedules)
def run_schedules(work: Work, request: Request) -> Done:
    """Start what is due, and say when it is due again."""
    due = _store(work).rows(work.now)
    for row in due:
        wanted = CloseWindows(
            deployment=row.deployment,
            until=work.now,
            label_delay_hours=row.label_delay_hours,
            day_starts_at_hour=row.day_starts_at_hour,
            performance_days=row.performance_days,
        )
        close_windows(work, wanted)
        next_at = work.now + dt.timedelta(minutes=row.every_minutes)
        _store(work).move(row.deployment_id, next_at)
    return Done(count=len(due))
