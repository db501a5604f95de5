"""What the store does on PostgreSQL beyond its contract: one schema, few queries, all or nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text

from services.database import Database
from services.errors import UnavailableError
from services.events import Event
from services.migration import pending_changes
from services.order.domain import Order
from services.order.events import Announcer
from services.order.models import OrderRecord
from services.order.status import OrderStatus
from services.order.store import PostgresStore
from tests.contract.order.conftest import MIGRATIONS, Kept
from tests.factories.order import NOW, draft, key, line

Statement = tuple[str, Sequence[Any]]

MANY_ORDERS = """
    INSERT INTO orders (account_id, status, total_minor, currency, created_at, updated_at, size)
    SELECT n % 400 + 1, 'placed', n, 'USD', now(), now(), 100 FROM generate_series(1, 40000) n
"""
A_LINE_EACH = "INSERT INTO order_lines SELECT id, 0, 'p', 'n', 'd', 1, 1 FROM orders"
MANY_KEYS = """
    INSERT INTO orders (account_id, status, total_minor, currency, created_at, updated_at, size,
                        idempotency_key, request_fingerprint)
    SELECT 7, 'placed', n, 'USD', now(), now(), 100, 'key-' || n, 'f' FROM generate_series(1, 10000) n
"""


class BrokenAnnouncer(Announcer):
    """Fails when the rows are written and their events are not."""

    def placed(self, order: Order) -> list[Event]:
        raise LookupError(f"no events for order {order.id}")

    def status_changed(self, order: Order, previous: OrderStatus) -> Event:
        raise LookupError(f"no event for order {order.id}, which was {previous}")


@contextmanager
def recorded(opened: Database) -> Iterator[list[Statement]]:
    """Records every statement that is executed meanwhile."""
    statements: list[Statement] = []

    def record(_connection: object, _cursor: object, statement: str, parameters: Sequence[Any], *_: object) -> None:
        statements.append((statement, parameters))

    engine = opened._engine.sync_engine
    event.listen(engine, "before_cursor_execute", record)
    yield statements
    event.remove(engine, "before_cursor_execute", record)


async def execute(opened: Database, *statements: str) -> None:
    async with opened.transaction() as session:
        for statement in statements:
            await (await session.connection()).execute(text(statement))


async def plan(opened: Database, statement: Statement) -> str:
    """How PostgreSQL would execute it."""
    async with opened.session() as session:
        driver: Any = (await (await session.connection()).get_raw_connection()).driver_connection
        return "\n".join(row[0] for row in await driver.fetch(f"EXPLAIN {statement[0]}", *statement[1]))


async def test_the_migrations_make_what_the_models_say(new_database: Callable[[str], Awaitable[str]]) -> None:
    """Nothing is left for a further migration; running them again is harmless."""
    url = await new_database("order")
    tables = {"orders", "order_lines", "outbox"}
    for _ in range(2):
        assert await asyncio.to_thread(pending_changes, url, MIGRATIONS, OrderRecord.metadata, tables) == []


async def test_a_page_costs_two_queries_for_any_number_of_accounts(
    order_database: Database, postgres_kept: Kept
) -> None:
    """One for the orders and one for all their lines, for one account as for a hundred."""
    for account_id in range(1, 101):
        await postgres_kept.store.add(draft(account_id, line("a"), line("b")), None)
    for accounts in (1, 100):
        with recorded(order_database) as statements:
            pages = await postgres_kept.store.page(range(1, accounts + 1), 0, 10)
        assert sum(len(orders) for orders in pages.values()) == accounts
        assert len(statements) == 2


async def test_pages_are_read_through_the_indexes(order_database: Database, postgres_kept: Kept) -> None:
    """Among 40,000 orders of 400 accounts, the pages of twenty are found without reading or sorting the others."""
    await execute(order_database, MANY_ORDERS, A_LINE_EACH, "ANALYZE orders, order_lines")
    with recorded(order_database) as statements:
        pages = await postgres_kept.store.page(range(1, 21), 10, 5)
    assert [len(orders) for orders in pages.values()] == [5] * 20
    orders_plan, lines_plan = [await plan(order_database, statement) for statement in statements]
    assert "Index Scan Backward using orders_account_id_id" in orders_plan
    assert "using order_lines_pkey" in lines_plan
    assert "Seq Scan" not in orders_plan + lines_plan


async def test_a_key_is_found_through_its_index(order_database: Database, postgres_kept: Kept) -> None:
    """Also where one account has very many orders."""
    await execute(order_database, MANY_KEYS, "ANALYZE orders")
    with recorded(order_database) as statements:
        found = await postgres_kept.store.find(7, "key-5000")
    assert found is not None
    assert "orders_account_id_idempotency_key" in await plan(order_database, statements[0])


async def test_an_order_is_written_with_its_events_or_not_at_all(order_database: Database, postgres_kept: Kept) -> None:
    """When the events cannot be staged, no order and no change of status is left, nor is anything announced."""
    placed = (await postgres_kept.store.add(draft(), None)).order
    commits: list[None] = []
    broken = PostgresStore(
        order_database,
        BrokenAnnouncer(str),
        lambda: NOW,
        lambda: commits.append(None),
    )
    with pytest.raises(LookupError):
        await broken.add(draft(), key("k"))
    with pytest.raises(LookupError):
        await broken.change_status(placed.id, OrderStatus.PAID)
    assert (await postgres_kept.store.page([7], 0, 10))[7] == [placed]
    assert await postgres_kept.store.find(7, "k") is None
    assert len(await postgres_kept.staged()) == 2
    assert commits == []


async def test_an_absent_database_is_unavailable() -> None:
    """Every verb says so, with the error that tells the caller to come back."""
    absent = Database("postgresql://nobody:nothing@127.0.0.1:1/none")
    store = PostgresStore(absent, Announcer(str), lambda: NOW, lambda: None)
    for call in (
        store.find(7, "k"),
        store.add(draft(), None),
        store.page([7], 0, 1),
        store.change_status(1, OrderStatus.PAID),
    ):
        with pytest.raises(UnavailableError):
            await call
    await absent.close()
