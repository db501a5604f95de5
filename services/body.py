"""Reading a request's body, never more of it than a request may have.

A length that is said beforehand is believed when it is too large; otherwise the bytes are counted as they come.
"""

import asyncio
import contextlib
from typing import Any, Final, cast

from litestar.types import Receive

from services.errors import InvalidError

# How much of a body that is too large is read and thrown away, and for how long, so that its sender gets to read the
# answer instead of a broken connection.
LINGER_BYTES: Final = 32 * 1024 * 1024
LINGER_SECONDS: Final = 2.0


class TooLargeError(InvalidError):
    """The body is above its limit."""

    status = 413


async def receive_body(content_length: int | None, receive: Receive, limit: int) -> bytes | bytearray:
    """Answers the body; raises TooLargeError as soon as it is known to pass the limit.

    `content_length` is what the header says, or None without one. Raises InvalidError when the client went away.
    """
    if content_length is not None and content_length > limit:
        raise _too_large(limit)
    message = cast("dict[str, Any]", await receive())
    body = message.get("body", b"")
    if message.get("more_body"):
        body = bytearray(body)
        while message.get("more_body") and len(body) <= limit:
            message = cast("dict[str, Any]", await receive())
            body += message.get("body", b"")
    if len(body) > limit:
        raise _too_large(limit)
    if message["type"] == "http.disconnect":
        raise InvalidError("The request ended before its body.")
    return cast("bytes | bytearray", body)


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The request is larger than {limit} bytes.")


async def linger(receive: Receive) -> None:
    """Reads on after the answer, within bounds: closing while the client still writes would take the answer away."""
    left, more = LINGER_BYTES, True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while more and left > 0:
                message = cast("dict[str, Any]", await receive())
                left -= len(message.get("body", b""))
                more = bool(message.get("more_body"))
