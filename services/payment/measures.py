"""What an operator of the shop watches: how much waits and since when, and how the provider's calls end."""

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final, Protocol, TypeVar

from prometheus_client import Counter, Gauge, Histogram

from services.payment.domain import (
    Backlog,
    CheckoutRequest,
    Customer,
    Delivery,
    Fact,
    Listing,
    OpenedCheckout,
    RefundFact,
    RefundRequest,
)
from services.payment.provider import Provider, ProviderRefusedError, ProviderUnavailableError
from services.payment.working import Working

POLL_SECONDS: Final = 5.0

waiting_updates = Gauge("payment_order_updates_waiting", "Steps that the order service was not told of yet.")
oldest_update = Gauge("payment_oldest_order_update_seconds", "Age of the oldest of them.")
waiting_refunds = Gauge("payment_refunds_waiting", "Refunds that the provider was not asked for yet.")
oldest_refund = Gauge("payment_oldest_refund_seconds", "Age of the oldest of them.")
waiting_listings = Gauge("payment_listings_waiting", "Products that the provider does not have as they are.")
provider_calls = Counter(
    "payment_provider_calls_total", "Calls to the provider by how they ended.", ["provider", "call", "outcome"]
)
provider_seconds = Histogram("payment_provider_call_seconds", "How long they took.", ["provider", "call"])

R = TypeVar("R")


class Backlogs(Protocol):
    """What knows how much waits."""

    async def backlog(self) -> Backlog:
        """Answers how much waits, and since when."""


class BacklogLoop(Working):
    """Keeps the gauges up to date."""

    def __init__(self, backlogs: Backlogs, clock: Callable[[], datetime]) -> None:
        super().__init__(POLL_SECONDS)
        self._backlogs = backlogs
        self._clock = clock

    async def run_once(self) -> int:
        """Measures; answers 0, for there is nothing to go on with."""
        backlog = await self._backlogs.backlog()
        waiting_updates.set(backlog.order_updates)
        waiting_refunds.set(backlog.refunds)
        waiting_listings.set(backlog.listings)
        oldest_update.set(self._age(backlog.oldest_order_update))
        oldest_refund.set(self._age(backlog.oldest_refund))
        return 0

    def _age(self, since: datetime | None) -> float:
        return max(0.0, (self._clock() - since).total_seconds()) if since else 0.0


class MeasuredProvider:
    """A provider whose calls are counted."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    @property
    def name(self) -> str:
        """Answers whose name the calls are counted under."""
        return self._provider.name

    async def ensure_customer(self, customer: Customer) -> str:
        """Counts it."""
        return await self._counted("ensure_customer", self._provider.ensure_customer(customer))

    async def open_checkout(self, request: CheckoutRequest) -> OpenedCheckout:
        """Counts it."""
        return await self._counted("open_checkout", self._provider.open_checkout(request))

    async def checkout(self, session_id: str, provider_session_id: str) -> tuple[Fact, ...]:
        """Counts it."""
        return await self._counted("checkout", self._provider.checkout(session_id, provider_session_id))

    async def close_checkout(self, provider_session_id: str) -> None:
        """Counts it."""
        await self._counted("close_checkout", self._provider.close_checkout(provider_session_id))

    async def open_portal(self, customer: Customer, return_url: str) -> str:
        """Counts it."""
        return await self._counted("open_portal", self._provider.open_portal(customer, return_url))

    async def refund(self, request: RefundRequest) -> RefundFact:
        """Counts it."""
        return await self._counted("refund", self._provider.refund(request))

    async def put_product(self, listing: Listing, provider_product_id: str) -> str:
        """Counts it."""
        return await self._counted("put_product", self._provider.put_product(listing, provider_product_id))

    async def remove_product(self, provider_product_id: str) -> None:
        """Counts it."""
        await self._counted("remove_product", self._provider.remove_product(provider_product_id))

    def read_webhook(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
        """Passes it on: that is no call, and is counted where webhooks are."""
        return self._provider.read_webhook(headers, body, now)

    async def close(self) -> None:
        """Closes the provider."""
        await self._provider.close()

    async def _counted(self, call: str, made: Awaitable[R]) -> R:
        began, outcome = time.perf_counter(), "failed"
        try:
            answer = await made
            outcome = "answered"
        except ProviderUnavailableError:
            outcome = "unavailable"
            raise
        except ProviderRefusedError:
            outcome = "refused"
            raise
        finally:
            provider_seconds.labels(self.name, call).observe(time.perf_counter() - began)
            provider_calls.labels(self.name, call, outcome).inc()
        return answer
