"""What may be asked about the sessions of browsers: begun by a password or a token, ended by its person."""

from __future__ import annotations

import datetime as dt

import msgspec

from mainspring.administration.contract import NamePerson, Nothing
from mainspring.core.operation import Done, Operation


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session just begun. The secret goes into the cookie and is kept only as a hash."""

    name: str
    workspace: str
    secret: str
    recorded_at: dt.datetime
    expires_at: dt.datetime


open_session = Operation(
    "sessions.open", "POST", "/sessions", Nothing, NewSession,
    allow="read", summary="Sign a browser in as whoever asks.",
    decision=True, secret=True, inside=True, filtered=True,
)  # fmt: skip
end_session = Operation(
    "sessions.end", "DELETE", "/sessions", Nothing, Done,
    allow="read", summary="Sign the browser that asks out.", decision=True, inside=True,
    filtered=True,
)  # fmt: skip
sign_out = Operation(
    "people.sign-out", "POST", "/people/{name}/sign-out", NamePerson, Done,
    allow="admin", summary="End all sessions of a person's browsers.", decision=True,
)  # fmt: skip
