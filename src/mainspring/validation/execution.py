"""Run the checks of a requested promotion and record what each said."""

from __future__ import annotations

import traceback
from importlib import import_module

import msgspec
import pyarrow as pa

from mainspring.core.blobs import canonical_json, digest_of
from mainspring.core.errors import Conflict, Invalid, MainspringError, NotFound
from mainspring.core.event import Event
from mainspring.core.operation import FileClient
from mainspring.core.plugins import plug
from mainspring.datasets.inputs import event_micros, to_inputs
from mainspring.datasets.storage import read_rows
from mainspring.engines.engine import LoadedModel, load_model
from mainspring.registry import contract as registry
from mainspring.registry.contract import (
    NamePromotion,
    NameVersion,
    Promotion,
    RecordVerdict,
    Resolve,
)
from mainspring.registry.model import ModelVersion
from mainspring.registry.record import AskedCheck
from mainspring.tracking import contract as tracking
from mainspring.tracking.contract import NameRun, RunDataset
from mainspring.tracking.files import fetched, fetched_folder
from mainspring.validation.check import Check, Evidence, Finding, LabelledRows
from mainspring.validation.profile import build_profile


def run_checks(client: FileClient, event: Event) -> None:
    """Run every check of the promotion that has no verdict yet, or none that is fresh."""
    promotion = client.call(registry.show_promotion, NamePromotion(promotion=event.subject))
    if promotion.state != "checking":
        return
    version = client.call(
        registry.show_version, NameVersion(model=promotion.model, version=promotion.version)
    )
    evidence, data_digest = _evidence(client, promotion, version)
    for spec in promotion.checks:
        if not spec.pending:
            continue
        finding = _finding(spec, evidence)
        request = RecordVerdict(
            promotion=promotion.id,
            check=spec.check,
            outcome=finding.outcome,
            reason=finding.reason[:5000],
            measurements=finding.measurements,
            data_digest=data_digest,
        )
        try:
            client.call(registry.record_verdict, request)
        except Conflict:
            return  # withdrawn, rejected or failed meanwhile: nobody waits for the rest


def _evidence(
    client: FileClient, promotion: Promotion, version: ModelVersion
) -> tuple[Evidence, str]:
    assert version.run is not None
    run = client.call(tracking.show_run, NameRun(run=version.run))
    by_role = {dataset.role: dataset for dataset in run.datasets}
    names = [column.name for column in version.signature.inputs]
    holdout, training = by_role.get("holdout"), by_role.get("training")
    held = _rows(client, holdout, version, "holdout")
    trained = _rows(client, training, version, "training")
    profile = build_profile(to_inputs(trained, names), event_micros(trained))
    evidence = Evidence(
        candidate=_loaded(client, version),
        champion=_champion(client, promotion),
        holdout=LabelledRows(to_inputs(held, names), held["label"].to_numpy().astype(float)),
        training_profile=msgspec.to_builtins(profile),
        task="binary" if version.task == "binary" else "regression",
    )
    assert holdout is not None
    assert training is not None
    return evidence, digest_of(canonical_json([training.digest, holdout.digest]))


def _rows(
    client: FileClient, dataset: RunDataset | None, version: ModelVersion, role: str
) -> pa.Table:
    if dataset is None or dataset.file is None:
        raise NotFound(
            f"the run of {version.model}@{version.version} kept no {role} rows",
            fix=f"log them: run.log_dataset(rows, name=..., role={role!r})",
        )
    return read_rows(fetched(client, dataset.file))


def _loaded(client: FileClient, version: ModelVersion) -> LoadedModel:
    return load_model(fetched_folder(client, version.own_digest(), version.files))


def _champion(client: FileClient, promotion: Promotion) -> LoadedModel | None:
    """The version that is in the stage now, if there is one."""
    request = Resolve(model=promotion.model, reference=promotion.stage)
    try:
        return _loaded(client, client.call(registry.resolve, request))
    except NotFound:
        return None


def _finding(spec: AskedCheck, evidence: Evidence) -> Finding:
    """What the check says; one that breaks says no, and why."""
    try:
        return load_check(spec.name)(evidence, spec.parameters)
    except MainspringError as error:
        return Finding("failed", f"the check could not be made: {error.message}")
    except Exception as error:  # noqa: BLE001  the edge of foreign checks
        traceback.print_exc()
        return Finding("failed", f"the check broke: {type(error).__name__}: {error}")


def load_check(name: str) -> Check:
    """The check of a plug, or of `module:function`."""
    module, colon, function = name.partition(":")
    if not colon:
        check: Check = plug("checks", name)
        return check
    try:
        found: Check = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise Invalid(f"no check {name!r}: {error}", field="checks") from error
    return found
