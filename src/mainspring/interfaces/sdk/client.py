"""The SDK's one class: what a script asks of Mainspring, in its own words."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from mainspring.core.errors import Blocked, Invalid, NotFound, Unavailable
from mainspring.core.ids import parse_model_reference
from mainspring.core.operation import Operation
from mainspring.deployment import contract as deployments
from mainspring.deployment.contract import NameDeployment, StartDeployment
from mainspring.interfaces.sdk.connection import connect
from mainspring.interfaces.sdk.endpoint import Endpoint
from mainspring.interfaces.sdk.engine_reading import EngineReading
from mainspring.interfaces.sdk.recording import Recording, arrived
from mainspring.interfaces.sdk.runs import RunReading
from mainspring.monitoring import contract as monitoring
from mainspring.monitoring.alert import MonitorKind
from mainspring.monitoring.contract import (
    DeclareMonitor,
    Monitor,
    Runbook,
    Schedule,
    SetSchedule,
    Step,
    WriteRunbook,
)
from mainspring.recording.run import Run
from mainspring.registry import contract as registry
from mainspring.registry.contract import (
    Decide,
    DeclareSuite,
    ListPromotions,
    NamePromotion,
    Promotion,
    RegisterVersion,
    RequestPromotion,
    Resolve,
)
from mainspring.registry.model import ModelVersion
from mainspring.registry.record import CheckSpec, SuiteRow
from mainspring.retraining import contract as retraining
from mainspring.retraining.contract import RetrainingPolicy, SetPolicy
from mainspring.retraining.policy import Level
from mainspring.tracking.contract import TrainedModel

Q = TypeVar("Q")
R = TypeVar("R")
POLL_S = 0.1
READY_S = 60.0


@dataclass(frozen=True, slots=True)
class Pending:
    """A promotion whose checks have passed and that now waits for people.

    >>> pending = client.promote("tiny@1", reason="the first")
    >>> pending.missing
    ['0 of 1 approvals given']
    """

    promotion: Promotion

    @property
    def missing(self) -> list[str]:
        """What is still wanted, in words.

        >>> client.promote("tiny@1").missing
        ['0 of 1 approvals given']
        """
        return self.promotion.missing


class Client(Recording, RunReading, EngineReading):
    """Talks to the server of a home, to a server by its address, or to the home itself.

    >>> client = ms.Client()
    >>> client.url[:17]
    'http://127.0.0.1:'
    """

    def __init__(
        self,
        home: str | Path | None = None,
        url: str | None = None,
        token: str | None = None,
        workspace: str | None = None,
    ) -> None:
        self._connection = connect(Path(home) if home else None, url, token, workspace)
        self.files = self._connection.client
        self._token = token

    def close(self) -> None:
        """Let go of the connections.

        >>> ms.Client().close()
        """
        self._connection.close()

    @property
    def url(self) -> str | None:
        """The server's address; None while operations are performed in this process.

        >>> ms.Client().url[:17]
        'http://127.0.0.1:'
        """
        return self._connection.url

    def call(self, operation: Operation[Q, R], request: Q) -> R:
        """Perform any operation of the contracts.

        >>> from mainspring.tracking import contract
        >>> client.call(contract.list_runs, contract.ListRuns(limit=1)).items[0].author
        'root'
        """
        return self.files.call(operation, request)

    def settle(self, run: str) -> None:
        """Wait until what this process told of the run is on the server; raises what was refused.

        >>> run.log({"loss": 0.5})
        >>> client.settle(run.id)
        """
        arrived(run)

    def suite(
        self,
        model: str,
        *,
        checks: Mapping[str, Mapping[str, Any]],
        approvals: int = 1,
        stage: str = "production",
        **demands: Any,
    ) -> SuiteRow:
        """Declare what a stage asks of the model's versions; do it before training.

        `demands` are `approvers` (how many by role or `group:NAME`), `services`, `verdict_hours`,
        `training_days`, `expiry_days` and `override_hours`.

        >>> suite = client.suite("tiny", checks={"latency": {"p99_ms": 500}}, approvals=1)
        >>> suite.stage
        'production'
        """
        specs = [CheckSpec(name=name, parameters=dict(given)) for name, given in checks.items()]
        request = DeclareSuite(
            model=model, stage=stage, checks=specs, approvals=approvals, **demands
        )
        return self.call(registry.declare_suite, request)

    def register(self, trained: TrainedModel | Run, model: str) -> ModelVersion:
        """Make a trained model, or the last one of a run, the next version.

        Raises `Blocked` if the workspace asks for what its run lacks.

        >>> client.register(run, "tiny").version
        1
        """
        if isinstance(trained, Run):
            if not trained.models:
                raise Invalid(f"run {trained.id} logged no model", field="trained")
            trained = trained.models[-1]
        arrived(trained.run)
        request = RegisterVersion(model=model, trained_model=trained.id)
        return self.call(registry.register_version, request)

    def version(self, reference: str) -> ModelVersion:
        """Find `MODEL@3`, `MODEL@production` or `MODEL@alias`.

        >>> client.version("tiny@1").engine
        'lightgbm'
        """
        model, rest = parse_model_reference(reference)
        return self.call(registry.resolve, Resolve(model=model, reference=rest))

    def promote(
        self,
        version: ModelVersion | str,
        *,
        to: str = "production",
        reason: str = "",
        policy: str | None = None,
        timeout_s: float = 600.0,
    ) -> Promotion | Pending:
        """Ask for a promotion and wait for its checks; `Pending` if people have to agree.

        Raises `Blocked` with what is missing when the gate says no.

        >>> pending = client.promote("tiny@1", reason="the first")
        >>> pending.promotion.state
        'waiting'
        """
        found = self.version(version) if isinstance(version, str) else version
        request = RequestPromotion(
            model=found.model, version=found.version, stage=to, reason=reason, policy=policy
        )
        return self._awaited(self.call(registry.request_promotion, request), timeout_s)

    def _awaited(self, promotion: Promotion, timeout_s: float) -> Promotion | Pending:
        deadline = time.monotonic() + timeout_s
        while promotion.state == "checking":
            if self.url is None:
                raise Unavailable(
                    f"promotion {promotion.id} is asked for, and its checks wait for a server",
                    fix="mainspring up; they start by themselves",
                )
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"the checks of promotion {promotion.id} are not done after {timeout_s:g} s",
                    fix="they run in the server: is it up? mainspring status",
                )
            time.sleep(POLL_S)
            promotion = self.call(registry.show_promotion, NamePromotion(promotion=promotion.id))
        if promotion.state == "waiting":
            return Pending(promotion)
        if promotion.state != "promoted":
            reasons = [
                f"{verdict.check}: {verdict.reason}"
                for verdict in promotion.verdicts
                if verdict.outcome != "passed"
            ] or [f"the promotion is {promotion.state}"]
            raise Blocked(
                f"{promotion.model}@{promotion.version} may not enter {promotion.stage}: "
                f"{'; '.join(reasons)}",
                reasons,
            )
        return promotion

    def approve(self, what: Pending | Promotion | str, *, reason: str) -> Promotion:
        """Approve a promotion, or the open one of `MODEL@V`; nobody approves their own.

        >>> second_person.approve("tiny@1", reason="the numbers are plausible").state
        'promoted'
        """
        request = Decide(promotion=self._promotion_id(what), decision="approve", reason=reason)
        return self.call(registry.decide, request)

    def reject(self, what: Pending | Promotion | str, *, reason: str) -> Promotion:
        """Reject a promotion, or the open one of `MODEL@V`.

        >>> second_person.reject("tiny@1", reason="too few rows").state
        'rejected'
        """
        request = Decide(promotion=self._promotion_id(what), decision="reject", reason=reason)
        return self.call(registry.decide, request)

    def _promotion_id(self, what: Pending | Promotion | str) -> str:
        if isinstance(what, Pending):
            return what.promotion.id
        if isinstance(what, Promotion):
            return what.id
        version = self.version(what)
        listed = self.call(registry.list_promotions, ListPromotions(model=version.model, open=True))
        for promotion in listed:
            if promotion.version == version.version:
                return promotion.id
        raise NotFound(f"{what} has no open promotion", field="promotion")

    def deploy(self, model: str, *, stage: str = "production", name: str | None = None) -> Endpoint:
        """Serve what is in a stage of the model; answers when it is ready.

        >>> client.deploy("tiny").name
        'tiny'
        """
        request = StartDeployment(model=model.partition("@")[0], stage=stage, name=name)
        started = self.call(deployments.start, request)
        return self.endpoint(started.name)

    def endpoint(self, deployment: str, timeout_s: float = READY_S) -> Endpoint:
        """A deployment to ask for predictions, as soon as it is ready.

        >>> client.endpoint("tiny").model
        'tiny'
        """
        deadline = time.monotonic() + timeout_s
        while True:
            found = self.call(deployments.show, NameDeployment(deployment=deployment))
            if found.state == "ready" and found.url is not None:
                return Endpoint(self.files, found, self._token or self._connection.token or "")
            hopeless = found.state in ("failed", "stopped") or self.url is None
            if hopeless or time.monotonic() > deadline:
                raise Unavailable(
                    f"deployment {deployment!r} is {found.state}: {found.message or 'not ready'}",
                    fix="deployments run under a server: mainspring up; mainspring status",
                )
            time.sleep(POLL_S)

    def runbook(self, name: str, text: str) -> Runbook:
        """Write a runbook: what to check, the impact, the remedy.

        >>> client.runbook("late", "What to check: is the traffic what it was?").name
        'late'
        """
        return self.call(monitoring.write_runbook, WriteRunbook(name=name, text=text))

    def monitor(  # noqa: PLR0913  a monitor without one of these is refused
        self,
        deployment: str,
        *,
        kind: MonitorKind,
        metric: str,
        threshold: float,
        runbook: str,
        name: str | None = None,
        breaches: int = 1,
        windows: int = 1,
        action: Literal["notify", "incident"] = "notify",
        notify: Sequence[str] = ("log",),
    ) -> Monitor:
        """Watch a deployment.

        >>> client.monitor("tiny", kind="performance", metric="auc_drop", threshold=0.1, runbook="late").name
        'tiny auc drop'
        """
        request = DeclareMonitor(
            name=name or f"{deployment} {metric}".replace("_", " "),
            deployment=deployment,
            kind=kind,
            metric=metric,
            threshold=threshold,
            breaches=breaches,
            windows=windows,
            severity="critical" if action == "incident" else "warning",
            action=action,
            runbook=runbook,
            escalation=[Step(after_minutes=0, notify=list(notify))],
        )
        return self.call(monitoring.declare_monitor, request)

    def watch(
        self,
        deployment: str,
        *,
        every_minutes: float = 60,
        label_delay_hours: float = 24,
        day_starts_at_hour: float = 0,
    ) -> Schedule:
        """Have the days of a deployment measured by themselves, once their labels had time to come.

        >>> client.watch("tiny", every_minutes=60, label_delay_hours=24).deployment
        'tiny'
        """
        request = SetSchedule(
            deployment=deployment,
            every_minutes=every_minutes,
            label_delay_hours=label_delay_hours,
            day_starts_at_hour=day_starts_at_hour,
        )
        return self.call(monitoring.set_schedule, request)

    def retrain_policy(  # noqa: PLR0913  each is a brake that users set by name
        self,
        model: str,
        *,
        level: Level,
        recipe: str,
        config: Mapping[str, Any] | None = None,
        on: Sequence[MonitorKind] = ("performance",),
        training_days: float = 90,
        cooldown_days: float = 14,
        max_attempts: int = 3,
        policy: str | None = None,
    ) -> RetrainingPolicy:
        """Set how a model is retrained; `recipe` is `module:function` or `file.py:function`.

        >>> client.retrain_policy("tiny", level=1, recipe="mainspring.demo.recipe:train").level
        1
        """
        place, _, function = recipe.rpartition(":")
        digest = None
        if place.endswith(".py"):
            digest = self._uploaded(Path(place))
            recipe = f"{Path(place).stem.replace('-', '_')}:{function}"
        request = SetPolicy(
            model=model,
            level=level,
            recipe=recipe,
            recipe_file=digest,
            config=dict(config or {}),
            triggers=list(on),
            training_days=training_days,
            cooldown_days=cooldown_days,
            max_attempts=max_attempts,
            policy=policy,
        )
        return self.call(retraining.set_policy, request)

    def _uploaded(self, path: Path) -> str:
        if not path.is_file():
            raise NotFound(f"no file {path}", field="recipe")
        digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        self.files.upload(digest, path)
        return digest
