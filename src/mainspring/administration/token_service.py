"""Making API tokens: of people, and of the service accounts that people answer for."""

from __future__ import annotations

import datetime as dt
from typing import Any

from mainspring.administration.contract import CreateToken, NewToken
from mainspring.administration.credential_store import expiry, made_by
from mainspring.administration.roles import known_verb
from mainspring.administration.store import AdministrationStore
from mainspring.core.access import PERMISSIONS, new_token, token_hash
from mainspring.core.errors import Forbidden
from mainspring.core.ids import new_id
from mainspring.core.work import Work


def make_token(
    work: Work, store: AdministrationStore, principal: int, request: CreateToken
) -> NewToken:
    """Make a token that can do at most what its owner may, and not more than the one it is made with."""
    for verb in request.verbs or ():
        known_verb(verb)
    scopes = work.actor.scopes
    if scopes is not None and not set(request.verbs or PERMISSIONS) <= scopes:
        raise Forbidden(
            "a token that is limited makes no token that may do more",
            fix=f"limit it to some of: {', '.join(sorted(scopes))}",
        )
    public_id = new_id()
    secret = new_token(public_id)
    store.add_token(
        {
            "public_id": public_id,
            "principal_id": principal,
            "hash": token_hash(secret),
            "verbs": request.verbs,
            "models": request.models,
            "expires_at": _until(work, request.days),
            "recorded_at": work.now,
            "made_by": work.actor.key,
            **made_by(work.connection, work.actor, principal, work.now),
        }
    )
    limits: dict[str, Any] = {"verbs": request.verbs, "models": request.models}
    work.announce("token.created", ("token", public_id), owner=request.owner, **limits)
    return NewToken(id=public_id, owner=request.owner, token=secret)


def _until(work: Work, days: int | None) -> dt.datetime | None:
    """When it ends: as asked, and not after the token that it is made with."""
    asked = work.now + dt.timedelta(days=days) if days else None
    own = expiry(work.connection, work.actor)
    return min((one for one in (asked, own) if one is not None), default=None)
