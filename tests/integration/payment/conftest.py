"""The shop's till: every module has processes of its own, so that two payment services never share a consumer group."""

from collections.abc import AsyncIterator

import pytest

from local.datastores import Datastores
from protos.gen.ecommerce.product import v1 as product_v1
from tests.integration.order.conftest import Person
from tests.integration.payment.till import Till, open_till


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """What the payment services of a module are given beside the usual; modules override it."""
    return {}


@pytest.fixture(scope="module")
async def till(datastores: Datastores, settings: dict[str, str]) -> AsyncIterator[Till]:
    """Account, product, order and payment, running."""
    async with open_till(datastores, settings) as running:
        yield running


@pytest.fixture(scope="module")
async def administrator(till: Till) -> Person:
    """May see and move everyone's orders."""
    return await till.administrator()


@pytest.fixture(scope="module")
async def product(till: Till) -> product_v1.Product:
    """Something to buy, for 19.99."""
    return await till.product(await till.customer(), 1999)


@pytest.fixture
async def buyer(till: Till) -> Person:
    """A customer without orders."""
    return await till.customer()
