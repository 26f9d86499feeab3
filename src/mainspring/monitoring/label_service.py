"""Labels come in, are corrected and read; what they cover is told."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from mainspring.core.errors import Invalid
from mainspring.core.extras import require
from mainspring.core.operation import Done, Page
from mainspring.core.work import Work, performs
from mainspring.deployment.store import DeploymentStore, deployment_of
from mainspring.monitoring import label_contract as contract
from mainspring.monitoring.correction import news
from mainspring.monitoring.label_contract import (
    MOST_DAYS,
    LabelColumns,
    LabelCoverage,
    LabelRule,
    RecordedLabels,
    StoredLabel,
)
from mainspring.monitoring.label_store import LabelStore


def _deployment(work: Work, name: str) -> Any:
    return DeploymentStore(work.connection, work.workspace_id).row(name)


def _store(work: Work, deployment: str) -> LabelStore:
    return LabelStore(work.connection, _deployment(work, deployment).id)


@performs(contract.record_labels)
def record_labels(work: Work, request: contract.RecordLabels) -> RecordedLabels:
    """Keep what is news; what is sent again has no effect."""
    store = _store(work, request.deployment)
    found = news(request.labels, store.told(request.labels))
    store.add(found, work.now)
    return RecordedLabels(
        count=len(found.kept), new=found.new, doubled=found.doubled, corrected=found.corrected
    )


@performs(contract.read_labels)
def read_labels(work: Work, request: contract.ReadLabels) -> Page[StoredLabel]:
    """As they became known."""
    found = _store(work, request.deployment).labels(request)
    return Page(items=found, next=str(found[-1].id) if len(found) == request.limit else None)


@performs(contract.read_label_columns)
def read_label_columns(work: Work, request: contract.ReadLabels) -> LabelColumns:
    """As they became known, for programs that read very many."""
    rows = _store(work, request.deployment).columns(request)
    columns = zip(*rows, strict=True) if rows else ([],) * 7
    names = [name for name in LabelColumns.__struct_fields__ if name != "next"]
    return LabelColumns(
        **{name: list(values) for name, values in zip(names, columns, strict=True)},
        next=rows[-1].id if len(rows) == request.limit else None,
    )


@performs(contract.count_labels)
def count_labels(work: Work, request: contract.CountLabels) -> Done:
    """How many."""
    return Done(count=_store(work, request.deployment).count())


@performs(contract.read_coverage)
def read_coverage(work: Work, request: contract.ReadCoverage) -> LabelCoverage:
    """Join the labels with the prediction log of the deployment, as monitoring does."""
    row = _deployment(work, request.deployment)
    if not dt.timedelta(0) <= request.until - request.since <= dt.timedelta(days=MOST_DAYS):
        raise Invalid(
            f"found a stretch from {request.since:%Y-%m-%d %H:%M} to "
            f"{request.until:%Y-%m-%d %H:%M}, wanted one of at most {MOST_DAYS} days",
            field="until",
        )
    coverage = require("mainspring.monitoring.coverage", "loop")
    store = LabelStore(work.connection, row.id)
    asked = coverage.Asked(
        request=request, rule=store.rule(row.name), log=deployment_of(row).log_folder, now=work.now
    )
    found: LabelCoverage = coverage.of_stretch(
        lambda wanted: read_label_columns(work, wanted), asked
    )
    return found


@performs(contract.show_label_rule)
def show_label_rule(work: Work, request: contract.NameLabelRule) -> LabelRule:
    """As set, or the default."""
    return _store(work, request.deployment).rule(request.deployment)


@performs(contract.set_label_rule)
def set_label_rule(work: Work, request: contract.SetLabelRule) -> LabelRule:
    """Set it; windows that are measured already stay as they were."""
    row = _deployment(work, request.deployment)
    store = LabelStore(work.connection, row.id)
    fields = msgspec.to_builtins(request)
    del fields["deployment"]
    store.put_rule({**fields, "set_by": work.actor.name})
    work.announce("label_rule.set", ("deployment", row.name), row.model, **fields)
    return store.rule(row.name)
