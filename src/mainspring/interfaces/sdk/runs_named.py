"""The runs that people mean: by an id, by the beginning of one, or by a name."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

from mainspring.core.errors import Invalid, NotFound
from mainspring.core.operation import Client
from mainspring.tracking import search_contract
from mainspring.tracking.search_contract import FoundRun, SearchRuns

LEAST = 4
"""Characters of an id that are worth looking for."""
TOLD = 3
"""Runs that are named when a word means more than one."""


def run_named(client: Client, text: str, *, deleted: bool = False) -> str:
    """The id of the one run that is meant; of an active and a deleted one, that which is wanted."""
    if re.fullmatch(r"[0-9a-f]{32}", text):
        return text
    if re.fullmatch(rf"[0-9a-f]{{{LEAST},31}}", text):
        found = _found(client, f"run_id LIKE '{text}%'")
        if found:
            return _only(found, text, "type more of it", deleted=deleted)
    found = _called(client, text)
    if found:
        return _only(found, text, "name it by its id", deleted=deleted)
    raise NotFound(
        f"no run has the name {text!r}, or an id that begins so",
        field="run",
        fix="mainspring runs list shows names and ids; of an id, 4 characters are enough",
    )


def runs_named(client: Client, texts: Sequence[str], *, deleted: bool = False) -> list[str]:
    """The ids of several runs, each once, in their order."""
    return list(dict.fromkeys(run_named(client, text, deleted=deleted) for text in texts))


def _called(client: Client, text: str) -> list[FoundRun]:
    # No literal of the grammar holds both kinds of quotes: such a run is named by its id.
    quote = next((mark for mark in "'\"" if mark not in text), None)
    if quote is None or not text or "\x00" in text:
        return []
    return _found(client, f"run_name = {quote}{text}{quote}")


def _found(client: Client, filter_text: str) -> list[FoundRun]:
    request = SearchRuns(filter=filter_text, view="all", limit=TOLD + 1)
    return client.call(search_contract.search_runs, request).items


def _only(found: Sequence[FoundRun], text: str, fix: str, *, deleted: bool) -> str:
    if len(found) == 1:
        return found[0].id
    here = [run for run in found if run.deleted is deleted]
    if len(here) == 1 and len(found) <= TOLD:
        return here[0].id
    told = " or ".join(map(_told, found[:TOLD]))
    more = " or another" if len(found) > TOLD else ""
    raise Invalid(f"run {text!r} may be {told}{more}", field="run", fix=fix)


def _told(run: FoundRun) -> str:
    deleted = ", deleted" if run.deleted else ""
    began = f"{run.started_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"{run.id[:12]} ({run.name!r}, {run.status}{deleted}, {began})"
