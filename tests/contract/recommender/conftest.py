"""The store on a database of its own, empty for each test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

import services.recommender
from services import migration
from services.database import Database
from services.recommender.models import metadata
from services.recommender.store import PostgresRecommender
from tests.factories.recommender import NOW

MIGRATIONS = Path(services.recommender.__file__).with_name("migrations")
TABLES = "products, interactions, models, model_parts, popular, placements"


@pytest.fixture(scope="session")
async def recommender_database(new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    """A migrated database."""
    url = await new_database("recommender")
    await asyncio.to_thread(migration.migrate, url, MIGRATIONS, metadata)
    opened = Database(url, application_name="recommender-contract")
    yield opened
    await opened.close()


@pytest.fixture
async def store(recommender_database: Database) -> PostgresRecommender:
    """The real store, empty."""
    async with recommender_database.transaction() as session:
        await (await session.connection()).execute(text(f"TRUNCATE {TABLES} RESTART IDENTITY"))
    return PostgresRecommender(recommender_database, lambda: NOW)
