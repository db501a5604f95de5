"""Servers and channels on the loopback interface, closed when their test ends."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

import grpc
import pytest

from local.ports import free_ports
from protos.gen.ecommerce.product import v1 as product_v1
from services import rpc
from services.rpc.health import Readiness
from services.rpc.server import Server, ServerSettings
from services.tokens import Verifier

Handler = Callable[[product_v1.GetProductRequest], Awaitable[product_v1.GetProductResponse]]
ROUTE = "/ecommerce.product.v1.ProductService/GetProduct"


async def echo(request: product_v1.GetProductRequest) -> product_v1.GetProductResponse:
    return product_v1.GetProductResponse(product=product_v1.Product(id=request.id))


class Catalogue(product_v1.ProductServiceBase):
    """Answers GetProduct with what it is given to answer with; has no other method."""

    def __init__(self, handler: Handler = echo) -> None:
        self._handler = handler

    async def get_product(self, message: product_v1.GetProductRequest) -> product_v1.GetProductResponse:
        return await self._handler(message)


class Loopback:
    """Starts servers and dials them; everything is closed with the stack."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def serve(
        self,
        handler: Handler = echo,
        *,
        verifier: Verifier | None = None,
        readiness: Readiness | None = None,
        port: int = 0,
        **settings: Any,
    ) -> Server:
        server = Server(
            ServerSettings("127.0.0.1", port, **settings), Catalogue(handler), verifier=verifier, readiness=readiness
        )
        await server.start()
        self._stack.push_async_callback(server.stop)
        return server

    def channel(self, port: int, *, timeout: float = 5.0) -> rpc.Channel:
        channel = rpc.Channel(f"127.0.0.1:{port}", timeout=timeout)
        self._stack.push_async_callback(channel.close)
        return channel

    def stub(self, port: int, *, timeout: float = 5.0) -> product_v1.ProductServiceStub:
        return self.channel(port, timeout=timeout).stub(product_v1.ProductServiceStub)

    def raw(self, port: int) -> grpc.aio.Channel:
        """A plain channel, for what no client of ours would do."""
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)])
        self._stack.push_async_callback(channel.close)
        return channel

    async def foreign(self, behave: Callable[[bytes, Any], Awaitable[bytes]]) -> int:
        """Serves GetProduct by a plain function of bytes and answers the port: a server that is none of ours."""
        server = grpc.aio.server()
        handlers: dict[str, Any] = {"GetProduct": grpc.unary_unary_rpc_method_handler(behave)}
        service = "ecommerce.product.v1.ProductService"
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        self._stack.push_async_callback(server.stop, None)
        return port


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    async with AsyncExitStack() as stack:
        yield Loopback(stack)


@pytest.fixture
def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    return free_ports(["nobody"])["nobody"]


async def raw_call(
    channel: grpc.aio.Channel, payload: bytes = b"", *, route: str = ROUTE, metadata: Any = (), seconds: float = 5
) -> grpc.aio.AioRpcError | bytes:
    """Makes a call by hand and answers the reply's bytes or the error."""
    method: Any = channel.unary_unary(route)
    try:
        return cast("bytes", await method(payload, metadata=metadata, timeout=seconds))
    except grpc.aio.AioRpcError as error:
        return error


async def refusal(channel: grpc.aio.Channel, payload: bytes = b"", **options: Any) -> grpc.aio.AioRpcError:
    """Makes a call by hand that has to fail."""
    answer = await raw_call(channel, payload, **options)
    assert isinstance(answer, grpc.aio.AioRpcError)
    return answer
