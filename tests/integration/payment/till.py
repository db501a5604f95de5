"""A shop that takes money, as processes, with the network between provider and shop in the tests' hands.

The built-in provider's webhooks go nowhere by themselves: a test takes them from the provider's queue and delivers
them when, as often, and in whatever order it likes.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import stamina
from sqlalchemy import text

from local.datastores import Datastores
from local.platform import Platform
from protos.gen.ecommerce.order import v1 as order_v1
from protos.gen.ecommerce.payment import v1 as payment_v1
from services import rpc
from services.database import Database
from services.errors import UnavailableError
from services.payment import standard_webhooks
from tests.integration.holding import Held, held
from tests.integration.order.conftest import Person, Shop

BACK: Final = "http://127.0.0.1/back"
# Longest that anything takes which tests wait for: a lease of 30 seconds, and a busy machine.
PATIENCE: Final = 90.0
# Where nobody listens: the provider's own deliveries get lost.
NOWHERE: Final = "http://127.0.0.1:9/webhook/payment"


@dataclass(frozen=True)
class Posted:
    """A webhook as the provider has written it."""

    id: str
    type: str
    body: bytes


class Till(Shop):
    """The services, and what a buyer, the provider and the network do."""

    def __init__(self, platform: Platform, orders: Database, payments: Database, stack: AsyncExitStack) -> None:
        super().__init__(platform, orders, stack)
        self.payments_database = payments
        self.http = httpx.AsyncClient(timeout=30, trust_env=False)
        stack.push_async_callback(self.http.aclose)
        self.payments = self._channel("payment").stub(payment_v1.PaymentServiceStub)
        self._secrets = platform.environment("payment")["WEBHOOK_SECRETS"].split(",")

    async def checkout(self, buyer: Person, order_id: int, redirect_url: str = BACK) -> str:
        """Answers the address of the page; waits for a payment service that has just come back."""
        request = payment_v1.CreateCheckoutSessionRequest(
            order_id=order_id, email="buyer@example.com", name="Buyer", redirect_url=redirect_url
        )
        async for attempt in stamina.retry_context(on=UnavailableError, attempts=None, timeout=30, wait_max=0.2):
            with attempt, rpc.acting_as(buyer.token):
                return (await self.payments.create_checkout_session(request)).url
        raise AssertionError("unreachable")

    async def press(self, page: str, button: str) -> int:
        """Presses a button of a page; answers the status."""
        return (await self.http.post(f"{page}/{button}")).status_code

    async def paid_page(self, buyer: Person, order_id: int, redirect_url: str = BACK) -> None:
        """Opens a page and pays on it; the shop is not told."""
        assert await self.press(await self.checkout(buyer, order_id, redirect_url), "pay") == 303

    async def posted(self, order_id: int) -> list[Posted]:
        """Answers the webhooks that the provider has written about an order, in the order of writing."""
        rows = await self.sql(
            "SELECT id, type, body FROM sandbox_deliveries WHERE body::jsonb->'data'->>'payment_id' IN"
            " (SELECT p.id FROM sandbox_payments p JOIN sandbox_checkouts c ON c.id = p.checkout_id"
            " WHERE c.order_id = :order) ORDER BY id",
            order=order_id,
        )
        return [Posted(row.id, row.type, row.body.encode()) for row in rows]

    async def deliver(self, posted: Posted, *, seconds: float = 0, instance: str = "payment") -> httpx.Response:
        """Delivers a webhook, signed by a clock that is off by so many seconds."""
        headers = standard_webhooks.sign(
            self._secrets, posted.id, datetime.now(UTC) + timedelta(seconds=seconds), posted.body
        )
        port = self.platform.environment(instance)["HTTP_PORT"]
        return await self.http.post(f"http://127.0.0.1:{port}/webhook/payment", content=posted.body, headers=headers)

    async def delivered(self, *posted: Posted) -> list[str]:
        """Delivers them one after the other; answers the outcomes."""
        answers = [await self.deliver(one) for one in posted]
        assert [answer.status_code for answer in answers] == [200] * len(answers), [a.text for a in answers]
        return [answer.json()["outcome"] for answer in answers]

    async def status(self, viewer: Person, order_id: int) -> str:
        """Answers an order's status."""
        with rpc.acting_as(viewer.token):
            order = (await self.orders.get_order(order_v1.GetOrderRequest(id=order_id))).order
        assert order is not None
        return str(order.status.name)

    async def becomes(self, viewer: Person, status: str, *order_ids: int, within: float = PATIENCE) -> None:
        """Waits until all of the orders have the status."""
        left, seen = set(order_ids), dict[int, str]()
        try:
            async with asyncio.timeout(within):
                while left:
                    for order_id in list(left):
                        try:
                            seen[order_id] = await self.status(viewer, order_id)
                        except UnavailableError:
                            seen[order_id] = "away"
                        if seen[order_id] == status:
                            left.remove(order_id)
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"not {status}: { {one: seen.get(one) for one in left} }") from None

    async def shown_payments(self, viewer: Person, order_id: int) -> list[payment_v1.Payment]:
        """Answers the payments of an order."""
        with rpc.acting_as(viewer.token):
            request = payment_v1.GetPaymentsForOrdersRequest(order_ids=[order_id])
            return (await self.payments.get_payments_for_orders(request)).payments

    async def sql(self, statement: str, **values: Any) -> Sequence[Any]:
        """Answers rows of the payment service's database."""
        async with self.payments_database.session() as session:
            return (await (await session.connection()).execute(text(statement), values)).all()

    async def change(self, statement: str, **values: Any) -> None:
        """Changes its database behind its back."""
        async with self.payments_database.transaction() as session:
            await (await session.connection()).execute(text(statement), values)

    async def until(self, statement: str, wanted: object, within: float = PATIENCE, **values: Any) -> None:
        """Waits until a statement's single value is this; it is another process's doing."""
        found: object = None
        try:
            async with asyncio.timeout(within):
                while True:
                    rows = await self.sql(statement, **values)
                    found = rows[0][0] if rows else None
                    if found == wanted:
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{found!r} is not {wanted!r}: {statement}") from None

    async def settled(self, order_id: int) -> None:
        """Waits until nothing about an order is still to be told or given back."""
        await self.until("SELECT count(*) FROM order_updates WHERE order_id = :o AND refusal IS NULL", 0, o=order_id)
        await self.until(
            "SELECT count(*) FROM refunds r JOIN payments p ON p.id = r.payment_id"
            " WHERE p.order_id = :o AND r.status IN ('requested', 'pending')",
            0,
            o=order_id,
        )

    async def killed(self, instance: str = "payment") -> None:
        """Kills the payment service by SIGKILL."""
        await self.platform.service(instance).kill()

    async def leases_end(self) -> None:
        """Makes half a minute pass for what a killed service was at; one test waits for it in earnest."""
        for table in ("order_updates", "refunds", "provider_products"):
            await self.change(f"UPDATE {table} SET claimed_until = now()")  # noqa: S608 names of our own

    async def started(self, instance: str = "payment") -> None:
        """Starts it again, and waits until this client reaches it."""
        await self.platform.service(instance).start()
        async for attempt in stamina.retry_context(on=UnavailableError, attempts=None, timeout=30, wait_max=0.2):
            with attempt, rpc.acting_as((await self.administrator()).token):
                await self.payments.get_payments_for_orders(payment_v1.GetPaymentsForOrdersRequest(order_ids=[1]))

    def held(self, table: str, event: str, when: str = "true") -> AbstractAsyncContextManager[Held]:
        """Makes whoever writes a table so wait inside the transaction, until the block is left."""
        return held(self.payments_database, table, event, when)


@asynccontextmanager
async def open_till(datastores: Datastores, settings: Mapping[str, str] | None = None) -> AsyncIterator[Till]:
    """Starts account, product, order and two payment services, of which the second one is stopped again."""
    payment = {"SANDBOX_WEBHOOK_URL": NOWHERE, **(settings or {})}
    async with AsyncExitStack() as stack:
        instances = ("account", "product", "order", "payment", "payment-2")
        platform = Platform(instances=instances, overrides={"payment": payment}, datastores=datastores)
        await stack.enter_async_context(platform)
        await platform.service("payment-2").stop()
        databases = [
            await stack.enter_async_context(Database(platform.environment(name)["DATABASE_URL"], pool_size=3))
            for name in ("order", "payment")
        ]
        yield Till(platform, databases[0], databases[1], stack)
