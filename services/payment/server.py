"""The payment service on gRPC: protobuf in and out, nothing else."""

from protos.gen.ecommerce.payment import v1 as payment_v1
from services import rpc
from services.payment.messages import amount_of, payment_message
from services.payment.service import PaymentService


class PaymentServer(payment_v1.PaymentServiceBase):
    """Answers each call as whoever its verified token says is calling."""

    def __init__(self, service: PaymentService) -> None:
        self._service = service

    async def create_checkout_session(
        self, message: payment_v1.CreateCheckoutSessionRequest
    ) -> payment_v1.CreateCheckoutSessionResponse:
        """Opens the page on which an order of the caller can be paid."""
        url = await self._service.create_checkout(
            rpc.caller(), message.order_id, message.email, message.name, message.redirect_url, message.origin
        )
        return payment_v1.CreateCheckoutSessionResponse(url=url)

    async def create_customer_portal_session(
        self, message: payment_v1.CreateCustomerPortalSessionRequest
    ) -> payment_v1.CreateCustomerPortalSessionResponse:
        """Opens the page with the caller's payments."""
        url = await self._service.create_portal(rpc.caller(), message.email, message.name, message.origin)
        return payment_v1.CreateCustomerPortalSessionResponse(url=url)

    async def get_payments_for_orders(
        self, message: payment_v1.GetPaymentsForOrdersRequest
    ) -> payment_v1.GetPaymentsForOrdersResponse:
        """Answers the payments of many orders, oldest first."""
        payments = await self._service.payments_for_orders(rpc.caller(), message.order_ids)
        return payment_v1.GetPaymentsForOrdersResponse(payments=[payment_message(payment) for payment in payments])

    async def refund_payment(self, message: payment_v1.RefundPaymentRequest) -> payment_v1.RefundPaymentResponse:
        """Has money given back."""
        payment = await self._service.refund(
            rpc.caller(), message.payment_id, amount_of(message.amount), message.reason, message.idempotency_key
        )
        return payment_v1.RefundPaymentResponse(payment=payment_message(payment))
