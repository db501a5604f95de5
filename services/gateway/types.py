"""The types and inputs of the GraphQL schema, and how they are made from the services' messages.

Names, nullability and scalars are the contract's. Fields are plain attributes, filled when the object is made: a
resolver for each would cost more than the whole conversion. The exceptions are an account's orders, an order's
payments and recommended products, which are fetched only when asked for, and for the whole answer at once.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Final, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from protos.gen.ecommerce.account import v1 as account_v1
from protos.gen.ecommerce.order import v1 as order_v1
from protos.gen.ecommerce.payment import v1 as payment_v1
from protos.gen.ecommerce.product import v1 as product_v1
from protos.gen.ecommerce.recommender import v1 as recommender_v1
from services.errors import InvalidError
from services.gateway.context import Info
from services.gateway.loaders import OrdersOf
from services.gateway.money import Currency

# What a page holds when nothing else is asked for, and the most that can be (the contract's cap).
MAX_TAKE: Final = 100

Time = NewType("Time", datetime)


def _rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


TIME: Final[ScalarDefinition] = strawberry.scalar(
    name="Time",
    description="A moment in UTC, as RFC 3339 writes it.",
    specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
    serialize=_rfc3339,
    parse_value=datetime.fromisoformat,
)


@strawberry.input
class PaginationInput:
    """Which part of a list: how many to pass over, how many to answer (at most 100)."""

    skip: int
    take: int


class Page:
    """A checked pagination; InvalidError when a number is negative, `take` capped at 100, all of it by default."""

    def __init__(self, pagination: PaginationInput | None) -> None:
        self.skip, self.take = (pagination.skip, pagination.take) if pagination else (0, MAX_TAKE)
        if self.skip < 0 or self.take < 0:
            raise InvalidError("skip and take must not be negative.")
        self.take = min(self.take, MAX_TAKE)


@strawberry.enum
class OrderStatus(Enum):
    """Where an order stands."""

    PLACED = "PLACED"
    PAID = "PAID"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"


@strawberry.type
class OrderedProduct:
    """A line of an order, as it was at the moment of sale."""

    id: str
    name: str
    description: str
    price: float
    quantity: int


@strawberry.enum
class PaymentStatus(Enum):
    """Where a payment stands."""

    PROCESSING = "PROCESSING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"


@strawberry.type
class Payment:
    """An attempt to pay for an order; `refunding` is on its way back, and not confirmed by the provider yet."""

    id: str
    order_id: int
    provider: str
    status: PaymentStatus
    amount: float
    refunded: float
    refunding: float
    currency: str
    created_at: Time


@strawberry.type
class Order:
    """What was bought, and for how much."""

    id: int
    created_at: Time
    total_price: float
    products: list[OrderedProduct]
    status: OrderStatus

    @strawberry.field
    async def payments(self, info: Info) -> list[Payment] | None:
        """Answers the order's payments, oldest first; null, with an error, while the payment service is away."""
        payments = await info.context.payments_of.load(self.id)
        info.context.spend(len(payments))
        return [payment_of(payment, info.context.currency) for payment in payments]


@strawberry.type
class Account:
    """A person's account."""

    id: int
    name: str
    email: str

    @strawberry.field
    async def orders(self, info: Info, pagination: PaginationInput | None = strawberry.UNSET) -> list[Order]:
        """Answers the account's orders, newest first; the first 100 by default."""
        page = Page(pagination)
        if not page.take:
            return []
        orders = await info.context.orders_of.load(OrdersOf(self.id, page.skip, page.take))
        info.context.spend(sum(1 + len(order.lines) for order in orders))
        return [order_of(order, info.context.currency) for order in orders]


@strawberry.type
class Product:
    """Something that is for sale; `version` grows with every change and guards an update against another."""

    id: str
    name: str
    description: str
    price: float
    account_id: int
    version: int


@strawberry.enum
class RecommendationReason(Enum):
    """Why a product is recommended."""

    TASTE = strawberry.enum_value("TASTE", description="It is near to what the account viewed and bought.")
    VIEWED = strawberry.enum_value("VIEWED", description="It is near to the viewed products that were given.")
    SIMILAR = strawberry.enum_value("SIMILAR", description="Nobody knows it yet; its text is like that of what fits.")
    SEEN = strawberry.enum_value("SEEN", description="The account looked at it and did not buy it.")
    POPULAR = strawberry.enum_value("POPULAR", description="Many view and buy it.")
    NEW = strawberry.enum_value("NEW", description="It is among the newest.")


@strawberry.type
class RecommendedProduct:
    """A product, and why it is recommended."""

    product: Product
    reason: RecommendationReason


@strawberry.type
class Recommendations:
    """What to show next, and which version of the model says so; null while there is none."""

    model_version: int | None
    recommended: strawberry.Private[Sequence[recommender_v1.Recommendation]]

    @strawberry.field
    async def items(self, info: Info) -> list[RecommendedProduct]:
        """Answers the products, best first and as they are now; those that are gone meanwhile are left out."""
        found = await recommended_products(info, self.recommended)
        return [
            RecommendedProduct(product=product, reason=reason_of(each))
            for each, product in zip(self.recommended, found, strict=True)
            if product
        ]


@strawberry.type
class AuthResponse:
    """A signed-in session."""

    token: str


@strawberry.type
class RedirectResponse:
    """Where to send the person next."""

    url: str


@strawberry.input
class RegisterInput:
    """A new account."""

    name: str
    email: str
    password: str


@strawberry.input
class LoginInput:
    """What proves who someone is."""

    email: str
    password: str


@strawberry.input
class CreateProductInput:
    """A new product."""

    name: str
    description: str
    price: float


@strawberry.input
class UpdateProductInput:
    """A product's new name, description and price; with `version`, only if that is still its version."""

    id: str
    name: str
    description: str
    price: float
    version: int | None = strawberry.UNSET


@strawberry.input
class OrderedProductInput:
    """How many pieces of which product."""

    id: str
    quantity: int


@strawberry.input
class OrderInput:
    """A basket."""

    products: list[OrderedProductInput | None]


@strawberry.input
class CustomerPortalSessionInput:
    """Whose past payments to show."""

    account_id: int
    email: str
    name: str


@strawberry.input
class CheckoutProductInput:
    """Kept for older clients: what is paid for is the order's own lines."""

    id: str
    quantity: int


@strawberry.input
class CheckoutInput:
    """Which order to pay, and where to go afterwards."""

    account_id: int
    email: str
    name: str
    redirect_url: str
    products: list[CheckoutProductInput | None]
    order_id: int


@strawberry.input
class RefundInput:
    """What to give back of which payment; without `amount`, all that is left."""

    payment_id: str
    amount: float | None = strawberry.UNSET
    reason: str | None = strawberry.UNSET


def account_of(account: account_v1.Account) -> Account:
    """Answers the account as GraphQL shows it."""
    return Account(id=account.id, name=account.name, email=account.email)


def product_of(product: product_v1.Product, currency: Currency) -> Product:
    """Answers the product as GraphQL shows it."""
    return Product(
        id=product.id,
        name=product.name,
        description=product.description,
        price=currency.to_float(product.price),
        account_id=product.account_id,
        version=product.version,
    )


def products_of(products: Sequence[product_v1.Product], currency: Currency) -> list[Product]:
    """Answers the products as GraphQL shows them, in their order."""
    return [product_of(product, currency) for product in products]


async def recommended_products(
    info: Info, recommended: Sequence[recommender_v1.Recommendation]
) -> list[Product | None]:
    """Answers each product as GraphQL shows it, None for one that does not exist (any more), by one batch."""
    found = await info.context.product_by_id.load_many([each.product_id for each in recommended])
    return [product_of(product, info.context.currency) if product else None for product in found]


def reason_of(recommendation: recommender_v1.Recommendation) -> RecommendationReason:
    """Answers the reason as GraphQL shows it."""
    return RecommendationReason[recommender_v1.Reason(recommendation.reason).name or ""]


def order_of(order: order_v1.Order, currency: Currency) -> Order:
    """Answers the order as GraphQL shows it."""
    if order.created_at is None:
        raise ValueError("An order has no time.")
    return Order(
        id=order.id,
        created_at=Time(order.created_at),
        total_price=currency.to_float(order.total_price),
        products=[_line_of(line, currency) for line in order.lines],
        status=OrderStatus[order_v1.OrderStatus(order.status).name or ""],
    )


def payment_of(payment: payment_v1.Payment, currency: Currency) -> Payment:
    """Answers the payment as GraphQL shows it."""
    if payment.created_at is None:
        raise ValueError("A payment has no time.")
    return Payment(
        id=payment.id,
        order_id=payment.order_id,
        provider=payment.provider,
        status=PaymentStatus[payment_v1.PaymentStatus(payment.status).name or ""],
        amount=currency.to_float(payment.amount),
        refunded=currency.to_float(payment.refunded),
        refunding=currency.to_float(payment.refunding),
        currency=payment.amount.currency if payment.amount else currency.code,
        created_at=Time(payment.created_at),
    )


def _line_of(line: order_v1.OrderLine, currency: Currency) -> OrderedProduct:
    return OrderedProduct(
        id=line.product_id,
        name=line.name,
        description=line.description,
        price=currency.to_float(line.price),
        quantity=line.quantity,
    )
