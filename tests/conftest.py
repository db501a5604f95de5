"""What tests of every kind share: real datastores on free ports, started by the first test that asks for them."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from local.datastores import Datastores, Layout


@pytest.fixture(scope="session")
async def datastores() -> AsyncIterator[Datastores]:
    """PostgreSQL, Kafka and Elasticsearch for the whole session; who breaks one mends it before the test ends."""
    with tempfile.TemporaryDirectory(prefix="ecommerce-test-") as folder:
        async with Datastores(Layout.temporary(Path(folder))) as running:
            yield running


@pytest.fixture(scope="session")
def new_database(datastores: Datastores) -> Callable[[str], Awaitable[str]]:
    """Makes an empty database that no other test has and answers its address."""

    async def create(purpose: str) -> str:
        name = f"{purpose}_{uuid4().hex[:8]}"
        await datastores.postgres.create_database(name)
        return datastores.postgres.url(name)

    return create
