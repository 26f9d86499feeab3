"""Chapters that many tests begin with: a suite, a run, a trained model, a version, a promotion."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mainspring.administration import contract as administration
from mainspring.administration.contract import CreateWorkspace, ListEvents
from mainspring.app import App, LocalClient
from mainspring.core.blobs import digest_of
from mainspring.core.event import Event
from mainspring.core.ids import new_id
from mainspring.core.operation import Client, FileClient
from mainspring.core.signature import Column, Signature
from mainspring.registry import contract as registry
from mainspring.registry.contract import Promotion
from mainspring.registry.promotion import Outcome
from mainspring.registry.record import CheckSpec
from mainspring.tracking import contract as tracking
from mainspring.tracking import dataset_contract, model_contract
from mainspring.tracking.contract import FileEntry, OpenRun
from mainspring.tracking.dataset_contract import DatasetRole, LogDataset
from mainspring.tracking.model_contract import LogModel
from tests.house import local_client

MODEL = "flights-late"
SIGNATURE = Signature(
    inputs=(Column(name="distance", datatype="FP64"),),
    outputs=(Column(name="score", datatype="FP64"),),
)
CODE = {"commit": "0" * 40}
ENVIRONMENT = {"packages": {"lightgbm": "4.7.0"}}


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the model, and what stands behind it."""

    number: int
    run: str
    trained: str


PARAMETERS: dict[str, dict[str, object]] = {
    "performance": {"metric": "auc", "minimum": 0.5},
    "latency": {"p99_ms": 50},
}
"""What the checks that need to be told something are told."""


def put(client: FileClient, content: bytes) -> str:
    """Upload the bytes; answers their digest."""
    digest = digest_of(content)
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        client.upload(digest, Path(file.name))
    return digest


def open_run(client: Client, **more: Any) -> str:
    """Open a run that records its code and environment; answers its id."""
    run = new_id()
    fields = {"code": CODE, "environment": ENVIRONMENT, **more}
    client.call(tracking.open_run, OpenRun(id=run, **fields))
    return run


def log_data(client: Client, run: str, *roles: DatasetRole) -> None:
    """Link one dataset for each role."""
    for role in roles:
        digest = digest_of(role.encode())
        request = LogDataset(
            run=run, name=role, digest=digest, role=role, rows=1000, columns=[{"name": "distance"}]
        )
        client.call(dataset_contract.log_dataset, request)


def train(client: FileClient, **more: Any) -> tuple[str, str]:
    """A complete tracked run that trained a model; answers the ids of both."""
    run = open_run(client, **more)
    log_data(client, run, "training", "holdout")
    trained = log_model(client, run)
    finish(client, run)
    return run, trained


def finish(client: Client, run: str) -> None:
    """End the run: only what is over can be judged."""
    client.call(tracking.finish_run, tracking.FinishRun(run=run))


def log_model(client: FileClient, run: str, content: bytes = b"trees") -> str:
    """Record a model of the run; answers its id."""
    trained = new_id()
    request = LogModel(
        run=run,
        id=trained,
        name="model",
        engine="lightgbm",
        task="binary",
        signature=SIGNATURE,
        files=[FileEntry(path="model.txt", digest=put(client, content), size=len(content))],
    )
    client.call(model_contract.log_model, request)
    return trained


def declare(
    client: Client,
    *checks: str,
    approvals: int = 1,
    stage: registry.TargetStage = "production",
    **more: Any,
) -> None:
    """Declare what the stage asks of the model."""
    request = registry.DeclareSuite(
        model=MODEL,
        stage=stage,
        checks=[
            CheckSpec(name=name, parameters=PARAMETERS.get(name, {}))
            for name in checks or ("performance",)
        ],
        approvals=approvals,
        **more,
    )
    client.call(registry.declare_suite, request)


def register(client: Client, trained: str) -> int:
    """Register the trained model; answers the version's number."""
    request = registry.RegisterVersion(model=MODEL, trained_model=trained)
    return client.call(registry.register_version, request).version


def version(client: FileClient, **more: Any) -> Version:
    """Train and register."""
    run, trained = train(client, **more)
    return Version(register(client, trained), run, trained)


def owned(client: Client, owner: str = "dora") -> None:
    """Say who answers for the model, where a service has made it."""
    client.call(registry.describe_model, registry.DescribeModel(model=MODEL, owner=owner))


def ask(client: Client, number: int, **more: Any) -> Promotion:
    """Ask for a promotion of the version."""
    request = registry.RequestPromotion(model=MODEL, version=number, **more)
    return client.call(registry.request_promotion, request)


def say(
    service: Client, promotion: str, check: str = "performance", outcome: Outcome = "passed"
) -> Promotion:
    """Let Mainspring's own service record what a check said."""
    request = registry.RecordVerdict(
        promotion=promotion,
        check=check,
        outcome=outcome,
        reason=f"{check} {outcome}",
        data_digest="sha256:data",
    )
    return service.call(registry.record_verdict, request)


def in_production(developer: FileClient, service: Client, approver: Client, **more: Any) -> Version:
    """A version that went the whole way."""
    declare(developer)
    made = version(developer, **more)
    promotion = ask(developer, made.number)
    say(service, promotion.id)
    approve(approver, promotion.id)
    return made


def approve(
    client: Client, promotion: str, decision: Literal["approve", "reject"] = "approve"
) -> Promotion:
    """Approve or reject."""
    request = registry.Decide(promotion=promotion, decision=decision, reason="looked at it")
    return client.call(registry.decide, request)


ELSEWHERE = "elsewhere"
"""The name of the other workspace, in tests that need one."""


def elsewhere(app: App, tokens: dict[str, str]) -> LocalClient:
    """Make another workspace; answers its administrator's client."""
    request = CreateWorkspace(name=ELSEWHERE)
    local_client(app, tokens["ada"]).call(administration.create_workspace, request)
    return local_client(app, tokens["ada"], ELSEWHERE)


def events(client: Client, **filters: Any) -> list[Event]:
    """What the log tells."""
    return client.call(administration.list_events, ListEvents(limit=1000, **filters)).items


def kinds(client: Client, **filters: Any) -> list[str]:
    """The kinds of the events, in their order."""
    return [event.kind for event in events(client, **filters)]


def run_of(client: Client, run: str) -> tracking.Run:
    """A run with all that it recorded."""
    return client.call(tracking.show_run, tracking.NameRun(run=run))
