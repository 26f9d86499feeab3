"""Searches are answered: filters and orders are read, pages are cut, tokens are made."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.core.errors import Invalid
from mainspring.core.filters import parse_filter
from mainspring.core.keyset import Values, read_token, write_token
from mainspring.core.operation import Page
from mainspring.core.order import MAX_ORDERS, parse_order
from mainspring.core.work import Work, performs
from mainspring.tracking import search_contract
from mainspring.tracking.contract import NameRun, TrainedModel
from mainspring.tracking.experiment_contract import Experiment
from mainspring.tracking.experiment_search_store import ExperimentSearchStore
from mainspring.tracking.found_run_store import FoundRunStore
from mainspring.tracking.model_search_store import (
    ModelOrder,
    ModelQuestion,
    ModelSearchStore,
    OnDataset,
)
from mainspring.tracking.search_contract import Counted, FoundRun
from mainspring.tracking.search_grammar import EXPERIMENTS, RUNS, TRAINED_MODELS
from mainspring.tracking.search_store import Question, SearchStore
from mainspring.tracking.store import no_run


def _asked(experiments: Sequence[str], rules: object, order: object) -> dict[str, object]:
    """The parts of a question that a token belongs to, by the words for what does not match."""
    return {"Experiment IDs": sorted(experiments), "Filter string": rules, "Order by": order}


@performs(search_contract.search_runs)
def search_runs(work: Work, request: search_contract.SearchRuns) -> Page[FoundRun]:
    """A page of runs: first their keys, then all that is told of them."""
    store = SearchStore(work.connection, work.workspace_id)
    comparisons = parse_filter(request.filter, RUNS)
    orders = parse_order(request.order_by, RUNS)
    asked = _asked(request.experiments, [request.filter, request.view], request.order_by)
    after: Values | None = None
    if request.after is not None:
        after = read_token(request.after, asked, store.slots(orders))
    scope = store.scope(request.experiments, request.view)
    if scope is None:
        return Page(items=[])
    found = store.page(Question(scope, comparisons, orders), after, request.limit + 1)
    shown_keys = [key for key, _ in found[: request.limit]]
    return Page(
        items=FoundRunStore(work.connection, work.workspace_id).runs(shown_keys),
        next=_next(asked, [values for _, values in found], request.limit),
    )


@performs(search_contract.count_runs)
def count_runs(work: Work, request: search_contract.CountRuns) -> Counted:
    """How many runs all pages of the search would have together."""
    store = SearchStore(work.connection, work.workspace_id)
    comparisons = parse_filter(request.filter, RUNS)
    scope = store.scope(request.experiments, request.view)
    if scope is None:
        return Counted(count=0)
    return Counted(count=store.count(Question(scope, comparisons, [])))


@performs(search_contract.find_run)
def find_run(work: Work, request: NameRun) -> FoundRun:
    """One run as searches tell of it."""
    store = FoundRunStore(work.connection, work.workspace_id)
    key = store.key(request.run)
    if key is None:
        raise no_run(request.run)
    return store.runs([key])[0]


@performs(search_contract.search_experiments)
def search_experiments(work: Work, request: search_contract.SearchExperiments) -> Page[Experiment]:
    """A page of experiments."""
    store = ExperimentSearchStore(work.connection, work.workspace_id)
    comparisons = parse_filter(request.filter, EXPERIMENTS)
    slots = store.slots(parse_order(request.order_by, EXPERIMENTS))
    asked = _asked([], [request.filter, request.view], request.order_by)
    after = None if request.after is None else read_token(request.after, asked, slots)
    found = store.page(comparisons, request.view, slots, after, request.limit + 1)
    return Page(
        items=[experiment for experiment, _ in found[: request.limit]],
        next=_next(asked, [values for _, values in found], request.limit),
    )


@performs(search_contract.search_trained_models)
def search_trained_models(
    work: Work, request: search_contract.SearchTrainedModels
) -> Page[TrainedModel]:
    """A page of trained models."""
    store = ModelSearchStore(work.connection, work.workspace_id)
    datasets = _paired(request.datasets, request.digests)
    orders = _model_orders(request)
    question = ModelQuestion(
        experiments=request.experiments,
        comparisons=parse_filter(request.filter, TRAINED_MODELS),
        datasets=datasets,
        slots=store.slots(orders),
    )
    asked = _asked(
        request.experiments,
        [request.filter, datasets],
        [request.order_by, request.order_datasets, request.order_digests],
    )
    after = None if request.after is None else read_token(request.after, asked, question.slots)
    found = store.page(question, after, request.limit + 1)
    return Page(
        items=[model for model, _ in found[: request.limit]],
        next=_next(asked, [values for _, values in found], request.limit),
    )


def _model_orders(request: search_contract.SearchTrainedModels) -> list[ModelOrder]:
    # One at a time: the same metric on another dataset is another order.
    orders = [parse_order([clause], TRAINED_MODELS)[0] for clause in request.order_by]
    if len(orders) > MAX_ORDERS:
        raise Invalid(f"order_by: more than {MAX_ORDERS} clauses", field="order_by")
    names = _filled(request.order_datasets, len(orders))
    on = _paired(names, _filled(request.order_digests, len(orders)))
    return [
        ModelOrder(order.key, order.kind == "metric", order.ascending, name, digest)
        for order, (name, digest) in zip(orders, on, strict=True)
    ]


def _paired(names: Sequence[str], digests: Sequence[str]) -> list[OnDataset]:
    """Each dataset with its digest; what is empty may be any."""
    return [
        (name or None, digest or None)
        for name, digest in zip(names, _filled(digests, len(names)), strict=True)
    ]


def _filled(words: Sequence[str], length: int) -> list[str]:
    return [*words, *[""] * length][:length]


def _next(asked: dict[str, object], values: Sequence[Values], limit: int) -> str | None:
    """The token of the next page: one row more than shown was looked for, to know of it."""
    return write_token(asked, values[limit - 1]) if len(values) > limit else None
