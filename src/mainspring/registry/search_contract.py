"""What may be searched in the registry. The grammar is that of core/filters.py."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from mainspring.core.operation import Operation, Page, Request
from mainspring.registry.model import ModelKind
from mainspring.tracking.search_contract import Clauses, Filter, Token


class FoundVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version as it is listed: without its files."""

    model: str
    version: int
    stage: str
    digest: str | None
    run: str | None
    trained_model: str | None
    source: str
    run_link: str
    description: str
    registered_by: str
    aliases: list[str]
    tags: dict[str, str]
    recorded_at: dt.datetime
    updated_at: dt.datetime | None


class FoundModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model with its newest version in each stage."""

    name: str
    kind: ModelKind
    owner: str
    description: str
    aliases: dict[str, int]
    tags: dict[str, str]
    latest: list[FoundVersion]
    recorded_at: dt.datetime
    updated_at: dt.datetime | None


class SearchModels(Request, frozen=True, kw_only=True):
    """Models that fit a filter; without an order, by name."""

    filter: Filter = ""
    order_by: Clauses = []
    kind: ModelKind = "model"
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    after: Token | None = None
    """The token of the page before."""


class SearchVersions(Request, frozen=True, kw_only=True):
    """Versions that fit a filter; without an order, those that changed last come first."""

    filter: Filter = ""
    order_by: Clauses = []
    kind: ModelKind = "model"
    limit: Annotated[int, msgspec.Meta(ge=1, le=200_000)] = 100
    after: Token | None = None


search_models = Operation(
    "model.search", "GET", "/search/models", SearchModels, Page[FoundModel],
    allow="read", summary="Search models by name, time, tags.", filtered=True,
)  # fmt: skip
search_versions = Operation(
    "model.search-versions", "GET", "/search/versions", SearchVersions, Page[FoundVersion],
    allow="read", summary="Search versions by model, run, source, time, tags.", filtered=True,
)  # fmt: skip
