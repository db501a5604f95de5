"""How a process lives: order of the end, loops that fail, signals."""

import asyncio
import gc
import os
import signal
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from services import runtime


class Order:
    """Notes what happened, and lets tests wait for it."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self._changed = asyncio.Condition()

    async def add(self, event: str) -> None:
        async with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    async def wait_for(self, event: str, times: int = 1) -> None:
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: self.events.count(event) >= times)


class FakeServer:
    def __init__(self, order: Order) -> None:
        self._order = order

    async def start(self) -> None:
        await self._order.add("server started")

    async def stop(self) -> None:
        await self._order.add("server stopped")


class FakeLoop:
    """A loop that does `round` until told to stop."""

    def __init__(self, order: Order, work: Callable[[], Awaitable[None]] | None = None) -> None:
        self._order = order
        self._work = work

    async def run(self, stop: asyncio.Event) -> None:
        await self._order.add("loop started")
        await self.run_once()
        await stop.wait()
        await self._order.add("loop stopped")

    async def run_once(self) -> None:
        if self._work is not None:
            await self._work()


@pytest.fixture
def order() -> Order:
    return Order()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(runtime, "LOOPS_GRACE", 0.05)


def tell(number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_server_ends_before_its_loops(order: Order, number: signal.Signals) -> None:
    """On SIGTERM and SIGINT the server drains first and the loops end after it; then serve() returns."""
    serving = asyncio.create_task(runtime.serve(FakeServer(order), FakeLoop(order)))
    await order.wait_for("loop started")

    tell(number)
    await asyncio.wait_for(serving, 30)

    assert order.events == ["server started", "loop started", "server stopped", "loop stopped"]


async def test_what_the_start_made_is_not_looked_through_again(order: Order) -> None:
    """While a server runs, the garbage collector leaves alone what was there when it had started."""
    serving = asyncio.create_task(runtime.serve(FakeServer(order), FakeLoop(order)))
    try:
        await order.wait_for("loop started")
        assert gc.get_freeze_count() > 0
    finally:
        tell()
        await serving
        gc.unfreeze()


async def test_a_loop_that_fails_is_started_again(order: Order) -> None:
    """A loop that raises is logged and started again; the server never notices."""
    failures = iter([RuntimeError("first"), ConnectionError("second")])

    async def fail_twice() -> None:
        for failure in failures:
            raise failure

    with capture_logs() as logs:
        serving = asyncio.create_task(runtime.serve(FakeServer(order), FakeLoop(order, fail_twice), FakeLoop(order)))
        await order.wait_for("loop started", times=4)
        tell()
        await asyncio.wait_for(serving, 30)

    failed = [line for line in logs if line["event"] == "a background loop failed"]
    assert [line["loop"] for line in failed] == ["FakeLoop", "FakeLoop"]
    assert failed[1]["again_in"] == 2 * failed[0]["again_in"]
    assert order.events.count("server stopped") == 1
    assert order.events.count("loop stopped") == 2


async def test_a_loop_that_fails_while_stopping_is_not_started_again(order: Order) -> None:
    """Told to stop, a failing loop ends the process's life, not its patience."""

    async def fail() -> None:
        raise RuntimeError("always")

    serving = asyncio.create_task(runtime.serve(FakeServer(order), FakeLoop(order, fail)))
    await order.wait_for("loop started", times=3)

    tell()

    await asyncio.wait_for(serving, 30)


async def test_a_loop_that_does_not_stop_is_cancelled(order: Order) -> None:
    """A loop that goes on although it was told to stop is cancelled after its grace."""

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await order.add("loop cancelled")
            raise

    serving = asyncio.create_task(runtime.serve(FakeServer(order), FakeLoop(order, hang)))
    await order.wait_for("loop started")

    tell()
    await asyncio.wait_for(serving, 30)

    assert order.events == ["server started", "loop started", "server stopped", "loop cancelled"]


async def test_a_server_that_cannot_start_ends_the_process(order: Order) -> None:
    """What starting the server raises comes out, and no loop was started."""

    class Broken(FakeServer):
        async def start(self) -> None:
            raise OSError("the port is taken")

    with pytest.raises(OSError, match="the port is taken"):
        await runtime.serve(Broken(order), FakeLoop(order))

    assert order.events == []


async def test_loops_without_a_server(order: Order) -> None:
    """work() keeps loops running until it is told to stop."""
    working = asyncio.create_task(runtime.work(FakeLoop(order)))
    await order.wait_for("loop started")

    tell()
    await asyncio.wait_for(working, 30)

    assert order.events == ["loop started", "loop stopped"]


async def test_commands_end_by_themselves(order: Order) -> None:
    """run() returns when all its tasks are done, and raises the first error after cancelling the others."""
    await runtime.run(order.add("one"), order.add("two"))
    assert sorted(order.events) == ["one", "two"]

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await order.add("cancelled")
            raise

    async def fail() -> None:
        await asyncio.sleep(0)
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await runtime.run(wait(), fail())
    await order.wait_for("cancelled")


async def test_commands_can_be_told_to_stop(order: Order) -> None:
    """SIGTERM cancels a command, lets it clean up, and ends run() without an error."""

    async def wait() -> None:
        await order.add("begun")
        try:
            await asyncio.Event().wait()
        finally:
            await order.add("cleaned up")

    running = asyncio.create_task(runtime.run(wait()))
    await order.wait_for("begun")

    tell()
    await asyncio.wait_for(running, 30)

    assert order.events == ["begun", "cleaned up"]


class Server:
    """Says when it starts and stops; `fails` keeps it from starting."""

    def __init__(self, name: str, said: list[str], *, fails: bool = False) -> None:
        self._name, self._said, self._fails = name, said, fails

    async def start(self) -> None:
        if self._fails:
            raise OSError("the port is taken")
        self._said.append(f"{self._name} starts")

    async def stop(self) -> None:
        self._said.append(f"{self._name} stops")


async def test_servers_together_start_in_order_and_all_stop() -> None:
    """Two servers of one process are one to whoever runs them."""
    said: list[str] = []
    both = runtime.Together(Server("a", said), Server("b", said))
    await both.start()
    await both.stop()
    assert said[:2] == ["a starts", "b starts"]
    assert sorted(said[2:]) == ["a stops", "b stops"]


async def test_servers_together_listen_all_or_none() -> None:
    """When the second cannot start, the first is stopped again."""
    said: list[str] = []
    with pytest.raises(OSError, match="the port is taken"):
        await runtime.Together(Server("a", said), Server("b", said, fails=True)).start()
    assert said == ["a starts", "a stops"]
