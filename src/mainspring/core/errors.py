"""Every error Mainspring raises on purpose, on one page.

    MainspringError          something went wrong that we can explain
    ├── Invalid         400  the request breaks a rule that is written down; `field` names where
    ├── TooLarge        413  the request is larger than a documented limit
    ├── Unauthenticated 401  no token, or one the server does not know
    ├── Forbidden       403  a known actor without the permission
    ├── NotFound        404  the thing named does not exist in this workspace
    ├── Conflict        409  the thing is in a state that does not allow this
    ├── Blocked         422  a gate, a policy or a four-eyes rule says no; `reasons` lists why
    ├── Throttled       429  too many sign-ins at once, or too many that failed; later is fine
    ├── Unavailable     503  a part that is needed is not running, or an extra is not installed
    ├── Unreachable     ---  the client could not talk to the server at all
    └── Corrupt         500  stored bytes are no longer what their digest names

Callers switch on `code`. A message names the thing, what was found, what was wanted; `fix` says what
to do next. The codes are stable and documented in docs/errors.md.
"""

from __future__ import annotations

from collections.abc import Sequence


class MainspringError(Exception):
    """The base of all; never raised itself."""

    code = "MS-1000"
    name = "error"
    status = 500
    exit_code = 1
    retry_after_s: int | None = None
    """When to ask again, if that is known."""

    def __init__(
        self,
        message: str,
        reasons: Sequence[str] = (),
        *,
        field: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reasons = list(reasons)
        self.field = field
        self.fix = fix

    def as_json(self) -> dict[str, object]:
        """The error as it crosses a process boundary."""
        return {
            "error": self.name,
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "reasons": self.reasons,
            "fix": self.fix,
        }


class Invalid(MainspringError):
    """When the request breaks a rule that is written down."""

    code, name, status, exit_code = "MS-1001", "invalid", 400, 2


class TooLarge(MainspringError):
    """When the request is larger than a documented limit."""

    code, name, status, exit_code = "MS-1002", "too_large", 413, 2


class Unauthenticated(MainspringError):
    """When there is no token, or one that the server does not know."""

    code, name, status, exit_code = "MS-1003", "unauthenticated", 401, 5


class Forbidden(MainspringError):
    """When a known actor lacks the permission."""

    code, name, status, exit_code = "MS-1004", "forbidden", 403, 5


class NotFound(MainspringError):
    """When the thing named does not exist in this workspace."""

    code, name, status, exit_code = "MS-1005", "not_found", 404, 4


class Conflict(MainspringError):
    """When the thing is in a state that does not allow this."""

    code, name, status, exit_code = "MS-1006", "conflict", 409, 6


class Blocked(MainspringError):
    """When a gate, a policy or a four-eyes rule says no."""

    code, name, status, exit_code = "MS-1007", "blocked", 422, 3


class Unavailable(MainspringError):
    """When a part that is needed is not running, or an extra is not installed."""

    code, name, status, exit_code = "MS-1008", "unavailable", 503, 7


class Unreachable(MainspringError):
    """When the client could not talk to the server at all."""

    code, name, status, exit_code = "MS-1009", "unreachable", 503, 7


class Corrupt(MainspringError):
    """When stored bytes are no longer what their digest names."""

    code, name, status, exit_code = "MS-1010", "corrupt", 500, 1


class Throttled(MainspringError):
    """When too many sign-ins come at once, or too many of them failed."""

    code, name, status, exit_code = "MS-1011", "throttled", 429, 7

    def __init__(
        self,
        message: str,
        reasons: Sequence[str] = (),
        *,
        field: str | None = None,
        fix: str | None = None,
        retry_after_s: int = 1,
    ) -> None:
        fix = fix or f"try again in {retry_after_s} s"
        super().__init__(message, reasons, field=field, fix=fix)
        self.retry_after_s = retry_after_s


KINDS: tuple[type[MainspringError], ...] = (
    Invalid,
    TooLarge,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    Blocked,
    Unavailable,
    Unreachable,
    Corrupt,
    Throttled,
)


def from_json(status: int, body: object) -> MainspringError:
    """Rebuild the error that a server sent, so that both clients raise the same class."""
    if isinstance(body, dict):
        kind = next((kind for kind in KINDS if kind.name == body.get("error")), None)
        if kind is not None:
            return kind(
                str(body.get("message", "")),
                [str(reason) for reason in body.get("reasons") or ()],
                field=body.get("field"),
                fix=body.get("fix"),
            )
    return MainspringError(f"the server answered {status} with a body this client does not know")
