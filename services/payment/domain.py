"""What the payment service talks about. Amounts are whole minor units of a currency, times are UTC.

A provider tells facts: a payment stands so, a refund stands so, a checkout is over. A fact never says what has to be
done, and the same facts in any order and number end in the same state (state.py).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PaymentStatus(StrEnum):
    """How far a payment came; the values are what the database keeps."""

    PROCESSING = "processing"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"


class RefundStatus(StrEnum):
    """How far a refund came; REQUESTED is ours, before the provider knows of it."""

    REQUESTED = "requested"
    PENDING = "pending"
    FAILED = "failed"
    SUCCEEDED = "succeeded"


class CheckoutStatus(StrEnum):
    """Where a checkout session stands; OPENING is ours, until the provider's answer is stored."""

    OPENING = "opening"
    OPEN = "open"
    COMPLETED = "completed"
    EXPIRED = "expired"


class OrderStatus(StrEnum):
    """Where an order stands, in the order service's words."""

    PLACED = "placed"
    PAID = "paid"
    PAYMENT_FAILED = "payment_failed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"


@dataclass(frozen=True, slots=True)
class Line:
    """One product of an order, at the price of the moment of sale; `price_minor` is for one piece."""

    product_id: str
    name: str
    price_minor: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the order service tells it."""

    id: int
    account_id: int
    status: OrderStatus
    currency: str
    total_minor: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A product for the provider's list, as it is after its newest event; `price_minor` is for one piece."""

    product_id: str
    name: str
    description: str
    price_minor: int
    currency: str
    version: int


@dataclass(frozen=True, slots=True)
class Customer:
    """Whom the provider deals with; `provider_customer_id` is empty until the provider has named one."""

    account_id: int
    email: str
    name: str
    provider_customer_id: str = ""


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """What a checkout page is opened with.

    `session_id` is ours, unique, and the idempotency key towards the provider: the same request twice opens one page.
    `provider_products` holds the provider's id of each line's product that has one.
    """

    session_id: str
    order: Order
    customer: Customer
    redirect_url: str
    expires_at: datetime
    provider_products: dict[str, str]


@dataclass(frozen=True, slots=True)
class OpenedCheckout:
    """A checkout page. A `url` that begins with "/" is on the platform's own public address."""

    provider_session_id: str
    url: str


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """What a refund is asked for with; `refund_id` is ours and the idempotency key: twice the same is one refund."""

    refund_id: str
    provider_payment_id: str
    amount_minor: int
    currency: str
    reason: str


@dataclass(frozen=True, slots=True)
class PaymentFact:
    """A payment stands so.

    `session_id` is the one that we gave the provider when the page was opened; empty where it does not tell it.
    `amount_minor` is what the buyer paid or would pay in `currency`; `tax_minor` is the part that is the provider's
    own addition to the order's total (a merchant of record adds sales tax).
    """

    provider_payment_id: str
    status: PaymentStatus
    amount_minor: int
    currency: str
    occurred_at: datetime
    session_id: str = ""
    provider_session_id: str = ""
    tax_minor: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RefundFact:
    """A refund stands so; `refund_id` is ours where we asked for it, and empty where somebody else did."""

    provider_refund_id: str
    provider_payment_id: str
    status: RefundStatus
    amount_minor: int
    currency: str
    occurred_at: datetime
    refund_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CheckoutFact:
    """A checkout session is over or still open; one of both ids may be empty."""

    status: CheckoutStatus
    session_id: str = ""
    provider_session_id: str = ""


Fact = PaymentFact | RefundFact | CheckoutFact


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified webhook: its id, by which it is applied once, its type, and what it tells (nothing, if unknown)."""

    id: str
    type: str
    facts: tuple[Fact, ...] = ()


class Outcome(StrEnum):
    """What became of a delivery, or of facts that were asked for."""

    APPLIED = "applied"
    # Its id was seen before: nothing was done.
    DUPLICATE = "duplicate"
    # It tells nothing that concerns payments.
    IGNORED = "ignored"
    # It is about a session or payment that is not ours, or not known yet.
    UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True)
class Amount:
    """Money: whole minor units of a currency (ISO 4217)."""

    minor_units: int
    currency: str


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay for an order, as it is shown.

    `refunded_minor` was given back; `refunding_minor` is asked for and not confirmed by the provider yet.
    """

    id: str
    order_id: int
    account_id: int
    provider: str
    status: PaymentStatus
    amount_minor: int
    currency: str
    refunded_minor: int
    refunding_minor: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """That somebody asks for money to be given back: all that is left where no amount is named.

    `requested_by` is the account that asks; `key`, if not empty, makes a repetition of it harmless.
    """

    payment_id: str
    amount_minor: int | None
    currency: str
    reason: str
    requested_by: int
    key: str


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    """One page on which an order can be paid; `url` and `provider_session_id` are empty while it is OPENING."""

    id: str
    order_id: int
    status: CheckoutStatus
    redirect_url: str
    expires_at: datetime
    email: str
    name: str
    provider_products: dict[str, str]
    provider_session_id: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class BegunCheckout:
    """The order's live session; with `replaced`, the provider's id of the page that it takes the place of."""

    session: CheckoutSession
    customer: Customer
    replaced: str = ""


@dataclass(frozen=True, slots=True)
class OverdueSession:
    """A session about which the provider is to be asked, or which is to be closed there."""

    session_id: str
    provider_session_id: str
    status: CheckoutStatus
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """A step of an order that the order service is to be told; `attempts` have failed so far."""

    id: int
    order_id: int
    status: OrderStatus
    attempts: int


@dataclass(frozen=True, slots=True)
class RefundJob:
    """A refund that is to be carried out; `attempts` have failed so far."""

    request: RefundRequest
    payment_id: str
    attempts: int


@dataclass(frozen=True, slots=True)
class ListingJob:
    """A product whose newest version is to be brought to the provider, or taken off its list when `deleted`."""

    listing: Listing
    provider_product_id: str
    deleted: bool
    attempts: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits to be told or carried out, and since when (None: nothing waits)."""

    order_updates: int
    refunds: int
    listings: int
    oldest_order_update: datetime | None
    oldest_refund: datetime | None
