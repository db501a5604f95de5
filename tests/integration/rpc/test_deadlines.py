"""Time: every call has a bound, and a call made on behalf of another never outlives it."""

import asyncio

import grpc
import pytest
from opentelemetry import trace
from structlog.testing import capture_logs

from protos.gen.ecommerce.product.v1 import GetProductRequest as Request
from protos.gen.ecommerce.product.v1 import GetProductResponse as Response
from services.errors import UnavailableError
from services.rpc import context
from tests.integration.rpc.conftest import Loopback, echo, refusal

# Seconds in which a first call reaches its handler on a busy machine, over two hops; the tests wait for their end.
ENOUGH = 1.5


class Stuck:
    """A handler that never answers and tells how it ended."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.left: float | None = None

    async def __call__(self, _: Request) -> Response:
        self.left = context.seconds_left()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended.set_result("cancelled")
            raise
        return Response()


async def test_the_channels_timeout(loopback: Loopback) -> None:
    """Without an answer in time the caller gets UnavailableError, and the handler is stopped."""
    stuck = Stuck()
    server = await loopback.serve(stuck)

    with pytest.raises(UnavailableError, match=r"^ProductService did not answer in time\.$"):
        await loopback.stub(server.port, timeout=ENOUGH).get_product(Request())

    assert await asyncio.wait_for(stuck.ended, 5) == "cancelled"
    assert stuck.left is not None
    # gRPC rounds what it sends to milliseconds, upwards.
    assert 0 < stuck.left < ENOUGH + 0.01


@pytest.mark.parametrize(("channels", "calls"), [(30, ENOUGH), (ENOUGH, 30)])
async def test_a_call_can_ask_for_less_time(loopback: Loopback, channels: float, calls: float) -> None:
    """A timeout given to a stub shortens the channel's own and never lengthens it."""
    stuck = Stuck()
    server = await loopback.serve(stuck)

    with pytest.raises(UnavailableError):
        await loopback.stub(server.port, timeout=channels).get_product(Request(), timeout=calls)

    assert stuck.left is not None
    assert stuck.left < ENOUGH + 0.01


async def test_the_servers_bound(loopback: Loopback) -> None:
    """A server ends a call that takes longer than its own bound, however much time the caller gives."""
    stuck = Stuck()
    server = await loopback.serve(stuck, default_deadline=0.2)
    raw = loopback.raw(server.port)

    error = await refusal(raw, seconds=30)

    assert (error.code(), error.details()) == (grpc.StatusCode.DEADLINE_EXCEEDED, "The call took too long.")
    assert stuck.ended.result() == "cancelled"


async def test_a_handlers_own_timeout_is_a_fault(loopback: Loopback) -> None:
    """A TimeoutError that a handler lets out is its own fault, not the end of the call's time."""

    async def fail(_: Request) -> Response:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
        return Response()

    server = await loopback.serve(fail)

    with capture_logs() as logs:
        assert (await refusal(loopback.raw(server.port))).code() is grpc.StatusCode.INTERNAL
    assert logs[-1]["event"] == "a call failed"


async def test_what_is_left_goes_on(loopback: Loopback) -> None:
    """A service asked by a service gets what is left of the first caller's time, not a fresh allowance."""
    behind = Stuck()
    second = await loopback.serve(behind)
    stub = loopback.stub(second.port, timeout=30)

    async def ask(request: Request) -> Response:
        await asyncio.sleep(0.1)
        return await stub.get_product(request)

    first = await loopback.serve(ask)

    with pytest.raises(UnavailableError):
        await loopback.stub(first.port, timeout=ENOUGH).get_product(Request())

    assert behind.left is not None
    assert behind.left < ENOUGH - 0.08
    assert await asyncio.wait_for(behind.ended, 5) == "cancelled"


async def test_without_time_nothing_is_sent(loopback: Loopback) -> None:
    """A call made when the time is up fails at once and never leaves the process."""
    reached: list[str] = []

    async def record(request: Request) -> Response:
        reached.append(request.id)
        return await echo(request)

    server = await loopback.serve(record)
    stub = loopback.stub(server.port)
    loop = asyncio.get_running_loop()

    async def late() -> None:
        context.enter(None, loop.time() - 1)
        await stub.get_product(Request(id="late"))

    with pytest.raises(UnavailableError, match=r"^No time is left to ask ProductService\.$"):
        await asyncio.create_task(late())

    await stub.get_product(Request(id="in time"))
    assert reached == ["in time"]


async def test_the_trace_goes_on(loopback: Loopback) -> None:
    """The trace that a call belongs to is that of the one who made it, over two hops."""
    seen: list[int] = []
    hops: list[int] = []

    async def ask(request: Request) -> Response:
        seen.append(trace.get_current_span().get_span_context().trace_id)
        if hops:
            return await loopback.stub(hops.pop()).get_product(request)
        return await echo(request)

    hops.append((await loopback.serve(ask)).port)
    first = await loopback.serve(ask)
    mine = trace.SpanContext(trace_id=0x1234, span_id=0x5678, is_remote=False, trace_flags=trace.TraceFlags(1))

    with trace.use_span(trace.NonRecordingSpan(mine)):
        await loopback.stub(first.port).get_product(Request())

    assert seen == [0x1234, 0x1234]
