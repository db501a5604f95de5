"""How a process lives: it runs until SIGTERM or SIGINT, and then ends in order.

A service is a server and its background loops. The server drains first, because calls under way may still wake a loop;
the loops end after it. A loop that fails never takes the server down: it is started again, after a pause that doubles.
"""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, Final, Protocol, TypeVar

import structlog
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings

from services.loops import first_of

log = structlog.get_logger(__name__)

# Seconds between a loop's failure and its next start: the first, and the longest.
FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 10.0
# A loop that ran this long was well: its next pause is the first again.
WELL_AFTER: Final = 60.0
# Seconds that the loops get to finish what they are at.
LOOPS_GRACE: Final = 10.0


S = TypeVar("S", bound=BaseSettings)


def read_settings(settings: type[S], program: str) -> S:
    """Answers the settings from the environment; ends the program with one line that names what is wrong."""
    try:
        return settings()
    except ValidationError as error:
        raise SystemExit(f"{program}: {'; '.join(map(_fault, error.errors()))}") from None


def _fault(error: ErrorDetails) -> str:
    """Answers the variable and what is wrong with it; what concerns several names them itself."""
    message = error["msg"].removeprefix("Value error, ")
    return f"{str(error['loc'][0]).upper()}: {message}" if error["loc"] else message


class Loop(Protocol):
    """Background work: `run` goes on until `stop` is set, by calling `run_once` again and again."""

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, and returns soon after."""

    async def run_once(self) -> Any:
        """Does one round and answers what it did."""


class Serving(Protocol):
    """What can be served: rpc.Server, serving.HttpServer, or both `Together`."""

    async def start(self) -> None:
        """Returns once it listens."""

    async def stop(self) -> None:
        """Takes nothing new, finishes what is under way, and returns."""


class Together:
    """Several servers of one process as one: all listen, or none."""

    def __init__(self, *servers: Serving) -> None:
        self._servers = servers

    async def start(self) -> None:
        """Starts them in this order; raises what one of them raises, with those before it stopped again."""
        async with contextlib.AsyncExitStack() as started:
            for server in self._servers:
                await server.start()
                started.push_async_callback(server.stop)
            started.pop_all()

    async def stop(self) -> None:
        """Stops all of them at once: each has its own time to finish what is under way."""
        results = await asyncio.gather(*(server.stop() for server in self._servers), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result


async def serve(server: Serving, *loops: Loop) -> None:
    """Runs a server and its loops until the process is told to stop; raises only what starting the server raises."""
    with _told_to_stop() as told:
        await server.start()
        _keep_for_good()
        stop = asyncio.Event()
        running = [asyncio.create_task(_keep_running(loop, stop), name=type(loop).__name__) for loop in loops]
        try:
            await told.wait()
        finally:
            await server.stop()
            await _finish(running, stop)


async def work(*loops: Loop) -> None:
    """Runs loops without a server until the process is told to stop."""
    with _told_to_stop() as told:
        stop = asyncio.Event()
        running = [asyncio.create_task(_keep_running(loop, stop), name=type(loop).__name__) for loop in loops]
        try:
            await told.wait()
        finally:
            await _finish(running, stop)


async def run(*tasks: Coroutine[Any, Any, Any]) -> None:
    """Awaits all of them together; told to stop, it cancels them and returns when they have ended.

    For commands that end by themselves. The first error cancels the others and is raised.
    """
    with _told_to_stop() as told:
        running = [asyncio.ensure_future(task) for task in tasks]
        ended = asyncio.create_task(asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION))
        telling = asyncio.create_task(told.wait())
        try:
            await asyncio.wait([ended, telling], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (ended, telling, *running):
                task.cancel()
            results = await asyncio.gather(*running, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


def _keep_for_good() -> None:
    """Takes what the start has made (modules, schemas, settings) out of what the garbage collector looks through.

    It stays as long as the process does, and looking through it takes a tenth of a second, in which nobody is answered.
    """
    gc.collect()
    gc.freeze()


@contextlib.contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    """Answers an event that SIGTERM and SIGINT set; a second SIGINT interrupts as usual."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell(name: str) -> None:
        log.info("told to stop", signal=name)
        loop.remove_signal_handler(signal.SIGINT)
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell, number.name)
    try:
        yield told
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _keep_running(loop: Loop, stop: asyncio.Event) -> None:
    """Runs a loop until it is told to stop, whatever it raises."""
    clock = asyncio.get_running_loop().time
    pause = FIRST_PAUSE
    while not stop.is_set():
        started = clock()
        try:
            await loop.run(stop)
        except Exception:
            log.exception("a background loop failed", loop=type(loop).__name__, again_in=pause)
        if clock() - started > WELL_AFTER:
            pause = FIRST_PAUSE
        await first_of(pause, stop)
        pause = min(2 * pause, LONGEST_PAUSE)


async def _finish(running: Sequence[asyncio.Task[None]], stop: asyncio.Event) -> None:
    stop.set()
    if not running:
        return
    _, late = await asyncio.wait(running, timeout=LOOPS_GRACE)
    for task in late:
        log.warning("a background loop did not stop in time", loop=task.get_name())
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
