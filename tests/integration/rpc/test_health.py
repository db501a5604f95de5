"""Health and reflection, asked by the official clients."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from services.rpc import health
from tests.integration.rpc.conftest import Loopback

PRODUCTS = "ecommerce.product.v1.ProductService"
SERVING, NOT_SERVING = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readiness is asked for often and given up on soon."""
    monkeypatch.setattr(health, "PERIOD", 0.01)
    monkeypatch.setattr(health, "TIMEOUT", 0.1)


async def check(channel: grpc.aio.Channel, service: str) -> int:
    answer = await HealthStub(channel).Check(HealthCheckRequest(service=service), timeout=5)
    return int(answer.status)


async def watch(channel: grpc.aio.Channel, service: str) -> AsyncIterator[int]:
    async for answer in HealthStub(channel).Watch(HealthCheckRequest(service=service), timeout=10):
        yield int(answer.status)


async def test_a_server_without_needs_is_ready(loopback: Loopback) -> None:
    """The server, each of its services and liveness are SERVING; another service is not known."""
    server = await loopback.serve()
    raw = loopback.raw(server.port)

    assert [await check(raw, name) for name in ("", PRODUCTS, "liveness")] == [SERVING] * 3
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await check(raw, "nothing")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_health_follows_readiness(loopback: Loopback) -> None:
    """While something is missing the service is NOT_SERVING, from the first moment on, and liveness stays as it is."""
    missing = ["database"]

    async def readiness() -> list[str]:
        return list(missing)

    server = await loopback.serve(readiness=readiness)
    raw = loopback.raw(server.port)

    assert [await check(raw, name) for name in ("", PRODUCTS, "liveness")] == [NOT_SERVING, NOT_SERVING, SERVING]
    seen = watch(raw, PRODUCTS)
    assert await anext(seen) == NOT_SERVING
    missing.clear()
    assert await anext(seen) == SERVING
    missing.append("kafka")
    assert await anext(seen) == NOT_SERVING


async def _raise() -> list[str]:
    raise RuntimeError("no answer")


async def _hang() -> list[str]:
    await asyncio.Event().wait()
    return []


@pytest.mark.parametrize("readiness", [_raise, _hang])
async def test_a_failing_check_is_not_ready(loopback: Loopback, readiness: health.Readiness) -> None:
    """A readiness check that fails or hangs means NOT_SERVING; it neither stops the start nor the checks after it."""
    fail = asyncio.Event()

    async def sometimes() -> list[str]:
        return await readiness() if fail.is_set() else []

    fail.set()
    server = await loopback.serve(readiness=sometimes)
    seen = watch(loopback.raw(server.port), "")

    assert await anext(seen) == NOT_SERVING
    fail.clear()
    assert await anext(seen) == SERVING
    fail.set()
    assert await anext(seen) == NOT_SERVING


async def test_stopping_is_not_serving_first(loopback: Loopback) -> None:
    """Who watches learns NOT_SERVING before the connection ends, and a watcher does not hold the server up."""
    server = await loopback.serve(drain_seconds=30)
    seen = watch(loopback.raw(server.port), "")
    assert await anext(seen) == SERVING

    async with asyncio.timeout(5):
        stopping = asyncio.create_task(server.stop())
        assert await anext(seen) == NOT_SERVING
        await stopping

    with pytest.raises(grpc.aio.AioRpcError):
        await anext(seen)


async def test_reflection_lists_the_services(loopback: Loopback) -> None:
    """Reflection names every service, health and itself included."""
    server = await loopback.serve()
    ask = ServerReflectionStub(loopback.raw(server.port)).ServerReflectionInfo

    answers = [answer async for answer in ask(iter([ServerReflectionRequest(list_services="")]), timeout=5)]

    names = [service.name for service in answers[0].list_services_response.service]
    assert names == [PRODUCTS, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"]


async def test_reflection_tells_the_whole_description(loopback: Loopback) -> None:
    """From reflection alone a client can build the service's messages, those of imported files included."""
    server = await loopback.serve()
    ask = ServerReflectionStub(loopback.raw(server.port)).ServerReflectionInfo

    answers = [
        answer async for answer in ask(iter([ServerReflectionRequest(file_containing_symbol=PRODUCTS)]), timeout=5)
    ]

    pool = DescriptorPool()
    files = [FileDescriptorProto.FromString(one) for one in answers[0].file_descriptor_response.file_descriptor_proto]
    for file in sorted(files, key=lambda file: len(file.dependency)):
        pool.Add(file)
    methods = [method.name for method in pool.FindServiceByName(PRODUCTS).methods]
    changing = ["UpdateProduct", "DeleteProduct"]
    assert methods == ["PostProduct", "GetProduct", "GetProducts", *changing, "GetCatalogueState"]
    price = pool.FindMessageTypeByName("ecommerce.product.v1.Product").fields_by_name["price"]
    assert price.message_type is not None
    assert price.message_type.full_name == "ecommerce.money.v1.Money"
