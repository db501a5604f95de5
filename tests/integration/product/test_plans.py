"""How PostgreSQL reads a catalogue of a million products: by the primary key's index, whatever is asked for."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import pytest

import services.product
from services.database import Database
from services.product import store
from services.product.models import ProductRecord
from services.product.store import PostgresProducts
from tests.factories.product import announcer
from tests.integration.plans import filled, plan

ROWS: Final = 1_000_000
# The number in ids of version 7's form, so that their order is the number's.
_ID: Final = "('01900000-0000-7000-8000-' || lpad(to_hex({}), 12, '0'))::uuid"
# Not logged, and without the checks: what is asked is how it is read. The primary key comes last, as in any fast load.
_FILL: Final = (
    "ALTER TABLE products DROP CONSTRAINT products_pkey",
    "ALTER TABLE products SET UNLOGGED",
    "INSERT INTO products SELECT "  # noqa: S608 of constants
    + _ID.format("n")
    + ", 'Kettle ' || n, 'Boils water.', 1999, 'USD', n % 5000, 1, "
    "timestamptz '2026-01-01', timestamptz '2026-01-01' FROM generate_series(1, " + str(ROWS) + ") AS n",
    "ALTER TABLE products ADD CONSTRAINT products_pkey PRIMARY KEY (id)",
    "VACUUM ANALYZE products",
)


def numbered(number: int) -> str:
    """Answers the id of the product of this number."""
    return f"01900000-0000-7000-8000-{number:012x}"


@pytest.fixture(scope="module")
async def database(new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    """A million products as the newest migration keeps them."""
    async with filled(new_database, services.product, ProductRecord.metadata, _FILL) as opened:
        yield opened


@pytest.mark.parametrize(
    ("sql", "args"),
    [
        pytest.param(store.ONE, (numbered(500_000),), id="one"),
        pytest.param(store.MANY, ([numbered(number) for number in range(1, ROWS, 10_000)],), id="by ids"),
        pytest.param(store.FIRST, (20,), id="first page"),
        pytest.param(store.DEEP, (20, 20_000), id="page 1,000"),
        pytest.param(store.NEXT, (1_000, numbered(500_000)), id="next batch"),
    ],
)
async def test_hot_reads_follow_the_primary_key(database: Database, sql: str, args: tuple[object, ...]) -> None:
    """No hot read goes through the table or sorts anything."""
    explained = await plan(database, sql, *args)
    assert "using products_pkey" in explained or "on products_pkey" in explained
    assert "Seq Scan" not in explained
    assert "Sort" not in explained


async def test_skipped_products_are_not_read(database: Database) -> None:
    """The way to a far page leads through the index alone: not one of the rows that are skipped is looked at."""
    explained = await plan(database, store.DEEP, 20, 20_000)
    assert "Index Only Scan using products_pkey" in explained
    assert "Heap Fetches: 0" in explained


async def test_pages_are_right_however_far(database: Database) -> None:
    """A page begins behind what is skipped, the last one is shorter, and there is nothing behind it."""
    products = PostgresProducts(database, announcer(), lambda: None)
    far = await products.page(20_000, 20)
    assert [product.id for product in far] == [numbered(number) for number in range(20_001, 20_021)]
    assert [product.name for product in await products.page(ROWS - 2, 20)] == [f"Kettle {ROWS - 1}", f"Kettle {ROWS}"]
    assert await products.page(ROWS, 20) == []
