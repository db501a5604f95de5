"""The port to a payment provider: what the shop needs of one, whoever it is.

Every call has a deadline of its own inside the implementation and may be made twice: after a kill nobody knows whether
the first one arrived. So whatever charges, refunds or creates carries an id of ours, by which the provider (or the
implementation, by looking first) recognises the repetition.

Each method raises ProviderUnavailableError where the same call may succeed later (no answer in time, HTTP 5xx, rate
limit, an answer that cannot be read) and ProviderRefusedError where it never will.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from services.errors import ConflictError, UnavailableError
from services.payment.domain import (
    CheckoutRequest,
    Customer,
    Delivery,
    Fact,
    Listing,
    OpenedCheckout,
    RefundFact,
    RefundRequest,
)


class ProviderUnavailableError(UnavailableError):
    """The provider does not answer, or not sensibly: try again later."""


class ProviderRefusedError(ConflictError):
    """The provider will never do it; the message is fit to be shown and has no secret in it."""


class WebhookRefusedError(Exception):
    """A webhook that is not taken; `reason` is one of a few words for the metric."""

    reason = "refused"


class UnsignedError(WebhookRefusedError):
    """Signature headers are missing or cannot be read."""

    reason = "unsigned"


class WronglySignedError(WebhookRefusedError):
    """No signature fits the raw body."""

    reason = "wrongly_signed"


class StaleError(WebhookRefusedError):
    """The signature's timestamp is too far from now, in either direction."""

    reason = "stale"


class MalformedError(WebhookRefusedError):
    """It is rightly signed and cannot be understood: not JSON, or a known type without what it must have."""

    reason = "malformed"


class Provider(Protocol):
    """A payment provider."""

    @property
    def name(self) -> str:
        """Its name in the database, in metrics and in answers: "sandbox", "dodo" or "stripe"."""

    async def ensure_customer(self, customer: Customer) -> str:
        """Answers the provider's id of the customer, made where there is none; repeated calls answer one id."""

    async def open_checkout(self, request: CheckoutRequest) -> OpenedCheckout:
        """Opens a page on which the buyer pays exactly the order's total; the same request again, the same page."""

    async def checkout(self, session_id: str, provider_session_id: str) -> tuple[Fact, ...]:
        """Answers what the provider knows about a session now, its payments and their refunds included."""

    async def close_checkout(self, provider_session_id: str) -> None:
        """Makes the page take no payment any more, where the provider can; a page that is over already is no error."""

    async def open_portal(self, customer: Customer, return_url: str) -> str:
        """Answers the URL of a page with the customer's payments; beginning with "/" it is on our own address."""

    async def refund(self, request: RefundRequest) -> RefundFact:
        """Gives money back, or answers how the refund of this request stands."""

    async def put_product(self, listing: Listing, provider_product_id: str) -> str:
        """Creates (without an id) or updates a product of the provider's list; answers its id."""

    async def remove_product(self, provider_product_id: str) -> None:
        """Takes a product off the provider's list; one that is not there is no error."""

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
        """Verifies the raw body, then parses it; header names are in lower case. Raises WebhookRefusedError."""

    async def close(self) -> None:
        """Closes its connections."""
