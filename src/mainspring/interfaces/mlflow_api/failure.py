"""Errors as MLflow's clients know them: a code, a message, a status."""

from __future__ import annotations

import json

from mainspring.core import errors

STATUS = {
    "BAD_REQUEST": 400,
    "INVALID_PARAMETER_VALUE": 400,
    "RESOURCE_ALREADY_EXISTS": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "NOT_FOUND": 404,
    "ENDPOINT_NOT_FOUND": 404,
    "RESOURCE_CONFLICT": 409,
    "REQUEST_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
    "INVALID_STATE": 500,
    "NOT_IMPLEMENTED": 501,
    "TEMPORARILY_UNAVAILABLE": 503,
}
CODES: tuple[tuple[type[errors.MainspringError], str], ...] = (
    (errors.Invalid, "INVALID_PARAMETER_VALUE"),
    (errors.Unauthenticated, "UNAUTHENTICATED"),
    (errors.Forbidden, "PERMISSION_DENIED"),
    (errors.Blocked, "PERMISSION_DENIED"),
    (errors.NotFound, "RESOURCE_DOES_NOT_EXIST"),
    (errors.Conflict, "INVALID_PARAMETER_VALUE"),
    (errors.TooLarge, "INVALID_PARAMETER_VALUE"),
    (errors.Throttled, "REQUEST_LIMIT_EXCEEDED"),
    (errors.Unavailable, "TEMPORARILY_UNAVAILABLE"),
)


class MlflowError(Exception):
    """An answer that MLflow's clients understand as a refusal."""

    def __init__(self, message: str, code: str = "INVALID_PARAMETER_VALUE") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.retry_after_s: int | None = None

    @property
    def status(self) -> int:
        """The HTTP status that MLflow gives this code."""
        return STATUS[self.code]

    def body(self) -> bytes:
        """The error as JSON."""
        return json.dumps({"error_code": self.code, "message": self.message}).encode()


def translated(error: errors.MainspringError) -> MlflowError:
    """Our error in MLflow's code; the way out follows the message."""
    code = next((code for kind, code in CODES if isinstance(error, kind)), "INTERNAL_ERROR")
    text = f"{error.message} ({error.fix})" if error.fix else error.message
    refusal = MlflowError(text, code)
    refusal.retry_after_s = error.retry_after_s
    return refusal


def already_exists(message: str) -> MlflowError:
    """A name that is taken: 400 and not 409, which clients depend on."""
    return MlflowError(message, "RESOURCE_ALREADY_EXISTS")


def not_found(message: str) -> MlflowError:
    """Something that is not here."""
    return MlflowError(message, "RESOURCE_DOES_NOT_EXIST")


def missing_value(parameter: str) -> MlflowError:
    """A parameter that has to be given."""
    return MlflowError(f"Missing value for required parameter '{parameter}'.{SEE}")


def invalid_value(parameter: str, value: object, hint: str = "") -> MlflowError:
    """A parameter whose value will not do; the value is shown as JSON, shortened."""
    shown = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    if len(shown) > 1000:
        shown = f"{shown[:1000]}..."
    return MlflowError(f"Invalid value {shown} for parameter '{parameter}' supplied{hint or '.'}")


SEE = " See the API docs for more information about request parameters."
