"""MLflow's rules for names and sizes, in its words: clients and their tests match on them."""

from __future__ import annotations

import math
import posixpath
import re
from functools import lru_cache

from mainspring.interfaces.mlflow_api.failure import MlflowError, invalid_value, missing_value

KEY_LENGTH = 250
PARAM_LENGTH = 6000
TAG_LENGTH = 8000
MAX_METRICS = 1000
MAX_PARAMS_AND_TAGS = 100
MAX_ENTITIES = 1000
MAX_BATCH_BYTES = 1_000_000
LAST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999, beyond which no calendar of ours goes."""
INT64 = 2**63

_NAME = re.compile(r"[/\w.\- :]*")
_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")


@lru_cache(maxsize=4096)
def _fault(name: str) -> str | None:
    if _NAME.fullmatch(name) is None:
        return (
            "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.),"
            " spaces ( ), colon(:) and slashes (/)."
        )
    plain = posixpath.normpath(name)
    if plain != name or plain == "." or plain.startswith(("..", "/")):
        return (
            "Names may be treated as files in certain cases, and must not resolve to other names "
            f"when treated as such. This name would resolve to {plain!r}"
        )
    return None


def check_key(key: str, path: str, title: str) -> None:
    """Refuse a key of a metric, a parameter or a tag that MLflow refuses."""
    fault = _fault(key)
    if fault is not None:
        raise invalid_value(path, key, f": {fault}")
    if len(key) > KEY_LENGTH:
        raise too_long(title, KEY_LENGTH)


def too_long(title: str, limit: int) -> MlflowError:
    """The error for a text over its limit."""
    return MlflowError(f"'{title}' exceeds the maximum length of {limit} characters")


def check_run_id(run_id: str) -> None:
    """Refuse what cannot be a run's id."""
    if _RUN_ID.fullmatch(run_id) is None:
        raise invalid_value("run_id", run_id)


def number_of(value: float | str | None, path: str) -> float:
    """A metric's value: a number, or a text that says one (NaN, Infinity)."""
    if value is None or value == "":
        raise missing_value(path)
    try:
        return float(value)
    except (ValueError, OverflowError):
        hint = f":  Hint: Value was of type '{type(value).__name__}'."
        raise invalid_value(path, value, hint) from None


def check_moment(timestamp: int, path: str) -> None:
    """Refuse times before 1970 and after 9999."""
    if not 0 <= timestamp <= LAST_MS:
        raise invalid_value(
            path,
            timestamp,
            ": Timestamp must be a nonnegative long (64-bit integer) of milliseconds",
        )


def check_step(step: int, path: str) -> None:
    """Refuse steps that are no 64-bit integers."""
    if not -INT64 < step < INT64:
        raise invalid_value(path, step, ": Step must be a valid long (64-bit integer).")


def check_sizes(metrics: int, params: int, tags: int) -> None:
    """Refuse a batch with more entries than MLflow takes."""
    for count, limit, what in (
        (metrics, MAX_METRICS, "metrics"),
        (params, MAX_PARAMS_AND_TAGS, "params"),
        (tags, MAX_PARAMS_AND_TAGS, "tags"),
        (metrics + params + tags, MAX_ENTITIES, "metrics, params, and tags"),
    ):
        if count > limit:
            raise MlflowError(
                f"A batch logging request can contain at most {limit} {what}. Got {count} {what}. "
                f"Please split up {what} across multiple requests and try again."
            )


def plain_text(value: str, path: str) -> str:
    """A text without NUL, which no database of ours keeps."""
    if "\x00" in value:
        raise invalid_value(path, value, ": Values must not contain the character NUL.")
    return value


def wire_number(value: float | str) -> float | str:
    """A number as MLflow's JSON says it."""
    if isinstance(value, str) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
