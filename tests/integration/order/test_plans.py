"""How PostgreSQL reads a million orders: by their indexes, whatever is asked for."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import pytest

import services.order
from services.database import Database
from services.order import statements
from services.order.events import Announcer
from services.order.models import OrderRecord
from services.order.paging import MAX_ANSWER
from services.order.store import PostgresStore
from tests.factories.order import NOW
from tests.integration.plans import filled, plan

ACCOUNTS: Final = 10_000
# Not logged, and without the checks: what is asked is how it is read. Indexes come last, as in any fast load.
_FILL: Final = (
    "ALTER TABLE order_lines DROP CONSTRAINT order_lines_order_id_fkey, DROP CONSTRAINT order_lines_pkey",
    "DROP INDEX orders_account_id_id, orders_account_id_idempotency_key",
    "ALTER TABLE orders DROP CONSTRAINT orders_pkey",
    "ALTER TABLE orders SET UNLOGGED",
    "ALTER TABLE order_lines SET UNLOGGED",
    (
        "INSERT INTO orders OVERRIDING SYSTEM VALUE SELECT n, n % 10000 + 1, 'placed', 1999, 'USD', now(), now(), 100,"
        " 'key-' || n, 'f' FROM generate_series(1, 1000000) AS n"
    ),
    "INSERT INTO order_lines SELECT n, 0, 'p', 'Kettle', 'Boils water.', 1999, 1 FROM generate_series(1, 1000000) AS n",
    "ALTER TABLE orders ADD CONSTRAINT orders_pkey PRIMARY KEY (id)",
    "ALTER TABLE order_lines ADD CONSTRAINT order_lines_pkey PRIMARY KEY (order_id, position)",
    "CREATE INDEX orders_account_id_id ON orders (account_id, id)",
    "CREATE UNIQUE INDEX orders_account_id_idempotency_key ON orders (account_id, idempotency_key)",
    "VACUUM ANALYZE orders",
    "VACUUM ANALYZE order_lines",
)


@pytest.fixture(scope="module")
async def database(new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Database]:
    """A million orders of ten thousand accounts, with a line and a key each."""
    async with filled(new_database, services.order, OrderRecord.metadata, _FILL) as opened:
        yield opened


@pytest.mark.parametrize(
    ("sql", "args", "index"),
    [
        pytest.param(statements.BY_ID, (500_000,), "orders_pkey", id="one"),
        pytest.param(statements.BY_KEY, (1, "key-10000"), "orders_account_id_idempotency_key", id="by key"),
        pytest.param(
            statements.PAGE, (list(range(1, 101)), 10, 20, MAX_ANSWER), "orders_account_id_id", id="page of each"
        ),
    ],
)
async def test_hot_reads_follow_their_indexes(
    database: Database, sql: str, args: tuple[object, ...], index: str
) -> None:
    """Neither the orders nor their lines are read from end to end, and nothing is sorted."""
    explained = await plan(database, sql, *args)
    assert f"using {index}" in explained
    assert "using order_lines_pkey" in explained
    assert "Seq Scan" not in explained
    assert "Sort" not in explained


async def test_lines_of_a_page_that_is_too_large_are_not_read(database: Database) -> None:
    """Where the orders' sizes are beyond what fits, the way to their lines is not begun."""
    explained = await plan(database, statements.PAGE, list(range(1, 101)), 0, 20, 1)
    (scan,) = [line for line in explained.splitlines() if "using order_lines_pkey" in line]
    assert "never executed" in scan


async def test_pages_are_right_among_a_million(database: Database) -> None:
    """Each account has its newest first, and an account without orders has an empty page."""
    store = PostgresStore(database, Announcer(str), lambda: NOW, lambda: None)
    pages = await store.page([2, ACCOUNTS + 1, 1], 1, 2)
    shown = {account_id: [order.id for order in orders] for account_id, orders in pages.items()}
    assert shown == {2: [980_001, 970_001], ACCOUNTS + 1: [], 1: [990_000, 980_000]}
    assert {len(order.lines) for orders in pages.values() for order in orders} == {1}
