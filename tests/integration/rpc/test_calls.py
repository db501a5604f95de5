"""Calls over real sockets: what arrives, what is refused, and how failures come back."""

import asyncio
import time

import grpc
import grpclib.const
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from local.ports import free_ports
from protos.gen.ecommerce.product import v1 as product_v1
from protos.gen.ecommerce.product.v1 import GetProductRequest as Request
from protos.gen.ecommerce.product.v1 import GetProductResponse as Response
from protos.gen.ecommerce.product.v1 import Product
from services import rpc
from services.errors import (
    InternalError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnavailableError,
)
from services.rpc.options import MAX_MESSAGE
from tests.integration.rpc.conftest import ROUTE, Catalogue, Loopback, echo, raw_call, refusal


async def test_a_request_is_answered(loopback: Loopback) -> None:
    """A stub's call reaches the implementation and its reply comes back, text of every script included."""
    server = await loopback.serve()

    reply = await loopback.stub(server.port).get_product(Request(id="ключ-鍵-🔑\x00"))

    assert reply == Response(product=Product(id="ключ-鍵-🔑\x00"))


async def test_many_calls_share_one_connection(loopback: Loopback) -> None:
    """Calls made at the same time are all answered, each with its own reply."""
    server = await loopback.serve()
    stub = loopback.stub(server.port)

    replies = await asyncio.gather(*(stub.get_product(Request(id=str(number))) for number in range(200)))

    assert [reply.product and reply.product.id for reply in replies] == [str(number) for number in range(200)]


async def test_unknown_methods(loopback: Loopback) -> None:
    """Methods that do not exist, and those that nobody implemented, are UNIMPLEMENTED."""
    server = await loopback.serve()
    raw = loopback.raw(server.port)

    for route in ("/ecommerce.product.v1.ProductService/Nothing", "/no.Service/GetProduct", f"{ROUTE}/x"):
        assert (await refusal(raw, route=route)).code() is grpc.StatusCode.UNIMPLEMENTED
    unwritten = await refusal(raw, route="/ecommerce.product.v1.ProductService/DeleteProduct")

    assert unwritten.code() is grpc.StatusCode.UNIMPLEMENTED
    assert unwritten.details() == "This method is not implemented."


async def test_sizes(loopback: Loopback) -> None:
    """A message of 4 MiB passes both ways; one byte more is refused, and named for what it is."""
    server = await loopback.serve()
    stub = loopback.stub(server.port)
    # The reply has one message around the text more than the request.
    largest = "x" * (MAX_MESSAGE - 10)

    reply = await stub.get_product(Request(id=largest))
    assert reply.product is not None
    assert reply.product.id == largest

    with pytest.raises(InvalidError, match=r"^The request is too large\.$"):
        await stub.get_product(Request(id="x" * MAX_MESSAGE))
    raw = await refusal(loopback.raw(server.port), b"x" * (MAX_MESSAGE + 1))
    assert raw.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_reply_that_is_too_large_is_internal(loopback: Loopback) -> None:
    """A reply beyond 4 MiB is the server's fault, is logged there, and costs nothing but this call."""

    async def flood(request: Request) -> Response:
        return Response(product=Product(description="x" * MAX_MESSAGE if request.id else ""))

    server = await loopback.serve(flood)
    stub = loopback.stub(server.port)

    with capture_logs() as logs, pytest.raises(InternalError):
        await stub.get_product(Request(id="1"))

    assert any(line["event"] == "a call failed" for line in logs)
    assert await stub.get_product(Request()) == Response(product=Product())


class Gate:
    """Lets handlers be counted in and held until the test opens it."""

    def __init__(self) -> None:
        self.entered = asyncio.Semaphore(0)
        self.open = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        self.entered.release()
        await self.open.wait()
        return await echo(request)


async def test_a_full_server_says_so_at_once(loopback: Loopback) -> None:
    """Calls beyond the limit are refused without waiting; those inside it finish, and health checks still answer."""
    gate = Gate()
    server = await loopback.serve(gate, max_concurrent=3)
    stub = loopback.stub(server.port)
    inside = [asyncio.create_task(stub.get_product(Request(id="in"))) for _ in range(3)]
    for _ in inside:
        await gate.entered.acquire()

    with pytest.raises(RateLimitedError):
        await stub.get_product(Request(id="out"))
    health = await HealthStub(loopback.raw(server.port)).Check(HealthCheckRequest(), timeout=5)

    assert health.status == health.SERVING
    gate.open.set()
    assert await asyncio.gather(*inside) == [Response(product=Product(id="in"))] * 3
    assert await stub.get_product(Request(id="again")) == Response(product=Product(id="again"))


async def test_a_call_that_its_caller_gives_up_ends(loopback: Loopback) -> None:
    """Cancelling a call cancels its handler, and the caller sees the cancellation."""
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()

    async def wait(_: Request) -> Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.set_result("cancelled")
            raise
        return Response()

    server = await loopback.serve(wait)
    call = asyncio.create_task(loopback.stub(server.port).get_product(Request()))
    await begun.wait()

    call.cancel()

    assert await asyncio.wait_for(ended, 5) == "cancelled"
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_nobody_there(loopback: Loopback, free_port: int) -> None:
    """Without a server a call fails at once, and the error says nothing of addresses."""
    started = time.monotonic()

    with pytest.raises(UnavailableError, match=r"^ProductService does not answer now\.$"):
        await loopback.stub(free_port).get_product(Request())

    # Before the stub's own limit of five.
    assert time.monotonic() - started < 4


async def test_a_restarted_server_is_found_again(loopback: Loopback) -> None:
    """A channel outlives its server: soon after another one listens there, calls are answered again."""
    # Not one of the kernel's for outgoing connections: dialling it, the client could be given that very port.
    first = await loopback.serve(port=free_ports(["server"])["server"])
    stub = loopback.stub(first.port)
    await stub.get_product(Request())
    await first.stop()
    with pytest.raises(UnavailableError):
        await stub.get_product(Request())

    await loopback.serve(port=first.port)

    async with asyncio.timeout(30):
        while not await _answers(stub):  # noqa: ASYNC110 # only a call can tell
            await asyncio.sleep(0.02)


async def _answers(stub: product_v1.ProductServiceStub) -> bool:
    try:
        await stub.get_product(Request())
    except UnavailableError:
        return False
    return True


async def test_a_closed_channel(loopback: Loopback) -> None:
    """Closing a channel ends its calls, and later ones, with UnavailableError and not with a cancellation."""
    gate = Gate()
    server = await loopback.serve(gate)
    channel = loopback.channel(server.port)
    stub = channel.stub(product_v1.ProductServiceStub)
    call = asyncio.create_task(stub.get_product(Request()))
    await gate.entered.acquire()

    await channel.close()

    with pytest.raises(UnavailableError):
        await call
    with pytest.raises(UnavailableError):
        await stub.get_product(Request())
    gate.open.set()


async def test_a_taken_port_stops_the_start(loopback: Loopback) -> None:
    """A second server on a port fails to start and says which; it does not share the port in silence."""
    server = await loopback.serve()

    with pytest.raises(OSError, match=f"127.0.0.1:{server.port}"):
        await loopback.serve(port=server.port)


async def test_the_other_loopback() -> None:
    """An IPv6 address is a host like any other."""
    server = rpc.Server(rpc.ServerSettings("::1", 0), Catalogue(), verifier=None)
    await server.start()
    try:
        channel = rpc.Channel(f"[::1]:{server.port}")
        assert await channel.stub(product_v1.ProductServiceStub).get_product(Request()) == Response(product=Product())
        await channel.close()
    finally:
        await server.stop()


async def test_streams_are_refused() -> None:
    """A service with a streaming method is refused when its server is made, by the method's name."""

    class Streaming(Catalogue):
        def __mapping__(self) -> dict[str, grpclib.const.Handler]:
            one = super().__mapping__()[ROUTE]
            return {ROUTE: one._replace(cardinality=grpclib.const.Cardinality.UNARY_STREAM)}

    with pytest.raises(TypeError, match="GetProduct streams"):
        rpc.Server(rpc.ServerSettings("127.0.0.1", 0), Streaming(), verifier=None)


async def test_calls_are_counted(loopback: Loopback) -> None:
    """Every call is in the metrics, by service, method and status."""

    async def some(request: Request) -> Response:
        if not request.id:
            raise NotFoundError("No such product.")
        return await echo(request)

    server = await loopback.serve(some)
    raw = loopback.raw(server.port)
    before = [_counted("OK"), _counted("NOT_FOUND")]

    assert isinstance(await raw_call(raw, b"\n\x011"), bytes)
    await refusal(raw)

    assert [_counted("OK"), _counted("NOT_FOUND")] == [before[0] + 1, before[1] + 1]


def _counted(code: str) -> float:
    labels = {"grpc_service": "ecommerce.product.v1.ProductService", "grpc_method": "GetProduct", "grpc_code": code}
    total = REGISTRY.get_sample_value("grpc_server_handled_total", labels) or 0.0
    timed = REGISTRY.get_sample_value("grpc_server_handling_seconds_count", labels) or 0.0
    assert total == timed
    return total
