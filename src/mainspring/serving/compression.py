"""Compressed bodies: what came in is inflated up to a bound, what goes out is deflated if asked."""

from __future__ import annotations

import zlib

from mainspring.core.errors import Invalid, TooLarge

WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""The content codings that are understood, with zlib's word for their frame."""
BARE = -15
"""What some senders call deflate: the stream without its frame."""
FAST = 1
ANSWERED = ("gzip", "deflate")


def inflate(body: bytes, coding: str, most: int) -> bytes:
    """The plain body; it is refused as soon as it has grown beyond `most` bytes."""
    window = WINDOWS.get(coding)
    if window is None:
        raise Invalid(
            f"the content encoding {coding!r} is not supported",
            fix="send it plain, or as gzip or deflate",
        )
    if coding == "deflate" and not _framed(body):
        window = BARE
    inflater = zlib.decompressobj(window)
    try:
        plain = inflater.decompress(body, most + 1)
    except zlib.error as error:
        raise Invalid(f"the body is not valid {coding}: {error}") from None
    if len(plain) > most:
        raise TooLarge(f"the body is larger than {most} bytes once it is inflated")
    if not inflater.eof:
        raise Invalid(f"the body is not valid {coding}: it ends too early")
    if inflater.unused_data:
        # Many small members cost far more to read than to send.
        raise Invalid(f"the body is not valid {coding}: bytes follow its end")
    return plain


def deflate(body: bytes, coding: str) -> bytes:
    """The body in one of the codings that `accepted` answers."""
    deflater = zlib.compressobj(FAST, zlib.DEFLATED, WINDOWS[coding])
    return deflater.compress(body) + deflater.flush()


def accepted(accept: bytes | None) -> str | None:
    """The coding to answer in, by the Accept-Encoding of a caller; None is plain."""
    if not accept:
        return None
    listed: dict[str, bool] = {}
    for entry in accept.decode("latin-1").lower().split(","):
        name, _, quality = entry.partition(";")
        listed[name.strip()] = quality.replace(" ", "").rstrip("0.") != "q="
    others = listed.get("*")
    return next((coding for coding in ANSWERED if listed.get(coding, others)), None)


def _framed(body: bytes) -> bool:
    return len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
