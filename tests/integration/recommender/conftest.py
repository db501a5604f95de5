"""A shop for the package, and for every module a recommender of its own, so that none learns from another's tests."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack

import pytest

from local.datastores import Datastores
from local.platform import Platform
from services.database import Database
from tests.integration.order.conftest import Person, Shop
from tests.integration.recommender.world import ONE_OF_EACH, World, open_world


@pytest.fixture(scope="package")
async def shop(datastores: Datastores, new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Shop]:
    """Account, product and order, running."""
    names = ("account", "product", "order")
    urls = {name: await new_database(name) for name in names}
    overrides = {name: {"DATABASE_URL": url} for name, url in urls.items()}
    async with AsyncExitStack() as stack:
        platform = Platform(instances=names, overrides=overrides, datastores=datastores)
        await stack.enter_async_context(platform)
        database = await stack.enter_async_context(Database(urls["order"], application_name="recommender-test"))
        yield Shop(platform, database, stack)


@pytest.fixture(scope="package")
async def seller(shop: Shop) -> Person:
    """Owns the products."""
    return await shop.customer()


@pytest.fixture(scope="module")
def instances() -> Collection[str]:
    """What runs; modules override it."""
    return ONE_OF_EACH


@pytest.fixture(scope="module")
async def world(datastores: Datastores, shop: Shop, instances: Collection[str]) -> AsyncIterator[World]:
    """A recommender and its trainer, running."""
    async with open_world(datastores, shop, instances) as running:
        yield running
