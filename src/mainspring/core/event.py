"""What happened, in words; audit, lineage and reactions all read the one log of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

KINDS = {
    "workspace.created": "a workspace was made",
    "person.added": "a person was added",
    "person.disabled": "every right was taken from a person",
    "person.erased": "a person's name was replaced wherever it stood",
    "service_account.added": "a program got an account, which a person answers for",
    "service_account.disabled": "every right was taken from a service account",
    "service_account.handed_over": "a service account got another owner; its tokens ended",
    "password.set": "a person got another password",
    "session.opened": "a person signed a browser in",
    "session.ended": "a person, or an administrator for them, signed browsers out",
    "group.created": "a group of people was made",
    "group.deleted": "a group was deleted, with what it granted and denied",
    "group.joined": "a person was put into a group",
    "group.left": "a person was taken out of a group",
    "role.granted": "a person or a group was given a role",
    "role.revoked": "a role was taken from a person or a group",
    "verb.denied": "a person or a group was denied a verb",
    "verb.allowed": "a denied verb was allowed again",
    "token.created": "a token was made",
    "token.revoked": "a token was made worthless",
    "operation.refused": "a permission, a gate or a rule said no; the facts say why",
    "job.failed": "a reaction was given up after its last attempt",
    "experiment.created": "an experiment was created by its name",
    "experiment.renamed": "an experiment got another name",
    "experiment.deleted": "an experiment was deleted, with all its runs",
    "experiment.restored": "a deleted experiment came back, with all its runs",
    "run.opened": "a run was opened; what was declared before counts for it",
    "run.described": "a run was told its configuration, code or environment",
    "run.finished": "a run ended well",
    "run.failed": "a run ended with an error",
    "run.killed": "a run was ended from outside",
    "run.crashed": "a run was not heard of for too long",
    "run.resumed": "a crashed run was heard of again",
    "run.deleted": "a run was deleted; it can be restored until it is collected",
    "run.restored": "a deleted run came back",
    "run.changed": "a run's name or state was changed by its author",
    "dataset.used": "a run used a dataset version",
    "artifact.linked": "a file was put under a path: of a run, of a trained model, or of nobody",
    "artifact.removed": "files were taken from their paths; their bytes stay until collected",
    "trained_model.begun": "a trained model was told of; its files follow",
    "trained_model.failed": "the files of a trained model never came",
    "trained_model.deleted": "a trained model was deleted; versions made of it stay",
    "trained_model.linked": "a run took in a trained model, or brought one out",
    "model.trained": "a run trained a model, which has an id and a digest from now on",
    "model.created": "a model was made, with its first version or before it",
    "model.described": "what people say of a model changed",
    "model.renamed": "a model got another name",
    "model.deleted": "a model was deleted, with all its versions",
    "model.tagged": "a tag of a model was set",
    "model.untagged": "a tag was taken off a model",
    "version.registered": "a trained model, or files at a source, became a version",
    "version.engines_timed": "a version's engines were timed; the facts say which answers",
    "version.described": "what people say of a version changed",
    "version.deleted": "a version was deleted; its number stays taken",
    "version.tagged": "a tag of a version was set",
    "version.untagged": "a tag was taken off a version",
    "version.staged": "a version was moved to a stage that has no gate",
    "version.blocked": "a version is held back: it enters no stage and gets no new deployment",
    "version.unblocked": "a blocked version was let go by another person than its makers",
    "version.revoked": "a version is never to be used again",
    "version.promoted": "a version entered a stage through its gate, or past it by break-glass",
    "version.rolled_back": "an earlier version returned to a stage",
    "alias.set": "an alias points at a version",
    "alias.removed": "an alias was forgotten",
    "alias.protected": "an alias follows a stage: promotions alone move it",
    "alias.unprotected": "an alias may be set by hand again",
    "suite.declared": "what a stage asks was declared",
    "gate.declared": "what a stage asks of every model, or of a risk tier, was declared",
    "stage.declared": "a stage of the workspace's own was declared",
    "stage.dropped": "a stage that no version was in was dropped",
    "promotion.requested": "a promotion was asked for; its checks start",
    "verdict.recorded": "a check said what it found",
    "promotion.waiting": "the checks have passed; people decide",
    "promotion.stale": "its verdicts are older than the gate allows: its checks run again",
    "promotion.approved": "somebody, or a standing policy, approved",
    "promotion.undecided": "the standing policy did not speak; people have to",
    "promotion.rejected": "somebody rejected",
    "promotion.failed": "a check said no",
    "promotion.withdrawn": "the request was taken back",
    "promotion.expired": "nobody decided in time",
    "promotion.overridden": "somebody broke the glass: a version went past its gate, for now",
    "promotion.confirmed": "a second person stands by what went past the gate",
    "promotion.returned": "nobody confirmed in time: the earlier version came back",
    "promotion.commented": "somebody said something about a promotion",
    "field.declared": "a typed field of every model or version was declared",
    "field.dropped": "a field is asked for no more",
    "requirements.set": "what runs must have recorded for a registration was set",
    "policy.proposed": "a standing policy was proposed",
    "policy.approved": "another person approved the standing policy",
    "policy.revoked": "a standing policy was ended",
    "deployment.requested": "something should be served",
    "deployment.ready": "a deployment answers",
    "deployment.failed": "a deployment does not come up",
    "deployment.restarted": "a process that was gone was started again",
    "deployment.stopping": "a deployment was told to stop",
    "deployment.stopped": "a deployment's process has ended",
    "rollout.requested": "another version should be served",
    "rollout.finished": "another version answers",
    "rollout.failed": "the wanted version could not be loaded; the earlier one keeps serving",
    "runbook.written": "a runbook was written or rewritten",
    "monitor.declared": "something is watched",
    "monitor.scheduled": "a deployment's days are measured by themselves",
    "monitor.unscheduled": "they are not any more",
    "windows.due": "days that have ended should be measured",
    "window.closed": "a day was measured",
    "window.revised": "a day's own performance was measured again with labels that came later",
    "label_rule.set": "how labels find their predictions was set",
    "alert.raised": "a monitor crossed its threshold",
    "alert.continued": "an alert goes on, a week of the data's time after it was last told of",
    "alert.escalated": "a step of an alert's escalation was taken",
    "alert.acknowledged": "somebody took an alert on",
    "alert.resolved": "an alert was closed, or calmed down",
    "incident.opened": "something is wrong in production",
    "incident.noted": "the timeline of an incident got an entry",
    "incident.closed": "an incident ended",
    "webhook.created": "an address is told what happens in the registry",
    "webhook.changed": "a webhook was changed",
    "webhook.deleted": "a webhook was deleted",
    "delivery.failed": "a webhook's peer did not take what it was to be told",
    "storage.collected": "what was deleted long ago was freed, with the files that nothing names",
    "retraining_policy.set": "how a model is retrained was set",
    "retraining.held": "an alert started no retraining; the brakes say why",
    "retraining.proposed": "a retraining waits for somebody to accept it",
    "retraining.requested": "a retraining should start",
    "retraining.training": "a training runs",
    "retraining.validating": "its version is registered and goes through the gate",
    "retraining.waiting": "people decide on its promotion",
    "retraining.promoted": "its version is in production and is being rolled out",
    "retraining.done": "its version answers",
    "retraining.refused": "its version did not pass",
    "retraining.failed": "the training broke",
    "retraining.cancelled": "somebody dropped it",
}
"""Every kind of event with its meaning; another cannot be logged. docs/events.md lists the same."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, in words: `kind` is `noun.past_participle`."""

    id: str
    sequence: int
    """Its place in the workspace, counted from 1 without gaps."""
    workspace: str
    recorded_at: dt.datetime
    """The server's clock."""
    event_time: dt.datetime | None
    """The data's clock, where there is one."""
    actor_kind: str
    actor: str
    token: str | None
    request_id: str | None
    cause: str | None
    """The event that led to this one."""
    kind: str
    subject_kind: str
    subject: str
    model: str | None
    digest_before: str | None
    digest_after: str | None
    outcome: str
    facts: dict[str, Any]
    schema_version: int
    """Which columns its hash covers."""
    previous_hash: str
    """Of the event before it."""
    hash: str
    names: dict[str, str] = {}
    """What the references in it stand for now; of an event that is told as it is stored."""


def row_of(event: Event) -> dict[str, Any]:
    """The columns of an event that is told as it is stored, as its hash covers them."""
    fields = msgspec.structs.asdict(event)
    del fields["workspace"], fields["names"]
    return {"public_id": fields.pop("id"), **fields}


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What a stage says of an event; who, when and where is added on the way to the log."""

    kind: str
    subject_kind: str
    subject: str
    model: str | None
    facts: Mapping[str, Any]
    event_time: dt.datetime | None = None
    digest_before: str | None = None
    digest_after: str | None = None
    outcome: str = "done"
