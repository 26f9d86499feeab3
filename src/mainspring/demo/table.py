"""The result as people read it: a table, what it says, and where the last version comes from."""

from __future__ import annotations

from mainspring.demo.report import Month, Report
from mainspring.demo.setting import MODEL

HEADER = (
    "month    flights   late  drift  pred.   AUC      AUC     gain   versions   alerts  retrain  lead\n"
    "                         share   days   chain    frozen                                       s"
)


def told(report: Report) -> str:
    """The whole result in words and numbers."""
    lines = [HEADER, *(_row(month) for month in report.months), "", *_verdict(report), ""]
    return "\n".join([*lines, *_lineage(report)])


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _row(month: Month) -> str:
    gain = None
    if month.auc_retrained is not None and month.auc_frozen is not None:
        gain = month.auc_retrained - month.auc_frozen
    versions = ",".join(f"v{one}" for one in month.versions)
    return (
        f"{month.month}  {month.flights:7,}  {month.late_share:5.1%}  {month.drift_share:5.1%}"
        f"  {month.prediction_drift_days:5}  {_number(month.auc_retrained, '.4f'):>6}"
        f"   {_number(month.auc_frozen, '.4f'):>6}   {_number(gain, '+.4f'):>7}"
        f"  {versions:<11}{month.alerts:5}  {month.retrainings:7}"
        f"  {_number(month.lead_time_s, '.1f'):>5}"
    )


def _verdict(report: Report) -> list[str]:
    gain = report.auc_retrained - report.auc_frozen
    if report.versions == 1:
        helped = "no retraining reached production, so both are the first model"
    elif gain > 0:
        helped = f"retraining helped: {gain:+.4f}"
    else:
        helped = f"retraining did not help here: {gain:+.4f}"
    same = report.predictions == report.labels_joined == report.flights and report.lost == 0
    counts = "as many as there are in the data" if same else f"the data has {report.flights:,}"
    counted = (
        f"{report.predictions:,} flights predicted once, {report.labels_joined:,} labelled once: "
        f"{counts}; {report.lost} lost or doubled."
    )
    around = (
        f"{report.never_arrived:,} of them never arrived and count as late. {report.requests:,} "
        f"requests, {report.retries} sent again; {report.seconds:.0f} s."
    )
    compared = (
        f"AUC over all flights: {report.auc_retrained:.4f} as served, {report.auc_frozen:.4f} had "
        f"the first model stayed; {helped}."
    )
    return [compared, counted, around]


def _lineage(report: Report) -> list[str]:
    found = report.lineage
    code = found.code.get("commit") or found.code.get("source_digest", "")
    dirty = " (tree was dirty)" if found.code.get("dirty") else ""
    packages, cpu = len(found.environment.get("packages", {})), found.environment.get("cpu")
    opened = f"{found.run_opened_at:%Y-%m-%d %H:%M:%S}" if found.run_opened_at else "?"
    lines = [
        f"Where {MODEL}@{found.version} comes from",
        f"  files    {found.digest}",
        f"  run      {found.run} by {found.run_author}, opened {opened}",
        f"  code     {code[:47]}{dirty}, {found.code.get('entry_point', '?')}",
        f"  python   {found.environment.get('python')}, {packages} packages, {cpu}",
    ]
    lines += [
        f"  data     {one.role:9} {one.rows:9,} rows  {one.digest[:26]}" for one in found.datasets
    ]
    lines += [f"  check    {one.check}: {one.outcome}; {one.reason}" for one in found.verdicts]
    lines += [
        f"  approved by {one.person}" + (f", standing policy {one.policy!r}" if one.policy else "")
        for one in found.approvals
    ]
    return lines + [f"  because  {cause}" for cause in found.causes]
