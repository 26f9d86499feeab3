"""The words of a script: they act on the active run, which `init` or `run` has opened.

The names are those that users of W&B and MLflow write, so that switching is an import:
`import mainspring as wandb`, or `import mainspring as mlflow`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mainspring.core.errors import Conflict
from mainspring.core.settings import read_variable
from mainspring.interfaces.sdk.session import default_client
from mainspring.recording import active
from mainspring.recording.autologging import Autolog, Choices, install
from mainspring.recording.config import Config
from mainspring.recording.duplicates import OnDuplicate
from mainspring.recording.framework import frameworks
from mainspring.recording.opening import Opening, open_run
from mainspring.recording.records import EndStatus
from mainspring.recording.run import Run
from mainspring.tracking.contract import FileEntry, RunDataset, TrainedModel

log_of_words = logging.getLogger("mainspring.run")
_STATUSES: dict[str, EndStatus] = {
    "FINISHED": "finished", "FAILED": "failed", "KILLED": "killed",
}  # fmt: skip


class _Session:
    """What this process has chosen."""

    experiment = "Default"
    opened: Run | None = None
    """The run that `init` has opened."""
    autolog: Autolog | None = None


def init(  # noqa: PLR0913  the words that W&B's users write
    project: str | None = None,
    *,
    name: str = "",
    config: Any = None,
    tags: Mapping[str, Any] | Iterable[str] | None = None,
    notes: str = "",
    group: str | None = None,
    job_type: str | None = None,
    id: str | None = None,  # noqa: A002  the field's own word
    resume: str | bool | None = None,
    on_duplicate: OnDuplicate | None = None,
    mode: str | None = None,
    **others: Any,
) -> Run:
    """Open a run for this script; it ends with `finish`, with the process, or with the next `init`.

    `mode` is `online`, `offline` or `disabled`. Other words of W&B (`entity`, `dir`, `settings`, ...)
    mean nothing here, which is said.

    >>> run = ms.init(project="delays", config={"rate": 0.1})
    >>> ms.log({"loss": 0.5})
    >>> ms.finish()
    """
    if _Session.opened is not None:
        _Session.opened.finish()
    if others:
        log_of_words.warning("init: %s: not used here", ", ".join(sorted(others)))
    found = _as_tags(tags)
    found |= {key: said for key, said in (("group", group), ("job_type", job_type)) if said}
    going_on = resume if isinstance(resume, str) and len(resume) >= 32 else id if resume else None
    opening = Opening(
        name=name,
        experiment=project or _Session.experiment,
        config=config,
        tags=found,
        note=notes,
        id=None if going_on else id,
        resume=going_on,
        on_duplicate=on_duplicate,
        mode=mode,
    )
    _Session.opened = open_run(default_client().surface(), opening)
    return _Session.opened


def finish(exit_code: int | None = None) -> None:
    """End the active run.

    >>> run = ms.init()
    >>> ms.finish()
    >>> run.over
    True
    """
    run = active_run()
    if run is not None:
        run.finish("failed" if exit_code else "finished")


def log(metrics: Mapping[str, Any], step: int | None = None, *, commit: bool = True) -> None:
    """Log values of metrics to the active run; without one, a run is opened.

    >>> ms.log({"loss": 0.3, "train": {"auc": 0.71}}, step=1)
    """
    _active().log(metrics, step=step, commit=commit)


def active_run() -> Run | None:
    """The run that words without a run act on.

    >>> with ms.run("first try") as run:
    ...     ms.active_run() is run
    True
    """
    run = active.active_run()
    if run is None and read_variable("MAINSPRING_ACTIVE_RUN") is not None:
        return _joined()
    return run


def _joined() -> Run | None:
    """The run of the process that started this one, in which this one takes part."""
    found = read_variable("MAINSPRING_ACTIVE_RUN")
    opening = Opening(id=found, member=True)
    return open_run(default_client().surface(), opening)


def _active() -> Run:
    return active_run() or init()


def start_run(  # noqa: PLR0913  the words that MLflow's users write
    run_id: str | None = None,
    *,
    run_name: str = "",
    nested: bool = False,
    parent_run_id: str | None = None,
    tags: Mapping[str, Any] | None = None,
    description: str = "",
) -> Run:
    """Open a run, or go on with the one of the id; use it with `with`.

    >>> with ms.start_run(run_name="first try"):
    ...     ms.log_metric("auc", 0.71)
    """
    around = active.enclosing_run()
    if around is not None and not nested:
        raise Conflict(
            f"run {around.id} is active", field="nested",
            fix="end it first, or give nested=True for a run inside it",
        )  # fmt: skip
    opening = Opening(
        name=run_name,
        experiment=_Session.experiment,
        tags=tags or {},
        note=description,
        resume=run_id,
        parent=parent_run_id,
    )
    return open_run(default_client().surface(), opening)


def end_run(status: str = "FINISHED") -> None:
    """End the active run, with the status in MLflow's words or ours.

    >>> run = ms.start_run()
    >>> ms.end_run()
    """
    run = active_run()
    if run is not None:
        run.finish(_STATUSES.get(status.upper(), "failed"))


def set_experiment(name: str) -> None:
    """Open further runs in the experiment of the name.

    >>> ms.set_experiment("delays")
    """
    _Session.experiment = name


def log_metric(key: str, value: Any, step: int | None = None) -> None:
    """Log one value of one metric.

    >>> ms.log_metric("auc", 0.71, step=3)
    """
    _active().log({key: value}, step=step)


def log_metrics(metrics: Mapping[str, Any], step: int | None = None) -> None:
    """Log values of metrics.

    >>> ms.log_metrics({"auc": 0.71, "loss": 0.4}, step=3)
    """
    _active().log(metrics, step=step)


def log_param(key: str, value: Any) -> None:
    """Log one parameter.

    >>> ms.log_param("depth", 6)
    """
    _active().log_params({key: value})


def log_params(params: Mapping[str, Any]) -> None:
    """Log parameters.

    >>> ms.log_params({"depth": 6, "rate": 0.1})
    """
    _active().log_params(params)


def set_tag(key: str, value: Any) -> None:
    """Set one tag.

    >>> ms.set_tag("team", "delays")
    """
    _active().set_tags({key: value})


def set_tags(tags: Mapping[str, Any]) -> None:
    """Set tags.

    >>> ms.set_tags({"team": "delays"})
    """
    _active().set_tags(tags)


def log_artifact(
    path: str | Path, artifact_path: str | None = None, *, name: str | None = None
) -> list[FileEntry]:
    """Keep a file or a folder with the active run, in the folder `artifact_path` or under a `name`.

    >>> kept = ms.log_artifact("report.txt", "reports")
    """
    return _active().log_artifact(path, artifact_path, name=name)


def log_artifacts(folder: str | Path, artifact_path: str | None = None) -> list[FileEntry]:
    """Keep what is in a folder with the active run, as MLflow does: without the folder's own name.

    >>> kept = ms.log_artifacts("plots", "figures")
    """
    return _active().log_artifact(folder, name=artifact_path or ".")


def log_text(text: str, name: str) -> None:
    """Keep a text with the active run.

    >>> ms.log_text("all is well", "notes/today.txt")
    """
    _active().log_text(text, name)


def log_dict(entries: Any, name: str) -> None:
    """Keep a dictionary or a list as JSON.

    >>> ms.log_dict({"classes": ["early", "late"]}, "classes.json")
    """
    _active().log_dict(entries, name)


def log_table(rows: Any, name: str) -> None:
    """Keep rows as a table.

    >>> ms.log_table({"carrier": ["UA"], "late": [0.2]}, "late.json")
    """
    _active().log_table(rows, name)


def log_figure(figure: Any, name: str) -> None:
    """Keep a figure of matplotlib, plotly, altair or bokeh.

    >>> ms.log_figure(figure, "curves/roc.png")
    """
    _active().log_figure(figure, name)


def log_image(image: Any, name: str, step: int | None = None) -> None:
    """Keep a picture.

    >>> ms.log_image([[0, 128], [255, 0]], "pixels.png")
    """
    _active().log_image(image, name, step=step)


def log_dataset(rows: Any, *, name: str, **said: Any) -> RunDataset:
    """Link data to the active run by its digest; the words are those of `Run.log_dataset`.

    >>> ms.log_dataset({"x": [1, 2], "label": [0, 1]}, name="tiny", keep=False).rows
    2
    """
    return _active().log_dataset(rows, name=name, **said)


def log_model(model: Any, **said: Any) -> TrainedModel:
    """Record a trained model; the words are those of `Run.log_model`.

    >>> trained = ms.log_model(booster, sample=table)
    """
    return _active().log_model(model, **said)


def config() -> Config:
    """The configuration of the active run: `ms.config` reads it.

    >>> run = ms.init(config={"rate": 0.1})
    >>> ms.config.rate
    0.1
    """
    return _active().config


def autolog(
    *,
    models: bool = True,
    datasets: bool = True,
    figures: bool = True,
    every: int = 1,
    disable: Iterable[str] = (),
) -> None:
    """Have trainings of known libraries record themselves, imported before or after.

    scikit-learn, XGBoost, LightGBM and PyTorch. `every` thins out metrics of each iteration;
    `disable` names libraries to leave alone. Calling it again changes the choices.

    >>> ms.autolog(models=False)
    """
    choices = Choices(models=models, datasets=datasets, figures=figures, every=max(1, every))
    left_alone = {name.lower() for name in disable}
    if _Session.autolog is not None:
        _Session.autolog.choices = choices
        _Session.autolog.enabled = True
        return
    _Session.autolog = Autolog(
        lambda: default_client().surface(), choices, experiment=lambda: _Session.experiment
    )
    install(
        _Session.autolog,
        lambda one: (
            not left_alone
            & {one.name.lower(), *(key for key, known in frameworks().items() if known is one)}
        ),
    )


def _as_tags(tags: Mapping[str, Any] | Iterable[str] | None) -> dict[str, Any]:
    if tags is None:
        return {}
    return dict(tags) if isinstance(tags, Mapping) else dict.fromkeys(tags, "true")
