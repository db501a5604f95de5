"""A GraphQL request as it comes over HTTP (GraphQL over HTTP, sections 5.3 and 5.4): by GET or by POST.

Of a POST only `application/json` is read. No form of another site can send that without asking first (CORS), so a
cookie alone never lets another site act for its owner. A GET can come from any link, so it does not count as sent by
the cookie's owner at all. Nothing here knows the schema.
"""

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from services.errors import InvalidError

# The same bound that PostgreSQL's column for it has room for; longer ones are refused before they travel.
MAX_IDEMPOTENCY_KEY: Final = 255

# Parameters of a query string: the four that are known, and room for a client's own.
MAX_PARAMETERS: Final = 16

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
    accept_encoding: str = ""
    if_none_match: str = ""


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
    b"accept-encoding": "accept_encoding",
    b"if-none-match": "if_none_match",
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
    if headers.content_type != "application/json" and not _is_plain_json(headers.content_type):
        raise InvalidError("Send the request as application/json in UTF-8.")
    if headers.content_encoding not in ("", "identity"):
        raise InvalidError("Send the request uncompressed.")
    if len(headers.idempotency_key) > MAX_IDEMPOTENCY_KEY:
        raise InvalidError(f"The Idempotency-Key is longer than {MAX_IDEMPOTENCY_KEY} characters.")


def _is_plain_json(content_type: str) -> bool:
    media_type, _, parameters = content_type.partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    return media_type.strip().lower() == "application/json" and charset in ("", "utf-8")


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


def read_query_string(text: bytes) -> GraphQLRequest:
    """Answers the request in a GET's query string; raises InvalidError with what is wrong with it."""
    try:
        members = parse_qsl(
            text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        raise InvalidError("The query string cannot be read.") from None
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise InvalidError("The query string gives a parameter twice.")
        found[name] = _parameter(name, value)
    try:
        return msgspec.convert(found, GraphQLRequest)
    except msgspec.ValidationError as error:
        raise InvalidError(f"The request is not a GraphQL request: {error}.") from None


def _parameter(name: str, value: str) -> Any:
    """Maps are written as JSON; an empty name of an operation is none (section 5.3.1)."""
    if name == "operationName":
        return value or None
    if name not in ("variables", "extensions"):
        return value
    try:
        return msgspec.json.decode(value) if value else None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise InvalidError(f"The parameter {name} is not JSON.") from None


def _length(value: bytes) -> int:
    try:
        return int(value)
    except ValueError:
        raise InvalidError("The Content-Length is not a number.") from None
