"""HTTP by Granian inside this process: starting, and stopping without an error for anyone.

On a stop the service first says that it is leaving: /readyz turns to 503, so that nothing new is sent here, and every
answer closes its connection, so that clients which keep theirs open go elsewhere (both are up to the application, which
looks at the same `Drain`). Requests are still served all that
time. Then the listener closes, and what is under way is finished. Only a request that is sent at that very moment, by
someone who heeds neither sign, can find its connection closed before it is read.
"""

import asyncio
import contextlib
import errno
import signal
import socket
from dataclasses import dataclass
from typing import Any, Final

import structlog
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server
from litestar.types import ASGIApp

log = structlog.get_logger(__name__)

# Seconds until a freshly started server has to accept connections.
START_SECONDS: Final = 10.0
# Granian's own lines go the way of all others; its INFO says nothing that ours do not.
_LOGGING: Final = {"handlers": {}, "loggers": {"_granian": {"level": "ERROR", "propagate": True}}}


@dataclass
class Drain:
    """Set once, when the service is about to stop: it finishes what it has and should get nothing new."""

    started: bool = False


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where to listen, how many connections to hold, and how long to take leave (in seconds)."""

    host: str = "0.0.0.0"  # noqa: S104 a pod is reached from outside of it
    port: int = 8080
    # Those beyond wait in the listener's queue. Idle ones count, and are closed after 30 seconds.
    max_connections: int = 2_048
    # The time in which load balancers notice /readyz and clients let go of their connections.
    leave_seconds: float = 1.0
    # The longest that requests under way may take from then on.
    finish_seconds: float = 15.0
    # Other workers of the same service listen there too.
    shared_port: bool = False


class HttpServer:
    """Serves one ASGI application; `services.runtime.serve` runs it."""

    def __init__(self, app: ASGIApp, settings: HttpSettings, drain: Drain) -> None:
        self._app = app
        self._settings = settings
        self._drain = drain
        self._server: Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns once connections are accepted; raises OSError when the port is taken."""
        if not self._settings.shared_port:
            require_free(self._settings.host, self._settings.port)
        self._server = Server(
            self._app,
            address=self._settings.host,
            port=self._settings.port,
            interface=Interfaces.ASGINL,
            websockets=False,
            backlog=max(1_024, self._settings.max_connections),
            backpressure=self._settings.max_connections,
            # The head of a request may take this long, which also ends connections that are idle.
            http1_settings=HTTP1Settings(header_read_timeout=30_000),
            log_level=LogLevels.error,
            log_dictconfig=_LOGGING,
        )
        self._task = asyncio.create_task(self._server.serve(), name="granian")
        await self._wait_until_accepting()
        self._task.add_done_callback(self._ended)
        log.info("serving", host=self._settings.host, port=self._settings.port)

    async def stop(self) -> None:
        """Takes leave, finishes what is under way, and returns."""
        if self._server is None or self._task is None:
            return
        self._drain.started = True
        await asyncio.sleep(self._settings.leave_seconds)
        self._server.stop()  # type: ignore[no-untyped-call] # Granian declares no types for it
        _, late = await asyncio.wait([self._task], timeout=self._settings.finish_seconds)
        if late:
            log.warning("requests were cut off: they did not end in time")
            self._task.cancel()
            await asyncio.wait([self._task])
        log.info("stopped")

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        """A server that ends by itself takes the process along, in order: whoever runs it starts another."""
        if not self._drain.started:
            log.critical("the HTTP server ended by itself", exc_info=None if task.cancelled() else task.exception())
            signal.raise_signal(signal.SIGTERM)

    async def _wait_until_accepting(self) -> None:
        """Returns once connections are accepted, or raises what kept the server from starting."""
        accepted = asyncio.create_task(accepting(self._settings.host, self._settings.port))
        running = [accepted, *((self._task,) if self._task else ())]
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        if self._task is not None and self._task.done():
            accepted.cancel()
            self._task.result()
        await accepted


async def accepting(host: str, port: int) -> None:
    """Returns once connections to the port are accepted; raises TimeoutError when that takes too long."""
    host = host.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 where to find what listens there
    async with asyncio.timeout(START_SECONDS):
        while not await _answers(host, port):  # noqa: ASYNC110 a port tells nobody that it opens
            await asyncio.sleep(0.01)


async def _answers(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def require_free(host: str, port: int) -> None:
    """Raises OSError when something listens there: Granian would share the port, which nobody would notice."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise OSError(error.errno, f"Port {port} is taken.") from None
            raise
