"""The cookie of a browser that is signed in, and which pages may use it."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from mainspring.core.errors import Forbidden
from mainspring.interfaces.http.front import SAFE

NAME = "mainspring_session"
SECURE_NAME = f"__Host-{NAME}"
"""Under https: browsers take it from this host alone, so that none beside it can plant one."""


def secret_of(request: Request) -> str:
    """What is in the cookie; empty if there is none."""
    return request.cookies.get(SECURE_NAME) or request.cookies.get(NAME) or ""


def check_page(request: Request) -> None:
    """Refuse a cookie that a browser sends for a page of somebody else's.

    The front refuses foreign pages already, but takes those who say nothing for programs; programs have
    no cookie.
    """
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none"):
        raise _foreign(f"a page that is {site}", "Sec-Fetch-Site")
    if request.method in SAFE:
        return
    origin = request.headers.get("origin")
    page = origin if origin is not None else _origin_of(request.headers.get("referer", ""))
    host = request.headers.get("host", "").lower()
    if page.lower() not in (f"http://{host}", f"https://{host}"):
        raise _foreign(f"the page {page!r}" if page else "no page that says which it is", "Origin")


def keep(response: Response, request: Request, secret: str, seconds: int) -> None:
    """Give the browser its cookie; no seconds take it away."""
    secure = is_secure(request)
    text = f"{SECURE_NAME if secure else NAME}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict"
    response.headers["Set-Cookie"] = f"{text}; Secure" if secure else text
    response.headers["Cache-Control"] = "no-store"


def is_secure(request: Request) -> bool:
    """Whether the browser speaks https, if not with us then with the proxy before us."""
    page = request.headers.get("origin", "")
    return request.url.scheme == "https" or page.lower().startswith("https://")


def _origin_of(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _foreign(what: str, field: str) -> Forbidden:
    return Forbidden(
        f"the cookie was sent for {what}; it works for this server's own pages alone",
        field=field,
        fix="programs sign in with a token: Authorization: Bearer TOKEN",
    )
