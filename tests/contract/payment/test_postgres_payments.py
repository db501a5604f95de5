"""What the store does on PostgreSQL beyond its contract: one schema, all or nothing, and a database that is away."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import event, text

from services.database import Database
from services.errors import UnavailableError
from services.migration import pending_changes
from services.payment.domain import Delivery, OrderStatus, Outcome
from services.payment.models import OrderPaymentRecord
from services.payment.providers.sandbox import models as sandbox_models
from tests.contract.payment.conftest import MIGRATIONS, TABLES, Kept, opened_kept
from tests.contract.payment.driving import begun, opened, requested, told
from tests.factories.payment import payment_fact


async def test_the_migrations_make_what_the_models_say(new_database: Callable[[str], Awaitable[str]]) -> None:
    """Nothing is left to change after the newest revision, the built-in provider's tables included."""
    url = await new_database("payment")
    metadata = OrderPaymentRecord.metadata
    own = {name for name in metadata.tables if name in TABLES.split(", ") or name.startswith("sandbox_")}
    assert sandbox_models.__name__
    assert len(own) == 13
    assert await asyncio.to_thread(pending_changes, url, Path(MIGRATIONS), metadata, own) == []


async def test_a_delivery_that_is_not_committed_was_never_there(payment_database: Database, kept: Kept) -> None:
    """Whatever step fails, nothing of it is written, and its repetition does all of it."""
    session = await opened(kept)
    delivery = Delivery("evt_1", "paid", (payment_fact(session_id=session),))
    statements: list[str] = []
    engine = payment_database._engine.sync_engine

    def failing(*arguments: object) -> None:
        statements.append(str(arguments[2]))
        if len(statements) == fail_at:
            raise ConnectionResetError("The connection is gone.")

    fail_at, failures = 1, 0
    while True:
        statements.clear()
        event.listen(engine, "before_cursor_execute", failing)
        try:
            outcome = await kept.store.apply(delivery)
            break
        except UnavailableError:
            failures += 1
        finally:
            event.remove(engine, "before_cursor_execute", failing)
        assert await told(kept.store) == []
        assert await kept.store.payments_for_orders([1], None) == []
        fail_at += 1
    assert outcome == Outcome.APPLIED
    assert failures >= 8
    assert await told(kept.store) == [OrderStatus.PAID]


async def test_money_owed_is_given_back_once_whatever_happens(payment_database: Database, kept: Kept) -> None:
    """Also when several replicas settle the same order at the same moment."""
    session = await opened(kept)
    await kept.store.order_cancelled(1)
    stores = [opened_kept(payment_database, "sandbox").store for _ in range(8)]
    fact = payment_fact(session_id=session)
    await asyncio.gather(
        *(store.apply(Delivery(f"evt_{number}", "paid", (fact,))) for number, store in enumerate(stores[:4])),
        *(store.order_cancelled(1) for store in stores[4:]),
        return_exceptions=True,
    )
    assert len(await requested(kept.store)) == 1


async def test_an_open_session_is_one_an_order(payment_database: Database, kept: Kept) -> None:
    """The database itself holds that, whoever writes."""
    first = await begun(kept)
    async with payment_database.session() as session:
        found = await (await session.connection()).execute(
            text("SELECT indexdef FROM pg_indexes WHERE indexname = :n"), {"n": "checkout_sessions_live"}
        )
        definition = str(found.scalar_one())
    assert "UNIQUE" in definition
    assert "opening" in definition
    assert (await begun(kept)).session.id == first.session.id


async def test_without_a_database_every_question_is_unavailable() -> None:
    """An error on which the caller can act."""
    async with Database("postgresql://nobody:nothing@127.0.0.1:1/none") as nowhere:
        kept = opened_kept(nowhere)
        for question in (
            begun(kept),
            kept.store.apply(Delivery("evt", "paid")),
            kept.store.claim_order_updates(1),
            kept.store.payments_for_orders([1], None),
            kept.store.claim_listings(1),
        ):
            with pytest.raises(UnavailableError):
                await question
