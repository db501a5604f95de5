"""The product service's ports, in memory and on the real datastores, each with what a test needs to look inside."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

import services.product
from local.datastores import Datastores
from services import migration
from services.database import Database
from services.events import Event
from services.product.index import ElasticsearchIndex
from services.product.models import ProductRecord
from services.product.store import PostgresProducts
from tests.contract.staged import staged_events
from tests.factories.product import announcer
from tests.fakes.product import FakeProducts, FakeSearchIndex

MIGRATIONS = Path(services.product.__file__).with_name("migrations")


@dataclass
class Kept:
    """A record under test; `staged` answers its events in order, `commits` counts what it announced as committed."""

    products: PostgresProducts | FakeProducts
    staged: Callable[[], Awaitable[list[Event]]]
    commits: list[None]


@dataclass
class Searchable:
    """An index under test, empty and in use; `refresh` makes what was written visible to searchers."""

    index: ElasticsearchIndex | FakeSearchIndex
    refresh: Callable[[], Awaitable[None]]


@pytest.fixture(scope="session")
async def product_database(new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    """A migrated database."""
    url = await new_database("product")
    await asyncio.to_thread(migration.migrate, url, MIGRATIONS, ProductRecord.metadata)
    opened = Database(url, application_name="product-contract")
    yield opened
    await opened.close()


@pytest.fixture
async def postgres_kept(product_database: Database) -> Kept:
    """The real record, empty."""
    async with product_database.transaction() as session:
        await (await session.connection()).execute(text("TRUNCATE products, outbox RESTART IDENTITY"))

    commits: list[None] = []
    return Kept(
        PostgresProducts(product_database, announcer(), lambda: commits.append(None)),
        lambda: staged_events(product_database),
        commits,
    )


@pytest.fixture
def fake_kept() -> Kept:
    """The fake record, empty."""
    commits: list[None] = []
    products = FakeProducts(announcer(), lambda: commits.append(None))

    async def staged() -> list[Event]:
        return list(products.staged)

    return Kept(products, staged, commits)


@pytest.fixture(params=["fake", "postgres"])
def kept(request: pytest.FixtureRequest) -> Kept:
    """Each of the two in turn."""
    return request.getfixturevalue(f"{request.param}_kept")  # type: ignore[no-any-return] # pytest knows no types


@pytest.fixture
async def elasticsearch_searchable(datastores: Datastores) -> AsyncIterator[Searchable]:
    """The real index, new."""
    index = ElasticsearchIndex([datastores.elasticsearch.url])
    await _renew(index)

    async def refresh() -> None:
        await index._client.indices.refresh(index="products-*")

    yield Searchable(index, refresh)
    for name in await index.indices():
        await index.drop(name)
    await index.close()


@pytest.fixture
async def fake_searchable() -> Searchable:
    """The fake index, new."""
    index = FakeSearchIndex()
    await _renew(index)

    async def refresh() -> None: ...

    return Searchable(index, refresh)


@pytest.fixture(params=["fake", "elasticsearch"])
def searchable(request: pytest.FixtureRequest) -> Searchable:
    """Each of the two in turn."""
    return request.getfixturevalue(f"{request.param}_searchable")  # type: ignore[no-any-return] # pytest knows no types


async def _renew(index: ElasticsearchIndex | FakeSearchIndex) -> None:
    for name in await index.indices():
        await index.drop(name)
    new = await index.create()
    await index.promote(new)
    await index.finish(new)
