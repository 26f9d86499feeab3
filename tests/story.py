"""Chapters that many tests begin with: a suite, a run, a trained model, a version, a promotion."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.core.blobs import digest_of
from mainspring.core.ids import new_id
from mainspring.core.operation import Client
from mainspring.core.signature import Column, Signature
from mainspring.registry import contract as registry
from mainspring.registry.contract import CheckSpec, Promotion
from mainspring.tracking import contract as tracking
from mainspring.tracking.contract import FileEntry, LogDataset, LogModel, OpenRun

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


def open_run(client: Client, **more: object) -> str:
    """Open a run that records its code and environment; answers its id."""
    run = new_id()
    fields: dict[str, object] = {"code": CODE, "environment": ENVIRONMENT, **more}
    client.call(tracking.open_run, OpenRun(id=run, **fields))  # type: ignore[arg-type]
    return run


def log_data(client: Client, run: str, *roles: tracking.DatasetRole) -> None:
    """Link one dataset for each role."""
    for role in roles:
        digest = digest_of(role.encode())
        request = LogDataset(
            run=run, name=role, digest=digest, role=role, rows=1000, columns=[{"name": "distance"}]
        )
        client.call(tracking.log_dataset, request)


def train(client: Client, **more: object) -> tuple[str, str]:
    """A complete tracked run that trained a model; answers the ids of both."""
    run = open_run(client, **more)
    log_data(client, run, "training", "holdout")
    return run, log_model(client, run)


def log_model(client: Client, run: str, content: bytes = b"trees") -> str:
    """Record a model of the run; answers its id."""
    trained = new_id()
    request = LogModel(
        run=run,
        id=trained,
        name="model",
        engine="lightgbm",
        task="binary",
        signature=SIGNATURE,
        files=[FileEntry(path="model.txt", digest=digest_of(content), size=len(content))],
    )
    client.call(tracking.log_model, request)
    return trained


def declare(
    client: Client, *checks: str, approvals: int = 1, stage: registry.TargetStage = "production"
) -> None:
    """Declare what the stage asks of the model."""
    request = registry.DeclareSuite(
        model=MODEL,
        stage=stage,
        checks=[CheckSpec(name=name) for name in checks or ("performance",)],
        approvals=approvals,
    )
    client.call(registry.declare_suite, request)


def register(client: Client, trained: str) -> int:
    """Register the trained model; answers the version's number."""
    request = registry.RegisterVersion(model=MODEL, trained_model=trained)
    return client.call(registry.register_version, request).version


def version(client: Client, **more: object) -> Version:
    """Train and register."""
    run, trained = train(client, **more)
    return Version(register(client, trained), run, trained)


def ask(client: Client, number: int, **more: object) -> Promotion:
    """Ask for a promotion of the version."""
    request = registry.RequestPromotion(model=MODEL, version=number, **more)  # type: ignore[arg-type]
    return client.call(registry.request_promotion, request)


def say(
    service: Client, promotion: str, check: str = "performance", outcome: str = "passed"
) -> Promotion:
    """Let Mainspring's own service record what a check said."""
    request = registry.RecordVerdict(
        promotion=promotion,
        check=check,
        outcome=outcome,  # type: ignore[arg-type]
        reason=f"{check} {outcome}",
        data_digest="sha256:data",
    )
    return service.call(registry.record_verdict, request)


def approve(client: Client, promotion: str, decision: str = "approve") -> Promotion:
    """Approve or reject."""
    request = registry.Decide(promotion=promotion, decision=decision, reason="looked at it")  # type: ignore[arg-type]
    return client.call(registry.decide, request)
