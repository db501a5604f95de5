"""SIGTERM on a real process: calls under way are answered, new ones are not taken."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from protos.gen.ecommerce.product.v1 import GetProductRequest as Request
from protos.gen.ecommerce.product.v1 import GetProductResponse as Response
from protos.gen.ecommerce.product.v1 import Product
from services.errors import UnavailableError
from tests.integration.rpc.conftest import Loopback


class Process:
    """The held service as a child process: its port, and the way to release its calls."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self.child = child
        self.port = 0

    async def line(self) -> str:
        assert self.child.stdout is not None
        return (await asyncio.wait_for(self.child.stdout.readline(), 30)).decode().strip()

    async def next_begun(self) -> None:
        """Waits until one more call is in its handler; log lines in between are passed over."""
        while await self.line() != "begun":
            assert self.child.returncode is None

    def release(self) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(b"go\n")


@asynccontextmanager
async def held_service(drain_seconds: float) -> AsyncIterator[Process]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.rpc.held_service", str(drain_seconds)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    process = Process(child)
    try:
        while not process.port:
            line = await process.line()
            process.port = int(line) if line.isdecimal() else 0
        yield process
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def test_sigterm_loses_no_call_under_way(loopback: Loopback) -> None:
    """After SIGTERM health says NOT_SERVING, new calls are refused, those under way are all answered, the exit is 0."""
    async with held_service(drain_seconds=30) as process:
        stub = loopback.stub(process.port, timeout=30)
        calls = [asyncio.create_task(stub.get_product(Request(id=str(number)))) for number in range(20)]
        for _ in calls:
            await process.next_begun()
        health = HealthStub(loopback.raw(process.port)).Watch(HealthCheckRequest(), timeout=30)
        assert (await health.read()).status == HealthCheckResponse.SERVING

        process.child.send_signal(signal.SIGTERM)

        assert (await health.read()).status == HealthCheckResponse.NOT_SERVING
        await _until_refused(process.port)
        with pytest.raises(UnavailableError):
            await loopback.stub(process.port, timeout=30).get_product(Request(id="late"))
        assert not any(call.done() for call in calls)
        process.release()
        replies = await asyncio.gather(*calls)
        assert replies == [Response(product=Product(id=str(number))) for number in range(20)]
        assert await asyncio.wait_for(process.child.wait(), 30) == 0


async def _until_refused(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
            writer.close()
            await writer.wait_closed()


async def test_the_drain_has_an_end(loopback: Loopback) -> None:
    """A call that outlasts the drain ends with UnavailableError, and the process still exits by itself."""
    async with held_service(drain_seconds=0.2) as process:
        call = asyncio.create_task(loopback.stub(process.port, timeout=30).get_product(Request()))
        await process.next_begun()

        process.child.send_signal(signal.SIGTERM)

        with pytest.raises(UnavailableError):
            await call
        assert await asyncio.wait_for(process.child.wait(), 30) == 0


async def test_kill_is_unavailable(loopback: Loopback) -> None:
    """A call whose server dies under it ends with UnavailableError: it may or may not have been carried out."""
    async with held_service(drain_seconds=30) as process:
        call = asyncio.create_task(loopback.stub(process.port, timeout=30).get_product(Request()))
        await process.next_begun()

        process.child.kill()

        with pytest.raises(UnavailableError):
            await call


async def test_no_acknowledged_call_is_lost_under_load(loopback: Loopback) -> None:
    """When a busy server stops, every call that a handler finished was answered, and the rest fail with one error."""
    finished = 0

    async def count(_: Request) -> Response:
        nonlocal finished
        await asyncio.sleep(0.002)
        finished += 1
        return Response()

    server = await loopback.serve(count)
    stubs = [loopback.stub(server.port) for _ in range(4)]
    enough = asyncio.Event()

    async def load(worker: int) -> int:
        for answered in range(100_000):
            try:
                await stubs[worker % 4].get_product(Request())
            except UnavailableError:
                return answered
            if answered == 10:
                enough.set()
        raise AssertionError("the server never stopped")

    workers = [asyncio.create_task(load(worker)) for worker in range(32)]
    await enough.wait()
    await server.stop()

    assert sum(await asyncio.gather(*workers)) == finished


async def test_stopping_twice_and_never_started(loopback: Loopback) -> None:
    """A server can be stopped again, and before it was ever started, without harm."""
    server = await loopback.serve()
    await server.stop()
    await server.stop()

    raw = loopback.raw(server.port)
    with pytest.raises(grpc.aio.AioRpcError):
        await HealthStub(raw).Check(HealthCheckRequest(), timeout=5)
