"""What travels with a call: who makes it, how long it may take, and the trace it belongs to.

The server sets these context variables in the task that handles a call; calls made from there read them. A task that
a handler leaves behind inherits them: after the deadline it can call nobody.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Self

from opentelemetry.trace import Span, SpanKind

from services import telemetry
from services.errors import UnauthenticatedError
from services.tokens import MAX_TOKEN_LENGTH, Identity

Metadata = tuple[tuple[str, str | bytes], ...]

_AUTHORIZATION: Final = "authorization"

_caller: ContextVar[Identity | None] = ContextVar("caller", default=None)
_token: ContextVar[str | None] = ContextVar("token", default=None)
# On the clock of asyncio's loop.
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def caller() -> Identity | None:
    """Answers who makes the call that is being handled; None for nobody, and outside of a call."""
    return _caller.get()


@contextlib.contextmanager
def acting_as(token: str | None) -> Iterator[None]:
    """Sends this token with every call made inside, or none; raises UnauthenticatedError when it cannot be a token."""
    if token is not None and not (0 < len(token) <= MAX_TOKEN_LENGTH and token.isascii() and token.isprintable()):
        raise UnauthenticatedError("The token is not valid.")
    before = _token.set(token)
    try:
        yield
    finally:
        _token.reset(before)


def enter(identity: Identity | None, deadline: float | None) -> None:
    """Makes this task the one that handles a call of `identity`, until `deadline` on the loop's clock."""
    _caller.set(identity)
    _token.set(None if identity is None else identity.token)
    _deadline.set(deadline)


def seconds_left() -> float | None:
    """Answers what is left until the deadline of the call that is being handled; None where there is none."""
    deadline = _deadline.get()
    return None if deadline is None else deadline - asyncio.get_running_loop().time()


def bearer_token(metadata: Metadata) -> str | None:
    """Answers the token in a call's metadata; raises UnauthenticatedError for an authorization of another kind."""
    values = [value for key, value in metadata if key == _AUTHORIZATION]
    if not values:
        return None
    scheme, _, token = str(values[0]).partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer":
        raise UnauthenticatedError("The token is not valid.")
    return token


def outgoing() -> Metadata:
    """Answers the metadata that a call made now carries."""
    token = _token.get()
    trace = tuple(telemetry.inject().items())
    return trace if token is None else ((_AUTHORIZATION, f"Bearer {token}"), *trace)


@dataclass(frozen=True, slots=True)
class Spans:
    """Opens the spans of one method's calls on one side of them; made once, as they differ in nothing but the time."""

    name: str
    kind: SpanKind
    attributes: Mapping[str, str]

    @classmethod
    def of(cls, service: str, method: str, kind: SpanKind) -> Self:
        """Answers the spans of "package.Service" and "Method"."""
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
        return cls(f"{service}/{method}", kind, attributes)

    def open(self, incoming: Metadata | None = None) -> AbstractContextManager[Span]:
        """Opens a call's span, under the trace that the incoming metadata names if any are given."""
        parent = None
        if incoming is not None:
            parent = telemetry.extract({key: value for key, value in incoming if isinstance(value, str)})
        return telemetry.tracer.start_as_current_span(self.name, parent, self.kind, self.attributes)
