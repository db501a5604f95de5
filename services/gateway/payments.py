"""The payment service as the gateway sees it: a port and its client over gRPC, as in clients.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.payment import v1 as payment_v1
from services import rpc
from services.gateway.clients import present


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who pays: the address and name for the provider, and where that person reached the platform."""

    email: str
    name: str
    origin: str


@dataclass(frozen=True, slots=True)
class Refund:
    """What an administrator wants given back; no `amount` is all that is left."""

    payment_id: str
    amount: Money | None
    reason: str
    idempotency_key: str


class Payments(Protocol):
    """Who paid what."""

    async def open_checkout(self, token: str, buyer: Buyer, order_id: int, redirect_url: str) -> str:
        """Answers the URL of the page on which the order is paid.

        NotFoundError for an order that is not the token's, ConflictError for one that cannot be paid (any more),
        InvalidError for a redirect URL that is not allowed.
        """

    async def open_portal(self, token: str, buyer: Buyer) -> str:
        """Answers the URL of the page with the past payments of the token's account."""

    async def of_orders(self, token: str, order_ids: Sequence[int]) -> Sequence[Sequence[payment_v1.Payment]]:
        """Answers each order's payments, oldest first, in the order of the ids; none of orders of others."""

    async def refund(self, token: str, refund: Refund) -> payment_v1.Payment:
        """Gives money back; ForbiddenError for all but administrators, NotFoundError, ConflictError for too much."""


class PaymentsClient:
    """Payments over gRPC."""

    def __init__(self, channel: rpc.Channel) -> None:
        self._stub = channel.stub(payment_v1.PaymentServiceStub)

    async def open_checkout(self, token: str, buyer: Buyer, order_id: int, redirect_url: str) -> str:
        """See Payments."""
        request = payment_v1.CreateCheckoutSessionRequest(
            order_id=order_id,
            email=buyer.email,
            name=buyer.name,
            redirect_url=redirect_url,
            origin=buyer.origin,
        )
        with rpc.acting_as(token):
            return (await self._stub.create_checkout_session(request)).url

    async def open_portal(self, token: str, buyer: Buyer) -> str:
        """See Payments."""
        request = payment_v1.CreateCustomerPortalSessionRequest(email=buyer.email, name=buyer.name, origin=buyer.origin)
        with rpc.acting_as(token):
            return (await self._stub.create_customer_portal_session(request)).url

    async def of_orders(self, token: str, order_ids: Sequence[int]) -> Sequence[Sequence[payment_v1.Payment]]:
        """See Payments."""
        with rpc.acting_as(token):
            request = payment_v1.GetPaymentsForOrdersRequest(order_ids=list(order_ids))
            answer = await self._stub.get_payments_for_orders(request)
        found: dict[int, list[payment_v1.Payment]] = {order_id: [] for order_id in order_ids}
        for payment in answer.payments:
            found.setdefault(payment.order_id, []).append(payment)
        return [found[order_id] for order_id in order_ids]

    async def refund(self, token: str, refund: Refund) -> payment_v1.Payment:
        """See Payments."""
        request = payment_v1.RefundPaymentRequest(
            payment_id=refund.payment_id,
            amount=refund.amount,
            reason=refund.reason,
            idempotency_key=refund.idempotency_key,
        )
        with rpc.acting_as(token):
            return present((await self._stub.refund_payment(request)).payment)
