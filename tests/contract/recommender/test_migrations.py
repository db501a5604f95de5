"""The migrations make what the models say."""

import asyncio
from collections.abc import Awaitable, Callable

from services import migration
from services.recommender.models import metadata
from tests.contract.recommender.conftest import MIGRATIONS


async def test_models_and_migrations_agree(new_database: Callable[[str], Awaitable[str]]) -> None:
    """Nothing is left to be changed after the newest revision."""
    url = await new_database("recommender_migrations")
    assert await asyncio.to_thread(migration.pending_changes, url, MIGRATIONS, metadata) == []
