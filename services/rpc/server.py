"""The server's side: betterproto2's service classes on grpc.aio, with health, reflection and a drain."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

import betterproto2
import grpc
import structlog
from betterproto2.grpclib import ServiceBase
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection
from grpclib.const import Cardinality
from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Histogram
from pydantic import Field
from pydantic_settings import BaseSettings

from services import codec
from services.errors import InvalidError
from services.rpc import context, options
from services.rpc.health import Health, Readiness
from services.rpc.statuses import Status, status_of
from services.rpc.time_limit import TimeLimit
from services.tokens import Identity, Verifier

log = structlog.get_logger(__name__)

# Calls of health checks and reflection that may run beside a full server: probes must not fail because it is busy.
SPARE_CALLS: Final = 64
# Seconds that connections get to close once the last call is answered: the streams of health watchers never end.
LINGER: Final = 1.0

_LABELS: Final = ("grpc_service", "grpc_method", "grpc_code")
_TOO_LONG: Final = Status(grpc.StatusCode.DEADLINE_EXCEEDED, "The call took too long.")
_handled = Counter("grpc_server_handled", "Calls answered, by how they ended.", _LABELS)
_handling_seconds = Histogram("grpc_server_handling_seconds", "Time to answer a call.", _LABELS)


@dataclass(frozen=True)
class ServerSettings:
    """Where to listen (port 0 takes a free one) and how much to take on; times in seconds."""

    host: str
    port: int
    # Calls under way at once; more are refused with RESOURCE_EXHAUSTED.
    max_concurrent: int = 256
    # How long calls under way may go on when the server stops.
    drain_seconds: float = 20
    # The longest that a call may take, also when its caller would wait longer.
    default_deadline: float = 10


class GrpcSettings(BaseSettings):
    """What a process that serves gRPC takes from its environment."""

    grpc_host: str = "0.0.0.0"  # noqa: S104 a pod's port is reached from outside of it
    grpc_port: int = Field(default=8080, ge=0, le=65535)

    @property
    def server(self) -> ServerSettings:
        """Where its server listens."""
        return ServerSettings(self.grpc_host, self.grpc_port)


@dataclass(frozen=True, slots=True)
class _Method:
    """One method of a service: its name in two parts, what handles it, the class of its requests, and its spans."""

    service: str
    name: str
    handle: Callable[[Any], Awaitable[None]]
    request_type: type[betterproto2.Message]
    spans: context.Spans


class Server:
    """Serves betterproto2 service implementations, with health and reflection.

    `verifier` checks the token of a call before its handler runs; without one, nobody is ever the caller.
    `readiness` answers the names of what is missing for the service to work; health checks tell of it (health.py).
    """

    def __init__(
        self,
        settings: ServerSettings,
        *implementations: ServiceBase,
        verifier: Verifier | None,
        readiness: Readiness | None = None,
    ) -> None:
        self.port = settings.port
        self._settings = settings
        self._methods = [method for one in implementations for method in _methods_of(one)]
        self.service_names = sorted({method.service for method in self._methods})
        self._verifier = verifier
        self._health = Health(self.service_names, readiness)
        self._server: grpc.aio.Server | None = None
        self._watching: asyncio.Task[None] | None = None
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self) -> None:
        """Listens; `port` is then the bound one. Raises OSError when the address cannot be had."""
        limit = self._settings.max_concurrent + SPARE_CALLS
        self._server = grpc.aio.server(options=options.SERVER, maximum_concurrent_rpcs=limit)
        self._add_services(self._server)
        self.port = _listen(self._server, self._settings)
        await self._health.run_once()
        await self._server.start()
        self._watching = asyncio.create_task(self._health.run(), name="health")
        log.info("serving", host=self._settings.host, port=self.port, services=self.service_names)

    async def stop(self) -> None:
        """Says NOT_SERVING, takes no new call, waits for those under way (at most `drain_seconds`), and closes."""
        if self._server is None or self._watching is None:
            return
        await self._health.enter_graceful_shutdown()
        self._watching.cancel()
        log.info("draining", calls=self._in_flight)
        draining = asyncio.create_task(self._server.stop(self._settings.drain_seconds))
        idle = asyncio.create_task(self._idle.wait())
        await asyncio.wait([draining, idle], return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        await asyncio.wait([draining], timeout=LINGER)
        await self._server.stop(0)
        await draining
        log.info("stopped")

    def _add_services(self, server: grpc.aio.Server) -> None:
        for service in self.service_names:
            handlers: dict[str, Any] = {
                method.name: grpc.unary_unary_rpc_method_handler(functools.partial(self._serve, method))
                for method in self._methods
                if method.service == service
            }
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection([*self.service_names, HEALTH, reflection.SERVICE_NAME], server)

    async def _serve(self, method: _Method, payload: bytes, call: Any) -> bytes:
        """Answers one call: the reply's bytes, or the call ends with a status."""
        started = time.perf_counter()
        metadata = call.invocation_metadata() or ()
        code = grpc.StatusCode.CANCELLED
        try:
            with method.spans.open(metadata) as span:
                answer = await self._answer(method, payload, metadata, call)
                code = answer.code if isinstance(answer, Status) else grpc.StatusCode.OK
                span.set_attribute("rpc.grpc.status_code", code.value[0])
        finally:
            handled, seconds = _metrics(method.service, method.name, code)
            handled.inc()
            seconds.observe(time.perf_counter() - started)
        if isinstance(answer, Status):
            return cast("NoReturn", await call.abort(answer.code, answer.details, answer.trailing_metadata))
        return answer

    async def _answer(self, method: _Method, payload: bytes, metadata: context.Metadata, call: Any) -> bytes | Status:
        """Answers the reply's bytes, or what the call ends with instead; counts the call until that is sent."""
        if self._in_flight >= self._settings.max_concurrent:
            return Status(grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many calls at once.")
        self._in_flight += 1
        self._idle.clear()
        call.add_done_callback(self._leave)
        limit = TimeLimit(self._seconds(call))
        try:
            # The deadline is not yet that of the context: a fetch of public keys serves others too.
            context.enter(await self._identify(metadata), limit.deadline)
            return await _handle(method, payload)
        except asyncio.CancelledError:
            if limit.ends_the_task():
                return _TOO_LONG
            raise
        except Exception as error:  # the edge: every error becomes a status
            if isinstance(error, TimeoutError) and limit.ends_the_task():
                return _TOO_LONG
            status = status_of(error)
            if status.code is grpc.StatusCode.INTERNAL:
                log.exception("a call failed", service=method.service, method=method.name)
            return status
        finally:
            limit.lift()

    def _seconds(self, call: Any) -> float:
        """Answers the time that the call may take: what its caller gives it, within the server's own bound."""
        remaining, longest = call.time_remaining(), self._settings.default_deadline
        return longest if remaining is None else min(remaining, longest)

    def _leave(self, _call: object) -> None:
        self._in_flight -= 1
        if not self._in_flight:
            self._idle.set()

    async def _identify(self, metadata: context.Metadata) -> Identity | None:
        context.enter(None, None)
        token = context.bearer_token(metadata)
        if token is None or self._verifier is None:
            return None
        return await self._verifier.verify(token)


@functools.lru_cache(maxsize=1024)
def _metrics(service: str, method: str, code: grpc.StatusCode) -> tuple[Counter, Histogram]:
    """Looking a label up costs more than counting by it; there are as many as methods and codes."""
    labels = (service, method, code.name)
    return _handled.labels(*labels), _handling_seconds.labels(*labels)


def _listen(server: grpc.aio.Server, settings: ServerSettings) -> int:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        return server.add_insecure_port(f"{host}:{settings.port}")
    except RuntimeError:
        raise OSError(f"Cannot listen on {host}:{settings.port}: is the port taken?") from None


def _methods_of(implementation: ServiceBase) -> Iterator[_Method]:
    for route, handler in cast("Any", implementation).__mapping__().items():
        if handler.cardinality is not Cardinality.UNARY_UNARY:
            raise TypeError(f"{route} streams; only unary methods are served.")
        _, service, name = route.split("/")
        spans = context.Spans.of(service, name, SpanKind.SERVER)
        yield _Method(service, name, handler.func, handler.request_type, spans)


class _Exchange:
    """Stands in for grpclib's stream: one request in, one reply out."""

    def __init__(self, request: betterproto2.Message) -> None:
        self._request = request
        self.reply: betterproto2.Message | None = None

    async def recv_message(self) -> betterproto2.Message:
        return self._request

    async def send_message(self, message: betterproto2.Message) -> None:
        self.reply = message


async def _handle(method: _Method, payload: bytes) -> bytes:
    """Answers the reply's bytes; raises whatever the handler raises."""
    try:
        exchange = _Exchange(codec.decode(method.request_type, payload))
    except codec.DecodeError as error:
        raise InvalidError(str(error)) from error
    await method.handle(exchange)
    if exchange.reply is None:
        raise TypeError(f"{method.service}/{method.name} answered nothing.")
    reply = codec.encode(exchange.reply)
    if len(reply) > options.MAX_MESSAGE:
        raise ValueError(f"{method.service}/{method.name} answered {len(reply)} bytes, more than a message may have.")
    return reply
