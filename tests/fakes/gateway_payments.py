"""The payment service behind the gateway in memory; tests/contract/gateway holds it to what the real one does."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import uuid4

from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.order import v1 as order_v1
from protos.gen.ecommerce.payment import v1 as payment_v1
from services.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from services.gateway.payments import Buyer, Refund
from tests.factories.gateway import usd
from tests.fakes.gateway import FakeOrders, FakeServices

_UNPAID = (order_v1.OrderStatus.PLACED, order_v1.OrderStatus.PAYMENT_FAILED)


class FakePayments:
    """Keeps payments in a list; `pay` is what a buyer does on the page."""

    def __init__(self, services: FakeServices, orders: FakeOrders) -> None:
        self._services = services
        self._orders = orders
        self.rows: list[payment_v1.Payment] = []
        self._by_key: dict[str, tuple[Refund, str]] = {}
        self.buyers: list[Buyer] = []

    async def open_checkout(self, token: str, buyer: Buyer, order_id: int, redirect_url: str) -> str:
        self._services.note("payments", "open_checkout")
        order = self._orders.rows.get(order_id)
        if order is None or order.account_id != self._services.caller(token).account_id:
            raise NotFoundError(f"There is no order {order_id}.")
        if order.status not in _UNPAID:
            raise ConflictError("This order is not to be paid.")
        if urlsplit(redirect_url).hostname != urlsplit(buyer.origin).hostname:
            raise InvalidError("This redirect URL is not allowed.")
        self.buyers.append(buyer)
        return f"{buyer.origin}/checkout/{order_id}"

    async def open_portal(self, token: str, buyer: Buyer) -> str:
        self._services.note("payments", "open_portal")
        self.buyers.append(buyer)
        return f"{buyer.origin}/portal/{self._services.caller(token).account_id}"

    async def of_orders(self, token: str, order_ids: Sequence[int]) -> Sequence[Sequence[payment_v1.Payment]]:
        self._services.note("payments", "of_orders")
        caller = self._services.caller(token)
        seen = [row for row in self.rows if caller.is_administrator or row.account_id == caller.account_id]
        return [[row for row in seen if row.order_id == order_id] for order_id in order_ids]

    async def refund(self, token: str, refund: Refund) -> payment_v1.Payment:
        self._services.note("payments", "refund")
        if not self._services.caller(token).is_administrator:
            raise ForbiddenError("Only an administrator can do this.")
        index = next((n for n, row in enumerate(self.rows) if row.id == refund.payment_id), None)
        if index is None:
            raise NotFoundError("There is no such payment.")
        if refund.idempotency_key and refund.idempotency_key in self._by_key:
            return self.rows[index]
        self.rows[index] = _refunding(self.rows[index], refund.amount)
        self._by_key[refund.idempotency_key] = refund, refund.payment_id
        return self.rows[index]

    async def pay(self, order_id: int) -> payment_v1.Payment:
        """The buyer pays; the order becomes PAID."""
        order = self._orders.rows[order_id]
        payment = payment_v1.Payment(
            id=str(uuid4()),
            order_id=order_id,
            account_id=order.account_id,
            provider="sandbox",
            status=payment_v1.PaymentStatus.SUCCEEDED,
            amount=order.total_price,
            refunded=usd(0),
            refunding=usd(0),
            created_at=datetime.now(UTC),
        )
        self.rows.append(payment)
        self._orders.rows[order_id] = replace(order, status=order_v1.OrderStatus.PAID)
        return payment


def _refunding(payment: payment_v1.Payment, amount: Money | None) -> payment_v1.Payment:
    left = _minor(payment.amount) - _minor(payment.refunded) - _minor(payment.refunding)
    wanted = left if amount is None else amount.minor_units
    if not 0 < wanted <= left:
        raise ConflictError("There is not as much left to give back.")
    return replace(payment, refunding=usd(_minor(payment.refunding) + wanted))


def _minor(money: Money | None) -> int:
    return money.minor_units if money else 0
