"""Account and product as processes on datastores of their own: tests here break things and mend them again."""

import asyncio
import itertools
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from elasticsearch import ApiError, TransportError

from local.datastores import Layout
from local.platform import Platform
from local.service_process import CHECKOUT, ServiceProcess
from protos.gen.ecommerce.account import v1 as account_v1
from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.product import v1 as product_v1
from services import rpc
from services.database import Database
from services.errors import UnavailableError
from services.product.documents import product_of
from services.product.index import ALIAS, ElasticsearchIndex
from services.product.messages import product_message
from services.product.service import Product
from services.product.store import PostgresProducts
from tests.factories.product import announcer

# Longest that anything on a busy machine takes which the tests wait for.
PATIENCE = 90.0


@dataclass(frozen=True)
class Person:
    """Someone with an account, signed in."""

    id: int
    token: str


class Shop:
    """The product service called as one person or another, and what is behind it looked at from outside."""

    def __init__(self, platform: Platform, stack: AsyncExitStack) -> None:
        self.platform = platform
        self.datastores = platform.datastores
        self._stack = stack
        self._numbers = itertools.count(1)
        account = self._channel("account")
        self._accounts = account.stub(account_v1.AccountServiceStub)
        self._catalogue = self._channel("product").stub(product_v1.ProductServiceStub)
        database = Database(self.datastores.postgres.url("product"), application_name="product-test")
        stack.push_async_callback(database.close)
        self.table = PostgresProducts(database, announcer(), lambda: None)
        self.index = ElasticsearchIndex([self.datastores.elasticsearch.url])
        stack.push_async_callback(self.index.close)

    @property
    def process(self) -> ServiceProcess:
        return self.platform.service("product")

    async def customer(self) -> Person:
        """A new account."""
        request = account_v1.RegisterRequest(
            name=f"Customer {next(self._numbers)}", email=f"{uuid4().hex}@example.com", password="correct horse battery"
        )
        session = (await self._accounts.register(request)).session
        assert session is not None
        assert session.account is not None
        return Person(session.account.id, session.token)

    async def create(
        self, owner: Person | None, name: str, description: str = "", price: int = 1999, currency: str = "USD"
    ) -> product_v1.Product:
        """Puts a product up."""
        request = product_v1.PostProductRequest(
            name=name, description=description, price=Money(minor_units=price, currency=currency)
        )
        with rpc.acting_as(owner.token if owner else None):
            made = (await self._catalogue.post_product(request)).product
        assert made is not None
        return made

    async def update(
        self, owner: Person, product_id: str, name: str, *, expected_version: int | None = None, price: int = 1999
    ) -> product_v1.Product:
        """Replaces what a product says."""
        request = product_v1.UpdateProductRequest(
            id=product_id,
            name=name,
            price=Money(minor_units=price, currency="USD"),
            expected_version=expected_version,
        )
        with rpc.acting_as(owner.token):
            changed = (await self._catalogue.update_product(request)).product
        assert changed is not None
        return changed

    async def delete(self, owner: Person, product_id: str) -> None:
        """Takes a product down."""
        with rpc.acting_as(owner.token):
            await self._catalogue.delete_product(product_v1.DeleteProductRequest(id=product_id))

    async def get(self, product_id: str) -> product_v1.Product:
        """One product, asked for by nobody in particular."""
        product = (await self._catalogue.get_product(product_v1.GetProductRequest(id=product_id))).product
        assert product is not None
        return product

    async def get_many(self, ids: list[str]) -> list[product_v1.Product]:
        return (await self._catalogue.get_products(product_v1.GetProductsRequest(ids=ids))).products

    async def find(self, query: str = "", skip: int = 0, take: int = 20) -> list[product_v1.Product]:
        """A search, or without a query a page of the catalogue."""
        request = product_v1.GetProductsRequest(query=query, skip=skip, take=take)
        return (await self._catalogue.get_products(request)).products

    async def found(self, product: product_v1.Product) -> float:
        """Waits until text search answers the product as it is; answers how many seconds that took."""
        clock = asyncio.get_running_loop().time
        started = clock()
        await eventually(lambda: self._answers(product))
        return clock() - started

    async def _answers(self, product: product_v1.Product) -> bool:
        return product in await self.find(product.name, take=100)

    async def rows(self) -> dict[str, Product]:
        """Everything in the table."""
        rows: list[Product] = []
        while batch := await self.table.after(rows[-1].id if rows else None, 1000):
            rows += batch
        return {row.id: row for row in rows}

    async def documents(self) -> dict[str, Product]:
        """Everything in the index that searchers use, whose versions are checked on the way."""
        await self.index._client.indices.refresh(index=ALIAS)
        answer: Any = await self.index._client.search(index=ALIAS, size=10_000, version=True)
        found = {hit["_id"]: product_of(hit["_source"]) for hit in answer["hits"]["hits"]}
        assert {hit["_id"]: hit["_version"] for hit in answer["hits"]["hits"]} == {
            product_id: product.version for product_id, product in found.items()
        }
        return found

    async def in_step(self) -> None:
        """Waits until the index is what the table is."""

        async def same() -> bool:
            try:
                return await self.documents() == await self.rows()
            except (ApiError, TransportError):
                # This client asks past the service: of an Elasticsearch that has just come back, or an index that goes.
                return False

        await eventually(same)

    async def reachable(self) -> None:
        """Waits until the channel to a restarted product service has found it."""

        async def answers() -> bool:
            await self.find(take=1)
            return True

        await eventually(answers)

    async def searchable(self) -> None:
        """Waits until there is an index to search, which the service makes by itself."""

        async def answers() -> bool:
            return not await self.find("a word that is nowhere")

        await eventually(answers)

    async def command(self, *arguments: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Runs one of the service's commands beside it; answers its exit status and what it said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.product",
            *arguments,
            cwd=CHECKOUT,
            env=environment or self.platform.environment("product"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, output.decode()

    def _channel(self, service: str) -> rpc.Channel:
        channel = rpc.Channel(f"127.0.0.1:{self.platform.service(service).port}", timeout=10)
        self._stack.push_async_callback(channel.close)
        return channel


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Waits until it holds; that something does not answer counts as not yet."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                if await holds():
                    return
            except UnavailableError:
                pass
            await asyncio.sleep(0.02)


def as_message(product: Product) -> product_v1.Product:
    """The product as the service answers it."""
    return product_message(product)


@pytest.fixture(scope="package")
async def shop() -> AsyncIterator[Shop]:
    """The service, running."""
    with tempfile.TemporaryDirectory(prefix="ecommerce-test-") as folder:
        async with AsyncExitStack() as stack:
            platform = Platform(Layout.temporary(Path(folder)), instances=("account", "product"))
            await stack.enter_async_context(platform)
            running = Shop(platform, stack)
            await running.searchable()
            yield running


@pytest.fixture(scope="package")
async def owner(shop: Shop) -> Person:
    """Owns the products."""
    return await shop.customer()
