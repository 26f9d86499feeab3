"""Every first word of the command line with its line of help; `--help` loads nothing else."""

from __future__ import annotations

from typing import NamedTuple


class Daily(NamedTuple):
    """A command written by hand: where it is, and what it does."""

    place: str
    help: str


class Noun(NamedTuple):
    """A group of commands read off the operations that a stage declares."""

    stage: str
    help: str
    alone: str | None = None
    """The verb that is meant when none is given."""


_HERE = "mainspring.interfaces.cli"

DAILY = {
    "up": Daily(f"{_HERE}.process:up", "Start the server here, until it is stopped."),
    "down": Daily(f"{_HERE}.process:down", "Stop the server of a home."),
    "serve": Daily(f"{_HERE}.serve:serve", "Serve models without a server beside them."),
    "status": Daily(f"{_HERE}.status:status", "Show every deployment, the worst first."),
    "run": Daily(f"{_HERE}.run:run", "Run a command and record it, unchanged."),
    "doctor": Daily(f"{_HERE}.doctor:doctor", "Find what is broken here, and say how to mend it."),
    "demo": Daily(f"{_HERE}.demo:demo", "Play the whole loop on a year of real flights."),
    "promote": Daily(f"{_HERE}.promotion:promote", "Ask to move a version to a stage."),
    "approve": Daily(f"{_HERE}.promotion:approve", "Approve a promotion that waits."),
    "reject": Daily(f"{_HERE}.promotion:reject", "Reject a promotion that waits."),
    "rollback": Daily(
        f"{_HERE}.promotion:rollback", "Return to a version that was in the stage before."
    ),
    "predict": Daily(f"{_HERE}.predict:predict", "Send rows to a deployment, print its answer."),
    "sync": Daily(f"{_HERE}.sync:ship", "Ship what trainings have left in the spool."),
    "gc": Daily(f"{_HERE}.gc:gc", "Free what was deleted long ago, and files nothing names."),
    "admin": Daily(f"{_HERE}.admin:admin", "Keep the installation: migrate, verify the log."),
    "explain": Daily(f"{_HERE}.explain:explain", "Explain an error code."),
    "completion": Daily(
        f"{_HERE}.completion:completion", "Print the completion script of a shell."
    ),
}
"""In the order of the day."""

NOUNS = {
    "aliases": Noun("registry", "Aliases that follow a stage and move with promotions alone."),
    "alerts": Noun("monitoring", "What monitors raised: list, take on, resolve."),
    "artifacts": Noun("tracking", "The files of runs and trained models, and loose ones."),
    "data": Noun("tracking", "Dataset versions that runs used."),
    "deploy": Noun("deployment", "Models at work: start, stop, roll out."),
    "events": Noun("administration", "All that happened, in order, and its proof."),
    "experiments": Noun("tracking", "What runs are kept in: create, rename, delete."),
    "fields": Noun("registry", "What a workspace wants said of its models and versions."),
    "files": Noun("administration", "Stored files by their digest."),
    "gates": Noun("registry", "What a workspace asks of every model, or of a risk tier."),
    "groups": Noun("administration", "People who hold roles together."),
    "incident": Noun("incidents", "What was wrong in production, and how it ended."),
    "jobs": Noun("administration", "Reactions that are still to be done."),
    "labels": Noun("monitoring", "What turned out to be true of predictions."),
    "model": Noun("registry", "Models and their versions: register, describe, trace."),
    "monitor": Noun("monitoring", "What is watched: thresholds, windows, runs."),
    "people": Noun("administration", "Who works here."),
    "policy": Noun("registry", "Approvals given beforehand, within limits."),
    "promotion": Noun("registry", "Requests to move a version to a stage."),
    "requirements": Noun("registry", "What a run must have recorded for a registration."),
    "retrain": Noun("retraining", "When and how models are trained again."),
    "roles": Noun("administration", "Give roles to people, take them, deny verbs."),
    "runbook": Noun("monitoring", "What to check, the impact, the remedy."),
    "runs": Noun("tracking", "Training runs: list, show, log."),
    "stages": Noun("registry", "The places on a version's way, and a workspace's own."),
    "storage": Noun("governance", "What was deleted and is to be freed."),
    "service-accounts": Noun("administration", "Programs that sign in, and who answers for each."),
    "sessions": Noun("administration", "Browsers that are signed in."),
    "suite": Noun("registry", "What a stage asks of a version: its gate."),
    "tokens": Noun("administration", "API tokens of people."),
    "trained-models": Noun(
        "tracking", "Models from the moment they are trained, registered or not."
    ),
    "webhooks": Noun("webhooks", "Addresses that are told what happens in the registry."),
    "whoami": Noun("administration", "Who the server takes you for.", alone="show"),
    "workspaces": Noun("administration", "Rooms of their own."),
}

VERBS: dict[str, dict[str, Daily]] = {
    "data": {
        "show": Daily(f"{_HERE}.data:show", "Show a dataset: columns, runs, models."),
        "diff": Daily(f"{_HERE}.data:diff", "Compare two datasets."),
        "digest": Daily(f"{_HERE}.data:digest", "Tell the digest of a file or folder here."),
    },
    "deploy": {
        "log": Daily(f"{_HERE}.deploy_log:log", "Write the recorded predictions into a file."),
    },
    "events": {
        "export": Daily(f"{_HERE}.events_export:export", "Write events with their hashes."),
    },
    "labels": {
        "record": Daily(
            f"{_HERE}.labels:record", "Record what turned out to be true of predictions."
        ),
    },
    "people": {
        "set-password": Daily(f"{_HERE}.password:set_password", "Set a password; it is asked for."),
    },
    "requirements": {
        "show": Daily(f"{_HERE}.registration:show", "Show what runs must have recorded."),
        "set": Daily(f"{_HERE}.registration:require", "Say what runs must have recorded."),
    },
    "runs": {
        "list": Daily(f"{_HERE}.runs_list:list_runs", "List runs, newest first."),
        "show": Daily(f"{_HERE}.runs_show:show", "Show a run with all that it recorded."),
        "compare": Daily(f"{_HERE}.runs_compare:compare", "Show what differs between runs."),
        "watch": Daily(f"{_HERE}.runs_watch:watch", "Follow a run until it ends."),
        "tag": Daily(f"{_HERE}.runs_change:tag", "Set tags of a run, or take some off."),
        "rm": Daily(f"{_HERE}.runs_change:rm", "Delete runs; they can be restored."),
        "restore": Daily(f"{_HERE}.runs_change:restore", "Bring deleted runs back."),
        "export": Daily(f"{_HERE}.runs_export:export", "Write runs and their values into files."),
    },
}
"""The verbs of a noun that are written by hand: one that an operation has too goes before it."""

EXIT_CODES = {
    0: "done",
    1: "something unexpected, or broken",
    2: "usage: a word, an option or a value is wrong",
    3: "a gate, a check or a policy says no",
    4: "not found",
    5: "not permitted, or an approval is needed",
    6: "conflict: it is in a state that does not allow this",
    7: "unreachable, unavailable or timed out",
    130: "interrupted",
}
"""What every command ends with; docs/errors.md lists the same."""
