"""The client's side: betterproto2's stubs over one kept grpc.aio connection."""

import asyncio
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Self, TypeVar, cast

import betterproto2
import grpc
import structlog
from betterproto2.grpclib import ServiceStub
from opentelemetry.trace import SpanKind

from services import codec
from services.errors import EcommerceError, InternalError, InvalidError, UnavailableError
from services.rpc import context, options
from services.rpc.statuses import CODE_KEY, HIDDEN, error_of

log = structlog.get_logger(__name__)

S = TypeVar("S", bound=ServiceStub)
M = TypeVar("M", bound=betterproto2.Message)


@dataclass(frozen=True, slots=True)
class _Route:
    """What the calls of one method have in common; `service` is without its package: what a person may be told."""

    name: str
    service: str
    spans: context.Spans
    multicallable: Any


class Channel:
    """One kept connection to the service at `address` ("host:port"), made at the first call, made again when lost.

    `timeout` is the longest that one call may take, in seconds; a call made while another is handled gets what that
    one has left, if it is less. Calls raise the errors of services/errors.py: UnavailableError when there is no
    connection or no answer in time. Nothing is sent twice, as a call without an answer may have been carried out.
    """

    def __init__(self, address: str, *, timeout: float = 5.0) -> None:
        self._address = address
        self._timeout = timeout
        self._channel: grpc.aio.Channel | None = None
        self._routes: dict[str, _Route] = {}
        self._closed = False

    def stub(self, stub: type[S]) -> S:
        """Answers a generated stub whose calls go through this channel."""
        return cast("S", _over_aio(stub)(self))

    async def close(self) -> None:
        """Ends the connection; calls under way end with UnavailableError."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def call(
        self, route: str, request: betterproto2.Message, reply_type: type[M], seconds: float, metadata: context.Metadata
    ) -> M:
        """Makes one call; `seconds` can only shorten the channel's timeout. The stubs' way in."""
        known = self._route(route)
        payload = _payload(request)
        with known.spans.open():
            reply = await self._send(known, payload, self._seconds(seconds, known), metadata)
        try:
            return codec.decode(reply_type, reply)
        except codec.DecodeError as error:
            log.exception("a reply cannot be read", route=route, address=self._address)
            raise InternalError(HIDDEN) from error

    async def _send(self, route: _Route, payload: bytes, seconds: float, metadata: context.Metadata) -> bytes:
        if self._closed:
            raise UnavailableError(f"{route.service} does not answer now.")
        metadata = (*metadata, *context.outgoing())
        try:
            return cast("bytes", await route.multicallable(payload, timeout=seconds, metadata=metadata))
        except grpc.aio.AioRpcError as error:
            raise self._translated(error, route) from error
        except asyncio.CancelledError:
            # Closing the channel cancels its calls in a way that looks as if the task itself were cancelled.
            task = asyncio.current_task()
            if self._closed and task is not None and not task.cancelling():
                raise UnavailableError(f"{route.service} does not answer now.") from None
            raise

    def _route(self, name: str) -> _Route:
        known = self._routes.get(name)
        return self._new_route(name) if known is None else known

    def _new_route(self, name: str) -> _Route:
        package_and_service, _, method = name[1:].partition("/")
        service = package_and_service.rpartition(".")[2]
        if self._closed:
            raise UnavailableError(f"{service} does not answer now.")
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self._address, options=options.CLIENT)
        spans = context.Spans.of(package_and_service, method, SpanKind.CLIENT)
        route = self._routes[name] = _Route(name, service, spans, self._channel.unary_unary(name))
        return route

    def _seconds(self, seconds: float, route: _Route) -> float:
        left = context.seconds_left()
        seconds = min(seconds, self._timeout) if left is None else min(seconds, self._timeout, left)
        if seconds <= 0:
            raise UnavailableError(f"No time is left to ask {route.service}.")
        return seconds

    def _translated(self, error: grpc.aio.AioRpcError, route: _Route) -> EcommerceError:
        named = next((str(value) for key, value in error.trailing_metadata() if key == CODE_KEY), None)
        if named is None:
            code, details = error.code().name, error.details()
            log.warning("a call failed", route=route.name, address=self._address, code=code, details=details)
        return error_of(error.code(), error.details(), named, route.service)


def _payload(request: betterproto2.Message) -> bytes:
    try:
        payload = codec.encode(request)
    except codec.EncodeError as error:
        raise InvalidError(f"{error.field} does not fit its type.") from error
    if len(payload) > options.MAX_MESSAGE:
        raise InvalidError("The request is too large.")
    return payload


class _OverAio:
    """Overrides the methods by which a generated stub makes its calls."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    async def _unary_unary(  # noqa: PLR0913 # betterproto2's signature
        self,
        route: str,
        request: betterproto2.Message,
        response_type: type[M],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 # betterproto2's signature
        deadline: object = None,
        metadata: Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]] | None = None,
    ) -> M:
        if deadline is not None:
            raise TypeError("A deadline of grpclib's is not understood here: give a timeout.")
        pairs = metadata.items() if isinstance(metadata, Mapping) else metadata or ()
        seconds = float("inf") if timeout is None else timeout
        return await self.channel.call(route, request, response_type, seconds, tuple(pairs))

    def _refuse(self, route: str, *_: object, **__: object) -> NoReturn:
        raise TypeError(f"{route} streams; only unary methods are called.")

    _unary_stream = _stream_unary = _stream_stream = _refuse


@functools.cache
def _over_aio(stub: type[ServiceStub]) -> type[Any]:
    return type(stub.__name__, (_OverAio, stub), {})
