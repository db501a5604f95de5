"""The whole platform as processes, on datastores of its own: tests here break things and mend them again."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local.platform import Platform
from tests.client import GraphQL


@pytest.fixture(scope="package")
async def platform() -> AsyncIterator[Platform]:
    """Account, product, order and the gateway, ready, on free ports."""
    with tempfile.TemporaryDirectory(prefix="ecommerce-test-") as folder:
        async with Platform.temporary(Path(folder)) as running:
            yield running


@pytest.fixture
async def ask(platform: Platform) -> AsyncIterator[GraphQL]:
    """A client of the gateway."""
    client = GraphQL(platform.graphql_url)
    yield client
    await client.close()
