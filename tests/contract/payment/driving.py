"""What tests of the payment store do again and again."""

from datetime import timedelta

from services.payment.domain import (
    BegunCheckout,
    Delivery,
    Fact,
    OpenedCheckout,
    Order,
    OrderStatus,
    OrderUpdate,
    Outcome,
    Payment,
    PaymentStatus,
    RefundRequest,
)
from services.payment.store import PostgresPayments
from tests.contract.payment.conftest import Kept
from tests.factories.payment import order

BACK = "https://shop.example.com/thanks"


async def begun(kept: Kept, asked: Order | None = None, back: str = BACK, **contact: str) -> BegunCheckout:
    """Begins a checkout that lasts an hour."""
    email, name = contact.get("email", "b@example.com"), contact.get("name", "Buyer")
    return await kept.store.begin_checkout(asked or order(), email, name, back, kept.clock() + timedelta(hours=1))


async def opened(kept: Kept, asked: Order | None = None, back: str = BACK) -> str:
    """Begins a checkout and opens its page, whose id at the provider is "cs_" and the session's; answers that one."""
    session = (await begun(kept, asked, back)).session
    page = OpenedCheckout(f"cs_{session.id}", f"/checkout/{session.id}")
    await kept.store.opened_checkout(session.id, "cus_1", page)
    return session.id


async def deliver(kept: Kept, *facts: Fact, name: str = "") -> Outcome:
    """Applies the facts as one delivery, under a name of its own unless one is given."""
    deliveries.append(None)
    return await kept.store.apply(Delivery(name or f"evt_{len(deliveries)}", "some.type", facts))


deliveries: list[None] = []


async def told(store: PostgresPayments) -> list[OrderStatus]:
    """Answers all steps that wait, in the order in which the order service would be told, and takes them off."""
    steps: list[OrderStatus] = []
    while claimed := await store.claim_order_updates(10):
        for update in claimed:
            steps.append(update.status)
            await store.order_update_done(update.id)
    return steps


async def staged(store: PostgresPayments) -> OrderUpdate:
    """Answers the one step that can be told now."""
    (update,) = await store.claim_order_updates(10)
    return update


async def requested(store: PostgresPayments) -> list[RefundRequest]:
    """Answers the refunds that wait."""
    return [job.request for job in await store.claim_refunds(10)]


async def payments(store: PostgresPayments, order_id: int = 1) -> list[tuple[PaymentStatus, int, int]]:
    """Answers (status, refunded, refunding) of each payment of an order."""
    return [standing(payment) for payment in await store.payments_for_orders([order_id], None)]


def standing(payment: Payment) -> tuple[PaymentStatus, int, int]:
    return payment.status, payment.refunded_minor, payment.refunding_minor
