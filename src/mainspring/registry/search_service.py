"""Searches of models and versions are answered."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.core.filters import parse_filter
from mainspring.core.keyset import Values, read_token, write_token
from mainspring.core.operation import Page
from mainspring.core.order import parse_order
from mainspring.core.work import Work, performs
from mainspring.registry import search_contract
from mainspring.registry.search_contract import FoundModel, FoundVersion
from mainspring.registry.search_grammar import MODELS, VERSIONS
from mainspring.registry.search_store import RegistrySearchStore


@performs(search_contract.search_models)
def search_models(work: Work, request: search_contract.SearchModels) -> Page[FoundModel]:
    """A page of models."""
    store = RegistrySearchStore(work.connection, work.workspace_id, work.actor.models)
    slots = store.model_slots(parse_order(request.order_by, MODELS))
    comparisons = parse_filter(request.filter, MODELS)
    asked = _asked(request)
    after = None if request.after is None else read_token(request.after, asked, slots)
    found = store.models(request.kind, comparisons, slots, after, request.limit + 1)
    return Page(
        items=store.found_models([key for key, _ in found[: request.limit]]),
        next=_next(asked, [values for _, values in found], request.limit),
    )


@performs(search_contract.search_versions)
def search_versions(work: Work, request: search_contract.SearchVersions) -> Page[FoundVersion]:
    """A page of versions."""
    store = RegistrySearchStore(work.connection, work.workspace_id, work.actor.models)
    slots = store.version_slots(parse_order(request.order_by, VERSIONS))
    comparisons = parse_filter(request.filter, VERSIONS)
    asked = _asked(request)
    after = None if request.after is None else read_token(request.after, asked, slots)
    found = store.versions(request.kind, comparisons, slots, after, request.limit + 1)
    return Page(
        items=store.found_versions([key for key, _ in found[: request.limit]]),
        next=_next(asked, [values for _, values in found], request.limit),
    )


def _asked(
    request: search_contract.SearchModels | search_contract.SearchVersions,
) -> dict[str, object]:
    """The parts of a question that a token belongs to, by the words for what does not match."""
    return {"Kind": request.kind, "Filter string": request.filter, "Order by": request.order_by}


def _next(asked: dict[str, object], values: Sequence[Values], limit: int) -> str | None:
    """The token of the next page: one row more than shown was looked for, to know of it."""
    return write_token(asked, values[limit - 1]) if len(values) > limit else None
