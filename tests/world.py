"""A workspace in which something of every kind has happened, and how to do each operation in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mainspring.administration import contract as administration
from mainspring.administration.contract import (
    AddPerson,
    CreateToken,
    CreateWorkspace,
    FailJob,
    GrantRole,
    ListJobs,
    NamePerson,
    NameToken,
    SetPassword,
)
from mainspring.administration.erasure_contract import ErasePerson, erase_person
from mainspring.app import App
from mainspring.core.operation import Request
from mainspring.deployment import contract as deployment
from mainspring.deployment.contract import NameDeployment, Report, RollOut, StartDeployment
from mainspring.governance import contract as governance
from mainspring.incidents import contract as incidents
from mainspring.incidents.contract import CloseIncident, NoteIncident, OpenIncident
from mainspring.monitoring import contract as monitoring
from mainspring.monitoring import label_contract
from mainspring.monitoring.contract import CloseWindows, NameAlert
from mainspring.monitoring.label_contract import Label, RecordLabels, SetLabelRule
from mainspring.registry import contract as registry
from mainspring.registry.contract import (
    DescribeModel,
    DropAlias,
    NamePolicy,
    NamePromotion,
    ProposePolicy,
    RollBack,
    SetAlias,
)
from mainspring.registry.field_contract import DeclareField, declare_field
from mainspring.registry.protection_contract import ProtectAlias, protect_alias
from mainspring.registry.stage_contract import DeclareStage, declare_stage
from mainspring.retraining import contract as retraining
from mainspring.retraining.contract import (
    Advance,
    NameRetraining,
    RequestRetraining,
    SetPolicy,
    Trigger,
)
from mainspring.tracking import contract as tracking
from mainspring.tracking.contract import FinishRun, LogRun, NameRun, Point, UpdateRun
from tests import (
    account_deeds,
    group_deeds,
    registry_deeds,
    session_deeds,
    story,
    tracking_deeds,
    watch,
)
from tests.house import Clients, Clock, local_client
from tests.story import MODEL

POLICY, ALIAS, PLACE = "monthly", "best", "late-too"
KEY = "auc"


@dataclass(frozen=True, slots=True)
class World:
    """The workspace's people, and the ids of what there is; a request names them by its fields."""

    clients: Clients
    clock: Clock
    run: str
    trained_model: str
    promotion: str
    alert: str
    incident: str
    retraining: str
    digest: str
    experiment: str
    webhook: str

    def names(self) -> dict[str, object]:
        """What the fields of requests may name."""
        return {
            "run": self.run, "key": KEY, "id": self.trained_model, "model": MODEL, "version": 1,
            "reference": ALIAS, "promotion": self.promotion, "deployment": MODEL,
            "name": watch.RUNBOOK, "alert": self.alert, "incident": self.incident,
            "retraining": self.retraining, "digest": self.digest, "webhook": self.webhook,
            "alias": ALIAS, "account": account_deeds.ROBOT,
            "experiment": self.experiment, "experiments": [self.experiment],
            "place": f"runs/{self.run}", "path": "kept", "setup": tracking_deeds.SETUP,
            "dataset": "training", "left": "training", "right": "holdout", "other": 2,
        }  # fmt: skip


def built(clients: Clients, clock: Clock) -> World:
    """Let something of every kind happen."""
    developer, service = clients.developer, clients.service
    alert = watch.raised(clients)
    _, trained = story.train(developer)
    run = story.open_run(developer)
    story.log_data(developer, run, "training", "holdout")
    story.log_model(developer, run)
    point = Point(key=KEY, value=0.7, at=dt.datetime(2013, 1, 1, tzinfo=dt.UTC))
    developer.call(tracking.log_run, LogRun(run=run, points=[point]))
    number = story.register(developer, trained)
    developer.call(registry.set_alias, SetAlias(model=MODEL, alias=ALIAS, version=1))
    registry_deeds.timed(service, 1)
    group_deeds.prepared(clients.admin)
    account_deeds.prepared(clients.admin)
    label = Label(request_id="a", value=1.0, event_time=watch.FIRST_DAY)
    developer.call(label_contract.record_labels, RecordLabels(deployment=MODEL, labels=[label]))
    developer.call(registry.propose_policy, ProposePolicy(name=POLICY, model=MODEL))
    policy = SetPolicy(model=MODEL, level=1, recipe="shop:train")
    developer.call(retraining.set_policy, policy)
    service.call(retraining.trigger, Trigger(model=MODEL, alert=alert.id))
    listed = retraining.ListRetrainings()
    incident = OpenIncident(deployment=MODEL, summary="late", alert=alert.id)
    protected = ProtectAlias(alias=registry_deeds.PROTECTED)
    clients.admin.call(protect_alias, protected)
    field = DeclareField(of="model", name=registry_deeds.FIELD)
    clients.admin.call(declare_field, field)
    clients.admin.call(declare_stage, DeclareStage(name=registry_deeds.SHADOW))
    return World(
        clients=clients,
        clock=clock,
        run=run,
        trained_model=trained,
        promotion=story.ask(developer, number).id,
        alert=alert.id,
        incident=developer.call(incidents.open_incident, incident).id,
        retraining=developer.call(retraining.list_retrainings, listed)[0].id,
        digest=story.put(developer, b"bytes"),
        webhook=registry_deeds.prepared(developer),
        experiment=tracking_deeds.prepared(developer, watch.RUNBOOK, run, trained),
    )


def in_workspace(app: App, tokens: dict[str, str], workspace: str) -> Clients:
    """The people of the house, in a workspace."""
    return Clients(
        lambda name: local_client(app, tokens[name], workspace),
        lambda token: local_client(app, token, workspace),
    )


def _waiting(world: World) -> str:
    story.say(world.clients.service, world.promotion)
    return world.promotion


def _approved_policy(world: World) -> None:
    world.clients.approver.call(registry.approve_policy, NamePolicy(policy=POLICY))


def _token(world: World) -> str:
    request = CreateToken(owner="vera")
    return world.clients.admin.call(administration.create_token, request).id


def _silent(world: World) -> None:
    world.clock.advance(minutes=5)
    world.clients.service.call(tracking.sweep_runs, Request())


def _overdue(world: World) -> None:
    world.clock.advance(days=30)
    world.clients.service.call(registry.expire_promotions, Request())


def _rolled_back(world: World) -> None:
    story.approve(world.clients.approver, _waiting(world))
    request = RollBack(model=MODEL, version=1, reason="it was better")
    world.clients.deployer.call(registry.roll_back, request)


def _rolled_out(world: World) -> None:
    story.approve(world.clients.approver, _waiting(world))
    request = RollOut(deployment=MODEL, version=2)
    world.clients.deployer.call(deployment.roll_out, request)


def _failed_job(world: World) -> None:
    job = world.clients.admin.call(administration.list_jobs, ListJobs())[0]
    world.clients.service.call(administration.fail_job, FailJob(job=job.id, error="broken"))


def _retrain_now(world: World) -> None:
    developer = world.clients.developer
    developer.call(retraining.cancel, NameRetraining(retraining=world.retraining))
    request = RequestRetraining(model=MODEL, reason="new data")
    developer.call(retraining.request_retraining, request)


def _trigger(world: World) -> None:
    request = Trigger(model=MODEL, alert=world.alert)
    world.clients.service.call(retraining.trigger, request)


def _collected(world: World) -> None:
    world.clients.developer.call(tracking.delete_run, tracking.NameRun(run=world.run))
    world.clients.admin.call(governance.collect, governance.Collect(older_than_s=0))


def _scheduled(world: World) -> None:
    request = monitoring.SetSchedule(deployment=MODEL, every_minutes=60)
    world.clients.developer.call(monitoring.set_schedule, request)


def _unscheduled(world: World) -> None:
    _scheduled(world)
    request = monitoring.NameSchedule(deployment=MODEL)
    world.clients.developer.call(monitoring.drop_schedule, request)


def _ran_what_is_due(world: World) -> None:
    _scheduled(world)
    world.clients.service.call(monitoring.run_schedules, Request())


def _restored_run(world: World) -> None:
    world.clients.developer.call(tracking.delete_run, NameRun(run=world.run))
    world.clients.developer.call(tracking.restore_run, NameRun(run=world.run))


def _call(who: str, operation: Any, make: Callable[[World], Any]) -> Callable[[World], object]:
    return lambda world: getattr(world.clients, who).call(operation, make(world))


DRIVE: dict[str, Callable[[World], object]] = {
    **tracking_deeds.DEEDS,
    **registry_deeds.DEEDS,
    **group_deeds.DEEDS,
    **account_deeds.DEEDS,
    **session_deeds.DEEDS,
    "workspaces.create": _call(
        "admin", administration.create_workspace, lambda _: CreateWorkspace(name="another")
    ),
    "people.add": _call("admin", administration.add_person, lambda _: AddPerson(name="zoe")),
    "people.disable": _call(
        "admin", administration.disable_person, lambda _: NamePerson(name="vera")
    ),
    "people.erase": _call(
        "admin", erase_person, lambda _: ErasePerson(name="vera", reason="request 7")
    ),
    "roles.grant": _call(
        "admin", administration.grant_role, lambda _: GrantRole(person="vera", role="auditor")
    ),
    "roles.revoke": _call(
        "admin", administration.revoke_role, lambda _: GrantRole(person="vera", role="viewer")
    ),
    "people.set-password": _call(
        "admin", administration.set_password,
        lambda _: SetPassword(person="vera", password="a long secret of hers"),
    ),
    "tokens.create": _token,
    "tokens.revoke": _call(
        "admin", administration.revoke_token, lambda world: NameToken(token=_token(world))
    ),
    "jobs.fail": _failed_job,
    "runs.open": lambda world: story.open_run(world.clients.developer),
    "runs.finish": _call(
        "developer", tracking.finish_run, lambda world: FinishRun(run=world.run)
    ),
    "runs.log-dataset": lambda world: story.log_data(
        world.clients.developer, world.run, "evaluation"
    ),
    "runs.log-model": lambda world: story.log_model(world.clients.developer, world.run),
    "runs.sweep": _silent,
    "runs.update": _call(
        "developer", tracking.update_run, lambda world: UpdateRun(run=world.run, name="another")
    ),
    "runs.delete": _call("developer", tracking.delete_run, lambda world: NameRun(run=world.run)),
    "runs.restore": _restored_run,
    "model.describe": _call(
        "developer", registry.describe_model, lambda _: DescribeModel(model=MODEL, team="delays")
    ),
    "model.register": lambda world: story.version(world.clients.developer),
    "model.alias": _call(
        "developer", registry.set_alias, lambda _: SetAlias(model=MODEL, alias=ALIAS, version=2)
    ),
    "model.unalias": _call(
        "developer", registry.drop_alias, lambda _: DropAlias(model=MODEL, alias=ALIAS)
    ),
    "model.rollback": _rolled_back,
    "suite.declare": lambda world: story.declare(world.clients.developer, "latency"),
    "promotion.request": lambda world: story.ask(
        world.clients.developer, story.version(world.clients.developer).number
    ),
    "promotion.verdict": _waiting,
    "promotion.decide": lambda world: story.approve(world.clients.approver, _waiting(world)),
    "promotion.withdraw": _call(
        "developer", registry.withdraw, lambda world: NamePromotion(promotion=world.promotion)
    ),
    "promotion.expire": _overdue,
    "policy.propose": _call(
        "developer", registry.propose_policy, lambda _: ProposePolicy(name="other", model=MODEL)
    ),
    "policy.approve": _approved_policy,
    "policy.revoke": _call(
        "approver", registry.revoke_policy, lambda _: NamePolicy(policy=POLICY)
    ),
    "deploy.start": _call(
        "deployer", deployment.start, lambda _: StartDeployment(model=MODEL, name=PLACE)
    ),
    "deploy.stop": _call("deployer", deployment.stop, lambda _: NameDeployment(deployment=MODEL)),
    "deploy.rollout": _rolled_out,
    "deploy.report": _call(
        "service", deployment.report, lambda _: Report(deployment=MODEL, state="ready", served=1)
    ),
    "runbook.write": _call(
        "developer", monitoring.write_runbook,
        lambda _: monitoring.WriteRunbook(name="other", text="text"),
    ),
    "monitor.declare": lambda world: watch.monitor(world.clients, name="other"),
    "monitor.run": _call(
        "developer", monitoring.close_windows,
        lambda _: CloseWindows(deployment=MODEL, until=watch.FIRST_DAY),
    ),
    "monitor.schedule": _scheduled,
    "monitor.unschedule": _unscheduled,
    "monitor.run-due": _ran_what_is_due,
    "labels.set-rule": _call(
        "developer", label_contract.set_label_rule,
        lambda _: SetLabelRule(deployment=MODEL, horizon_hours=48),
    ),
    "monitor.revise-window": lambda world: watch.revised(world.clients, 0, labels=101),
    "monitor.record-window": lambda world: watch.window(world.clients, 7, 0.8),
    "alerts.ack": _call(
        "developer", monitoring.acknowledge, lambda world: NameAlert(alert=world.alert)
    ),
    "alerts.resolve": _call(
        "developer", monitoring.resolve_alert, lambda world: NameAlert(alert=world.alert)
    ),
    "alerts.escalate": _call("service", monitoring.escalate, lambda _: Request()),
    "storage.collect": _collected,
    "retrain.policy": _call(
        "developer", retraining.set_policy,
        lambda _: SetPolicy(model=MODEL, level=0, recipe="shop:train"),
    ),
    "retrain.now": _retrain_now,
    "retrain.trigger": _trigger,
    "retrain.accept": _call(
        "developer", retraining.accept, lambda world: NameRetraining(retraining=world.retraining)
    ),
    "retrain.cancel": _call(
        "developer", retraining.cancel, lambda world: NameRetraining(retraining=world.retraining)
    ),
    "retrain.advance": _call(
        "service", retraining.advance,
        lambda world: Advance(retraining=world.retraining, state="training"),
    ),
    "incident.open": _call(
        "developer", incidents.open_incident,
        lambda _: OpenIncident(deployment=MODEL, summary="again"),
    ),
    "incident.note": _call(
        "developer", incidents.note,
        lambda world: NoteIncident(incident=world.incident, text="looked"),
    ),
    "incident.close": _call(
        "developer", incidents.close,
        lambda world: CloseIncident(incident=world.incident, resolution="done"),
    ),
}  # fmt: skip
"""How to do each operation that changes a state."""

DATA = {
    **tracking_deeds.TAGS,
    **registry_deeds.DATA,
    "runs.log": "points, parameters and tags are data",
    "runs.untag": "tags are data",
    "runs.heartbeat": "a sign of life is data; that it is missing is an event",
    "labels.record": "labels are data",
    "files.record": "files are data; what refers to them is an event",
    "jobs.tidy": "forgets what no client will ask for again",
}
"""Operations that leave no event, and why."""
