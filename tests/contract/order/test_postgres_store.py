"""What the store does on PostgreSQL beyond its contract: one schema, few queries, all or nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import asyncpg
import pytest
from sqlalchemy import event

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


class BrokenAnnouncer(Announcer):
    """Fails when the rows are written and their events are not."""

    def placed(self, order: Order) -> list[Event]:
        raise LookupError(f"no events for order {order.id}")

    def status_changed(self, order: Order, previous: OrderStatus) -> Event:
        raise LookupError(f"no event for order {order.id}, which was {previous}")


@contextmanager
def recorded(opened: Database) -> Iterator[list[str]]:
    """Records every statement that is told to the driver or executed in a session meanwhile."""
    statements: list[str] = []
    fetch = opened.fetch

    async def fetching(sql: str, *args: object) -> list[asyncpg.Record]:
        statements.append(sql)
        return await fetch(sql, *args)

    def record(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    engine = opened._engine.sync_engine
    event.listen(engine, "before_cursor_execute", record)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(opened, "fetch", fetching)
        yield statements
    event.remove(engine, "before_cursor_execute", record)


async def test_the_migrations_make_what_the_models_say(new_database: Callable[[str], Awaitable[str]]) -> None:
    """Nothing is left for a further migration; running them again is harmless."""
    url = await new_database("order")
    tables = {"orders", "order_lines", "outbox"}
    for _ in range(2):
        assert await asyncio.to_thread(pending_changes, url, MIGRATIONS, OrderRecord.metadata, tables) == []


async def test_a_page_is_one_statement_for_any_number_of_accounts(
    order_database: Database, postgres_kept: Kept
) -> None:
    """Orders and lines come together, for one account as for a hundred."""
    for account_id in range(1, 101):
        await postgres_kept.store.add(draft(account_id, line("a"), line("b")), None)
    for accounts in (1, 100):
        with recorded(order_database) as statements:
            pages = await postgres_kept.store.page(range(1, accounts + 1), 0, 10)
        assert sum(len(orders) for orders in pages.values()) == accounts
        assert [len(order.lines) for orders in pages.values() for order in orders] == [2] * accounts
        assert len(statements) == 1


async def test_an_order_is_two_statements_for_any_number_of_lines(
    order_database: Database, postgres_kept: Kept
) -> None:
    """One writes the order with its lines, one its events."""
    for lines in (1, 20):
        with recorded(order_database) as statements:
            kept = await postgres_kept.store.add(draft(7, *(line(f"p{n}") for n in range(lines))), None)
        assert len(statements) == 2
        assert await postgres_kept.store.get(kept.order.id) == kept.order


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
