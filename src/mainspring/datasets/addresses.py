"""Where data lies, without the secrets that an address may carry."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

HIDDEN = "***"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_SECRET = re.compile(
    r"(?i)(pass(word|wd)?|pwd|secret|token|sig(nature)?|credential|auth|(^|[-_])key)"
)


def is_address(text: str) -> bool:
    """Whether it is a URL and not a path."""
    return _ADDRESS.match(text) is not None


def redacted_address(text: str) -> str:
    """The address without its password and without what signs or opens it."""
    if not is_address(text):
        return text
    scheme, _, rest = text.partition("://")
    head, mark, query = rest.partition("?")
    place, slash, path = head.partition("/")
    if "@" in place:
        user, _, host = place.rpartition("@")
        name, colon, _ = user.partition(":")
        # A name alone may be a token: `https://TOKEN@host/`.
        place = f"{name}:{HIDDEN}@{host}" if colon and name else f"{HIDDEN}@{host}"
    asked = "&".join(_without_secret(one) for one in query.split("&"))
    return f"{scheme}://{place}{slash}{path}{mark}{asked}"


def _without_secret(asked: str) -> str:
    name, equals, _ = asked.partition("=")
    return f"{name}={HIDDEN}" if equals and _SECRET.search(unquote(name)) else asked


def address_of(path: Path) -> str:
    """A file's path as it is found from anywhere on its machine."""
    return str(path.absolute())
