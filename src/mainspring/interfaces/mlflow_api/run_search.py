"""Searches: runs, experiments, logged models, registered models and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mainspring.core.filters import parse_filter, written
from mainspring.core.grammar import Comparison
from mainspring.core.operation import Page
from mainspring.core.order import written_order
from mainspring.interfaces.mlflow_api import entities
from mainspring.interfaces.mlflow_api.asking import ask
from mainspring.interfaces.mlflow_api.dispatch import Call, Params, route
from mainspring.interfaces.mlflow_api.failure import SEE, MlflowError, invalid_value
from mainspring.interfaces.mlflow_api.logged_models import entity
from mainspring.interfaces.mlflow_api.registry_entities import model_version, registered_model
from mainspring.interfaces.mlflow_api.registry_params import PROMPT
from mainspring.registry import search_contract as registry
from mainspring.registry.search_grammar import MODELS, VERSIONS
from mainspring.tracking import search_contract as tracking

MOST = 50_000
MOST_MODELS, MOST_VERSIONS = 1_000, 200_000
MOST_LOGGED_MODELS = 50_000
VIEWS: dict[object, str] = {
    "ACTIVE_ONLY": "active", "DELETED_ONLY": "deleted", "ALL": "all",
    1: "active", 2: "deleted", 3: "all",
}  # fmt: skip


class SearchRuns(Params, frozen=True, kw_only=True):
    """runs/search."""

    experiment_ids: list[str] | None = None
    filter: str | None = None
    run_view_type: int | str | None = None
    max_results: int | None = None
    order_by: list[str] | None = None
    page_token: str | None = None


class SearchExperiments(Params, frozen=True, kw_only=True):
    """experiments/search."""

    filter: str | None = None
    view_type: int | str | None = None
    max_results: int | None = None
    order_by: list[str] | None = None
    page_token: str | None = None


class DatasetParam(msgspec.Struct, frozen=True):
    """A dataset on which a logged model was measured."""

    dataset_name: str | None = None
    dataset_digest: str | None = None


class OrderParam(msgspec.Struct, frozen=True):
    """What logged models are sorted by."""

    field_name: str | None = None
    ascending: bool | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class SearchLoggedModels(Params, frozen=True, kw_only=True):
    """logged-models/search."""

    experiment_ids: list[str] | None = None
    filter: str | None = None
    datasets: list[DatasetParam] | None = None
    max_results: int | None = None
    order_by: list[OrderParam] | None = None
    page_token: str | None = None


class SearchRegistry(Params, frozen=True, kw_only=True):
    """registered-models/search and model-versions/search."""

    filter: str | None = None
    max_results: int | None = None
    order_by: list[str] | None = None
    page_token: str | None = None


@route("POST", "2.0/mlflow/runs/search", SearchRuns)
def search_runs(call: Call, params: SearchRuns) -> dict[str, Any]:
    """Runs of some experiments; of none without any."""
    limit = _limit(params.max_results, 1000, MOST)
    if not params.experiment_ids:
        return {}
    page = ask(
        call,
        tracking.search_runs,
        experiments=params.experiment_ids,
        view=_view(params.run_view_type, "run_view_type"),
        **_asked(params, limit),
    )
    return _page("runs", [entities.run_entity(run) for run in page.items], page)


@route("POST", "2.0/mlflow/experiments/search", SearchExperiments)
@route("GET", "2.0/mlflow/experiments/search", SearchExperiments)
def search_experiments(call: Call, params: SearchExperiments) -> dict[str, Any]:
    """Experiments."""
    page = ask(
        call,
        tracking.search_experiments,
        view=_view(params.view_type, "view_type"),
        **_asked(params, _limit(params.max_results, 1000, MOST)),
    )
    found = [entities.experiment_entity(experiment) for experiment in page.items]
    return _page("experiments", found, page)


@route("POST", "2.0/mlflow/logged-models/search", SearchLoggedModels, required=("experiment_ids",))
def search_logged_models(call: Call, params: SearchLoggedModels) -> dict[str, Any]:
    """Logged models of some experiments."""
    for dataset in params.datasets or ():
        if not dataset.dataset_name:
            raise MlflowError("`dataset_name` in the `datasets` clause must be specified.")
    for order in params.order_by or ():
        if not order.field_name:
            raise MlflowError("`field_name` in the `order_by` clause must be specified.")
    page = ask(
        call,
        tracking.search_trained_models,
        experiments=params.experiment_ids or [],
        filter=params.filter or "",
        datasets=[dataset.dataset_name for dataset in params.datasets or ()],
        digests=[dataset.dataset_digest or "" for dataset in params.datasets or ()],
        order_by=[
            written_order(order.field_name or "", ascending=order.ascending is not False)
            for order in params.order_by or ()
        ],
        order_datasets=[order.dataset_name or "" for order in params.order_by or ()],
        order_digests=[order.dataset_digest or "" for order in params.order_by or ()],
        limit=_limit(params.max_results or None, 100, MOST_LOGGED_MODELS),
        after=params.page_token or None,
    )
    return _page("models", [entity(model) for model in page.items], page)


@route("GET", "2.0/mlflow/registered-models/search", SearchRegistry)
def search_registered_models(call: Call, params: SearchRegistry) -> dict[str, Any]:
    """Registered models, or prompts if the filter says so."""
    asked = _asked(params, _limit(params.max_results, 100, MOST_MODELS))
    kind, asked["filter"] = _kind(parse_filter(asked["filter"], MODELS))
    page = ask(call, registry.search_models, kind=kind, **asked)
    found = [registered_model(model, model.latest) for model in page.items]
    return _page("registered_models", found, page)


@route("GET", "2.0/mlflow/model-versions/search", SearchRegistry)
def search_model_versions(call: Call, params: SearchRegistry) -> dict[str, Any]:
    """Versions of models, or of prompts if the filter says so."""
    asked = _asked(params, _limit(params.max_results, MOST_VERSIONS, MOST_VERSIONS))
    kind, asked["filter"] = _kind(parse_filter(asked["filter"], VERSIONS))
    page = ask(call, registry.search_versions, kind=kind, **asked)
    # A version says which aliases it has only where it is asked for by itself.
    found = [{**model_version(version), "aliases": []} for version in page.items]
    return _page("model_versions", found, page)


def _asked(params: Any, limit: int) -> dict[str, Any]:
    return {
        "filter": params.filter or "",
        "order_by": params.order_by or [],
        "limit": limit,
        "after": params.page_token or None,
    }


def _page(name: str, found: Sequence[object], page: Page[Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {name: found} if found else {}
    if page.next is not None:
        answer["next_page_token"] = page.next
    return answer


def _limit(given: int | None, usual: int, most: int) -> int:
    if given is None:
        return usual
    if given < 1:
        raise invalid_value("max_results", given, ". It must be a positive integer")
    if given > most:
        raise invalid_value("max_results", given, f". It must be at most {most}.{SEE}")
    return given


def _view(given: int | str | None, name: str) -> str:
    if given is None:
        return "active"
    view = VIEWS.get(int(given) if isinstance(given, str) and given.isdecimal() else given)
    if view is None:
        raise invalid_value(name, given)
    return view


def _kind(comparisons: Sequence[Comparison]) -> tuple[str, str]:
    """Whether prompts are meant, which MLflow tells by a tag; and the filter without that tag."""
    about = [one for one in comparisons if (one.kind, one.key) == ("tag", PROMPT)]
    rest = [one for one in comparisons if one not in about]
    prompts = any(
        (one.comparator, str(one.value).lower()) in (("=", "true"), ("!=", "false"))
        for one in about
    )
    return ("prompt" if prompts else "model"), written(rest)
