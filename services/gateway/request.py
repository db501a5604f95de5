"""A GraphQL request as it comes over HTTP (GraphQL over HTTP, section 5.4): a POST of one JSON object.

Only `application/json` is read. No form of another site can send that without asking first (CORS), so a cookie alone
never lets another site act for its owner. Nothing here knows the schema.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from services.errors import InvalidError

# The same bound that PostgreSQL's column for it has room for; longer ones are refused before they travel.
MAX_IDEMPOTENCY_KEY: Final = 255

# A name, an IPv4 address or an IPv6 one in brackets, and perhaps a port (RFC 9110, section 7.2).
_HOST: Final = re.compile(r"([A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")


class GraphQLRequest(msgspec.Struct, frozen=True, rename="camel"):
    """What the body holds; members that are not named here are ignored, as the specification asks."""

    query: str
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


class Headers(msgspec.Struct, frozen=True):
    """The headers that matter here, each as the client sent it."""

    content_type: str = ""
    content_length: int | None = None
    content_encoding: str = ""
    authorization: str | None = None
    host: str = ""
    forwarded_proto: str = ""
    cookies: str = ""
    idempotency_key: str = ""
    traceparent: str = ""


_decoder: Final = msgspec.json.Decoder(GraphQLRequest)
_NAMES: Final = {
    b"content-type": "content_type",
    b"content-encoding": "content_encoding",
    b"authorization": "authorization",
    b"host": "host",
    b"x-forwarded-proto": "forwarded_proto",
    b"cookie": "cookies",
    b"idempotency-key": "idempotency_key",
    b"traceparent": "traceparent",
}


def read_headers(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Answers the headers of an ASGI scope; raises InvalidError when the length is not a number."""
    found: dict[str, Any] = {}
    for name, value in headers:
        key = _NAMES.get(name)
        if key == "cookies" and key in found:
            # HTTP/2 may split the header (RFC 9113, section 8.2.3).
            found[key] += "; " + value.decode("latin-1")
        elif key:
            found[key] = value.decode("latin-1")
        elif name == b"content-length":
            found["content_length"] = _length(value)
    return Headers(**found)


def check_headers(headers: Headers) -> None:
    """Raises InvalidError when the body is not said to be plain JSON, or the idempotency key is too long."""
    media_type, _, parameters = headers.content_type.partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if media_type.strip().lower() != "application/json" or charset not in ("", "utf-8"):
        raise InvalidError("Send the request as application/json in UTF-8.")
    if headers.content_encoding not in ("", "identity"):
        raise InvalidError("Send the request uncompressed.")
    if len(headers.idempotency_key) > MAX_IDEMPOTENCY_KEY:
        raise InvalidError(f"The Idempotency-Key is longer than {MAX_IDEMPOTENCY_KEY} characters.")


def origin_of(headers: Headers) -> str:
    """Answers where the client reached the platform, such as "https://shop.example"; raises InvalidError if unclear.

    The gateway itself speaks plain HTTP, so TLS is what the proxy in front of it says of the client's connection.
    """
    if not _HOST.fullmatch(headers.host):
        raise InvalidError("The Host header does not name a host.")
    nearest_the_client = headers.forwarded_proto.partition(",")[0].strip().lower()
    return f"{'https' if nearest_the_client == 'https' else 'http'}://{headers.host.lower()}"


def read_body(body: bytes | bytearray) -> GraphQLRequest:
    """Answers the request in the body; raises InvalidError with what is wrong with it."""
    if body.lstrip()[:1] == b"[":
        raise InvalidError("Send one operation a request: batches are not supported.")
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidError(f"The request is not a GraphQL request: {error}.") from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        # ValueError: text that is not UTF-8, and numbers of thousands of digits.
        raise InvalidError("The body is not JSON.") from None


def _length(value: bytes) -> int:
    try:
        return int(value)
    except ValueError:
        raise InvalidError("The Content-Length is not a number.") from None
