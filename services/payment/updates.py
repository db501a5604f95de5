"""Telling the order service what became of an order's payments: the staged steps, in order by order.

A step is taken off the list once the order service has acknowledged it. If the process dies in between, it is told
again, which changes nothing there: a move to the present status is no move. What the order service refuses for good is
kept with the reason; an order that was cancelled meanwhile has its money given back. For as long as the order service
does not answer, the steps wait, with a pause that grows.
"""

from typing import Final, Protocol

import structlog
from prometheus_client import Counter

from services.errors import ConflictError, EcommerceError, InvalidError, NotFoundError
from services.loops import backoff
from services.payment.domain import Order, OrderStatus, OrderUpdate
from services.payment.working import Working, each

# Orders at a time.
BATCH: Final = 16
# Seconds before a step is told again after its first failure, and after many: soon enough after the service is back.
FIRST_BACKOFF: Final = 0.25
LONGEST_BACKOFF: Final = 5.0

told_updates = Counter("payment_order_updates_total", "Steps told to the order service.", ["status", "outcome"])

log = structlog.get_logger(__name__)


class Updates(Protocol):
    """The staged steps."""

    async def claim_order_updates(self, limit: int) -> list[OrderUpdate]:
        """Answers the first step of each of at most `limit` orders, leased."""

    async def order_update_done(self, update_id: int) -> None:
        """Takes a step off the list."""

    async def order_update_refused(self, update_id: int, reason: str, *, cancelled: bool) -> None:
        """Keeps why a step was refused; has what was paid given back where the order is cancelled."""

    async def release_order_update(self, update_id: int, seconds: float) -> None:
        """Gives a step back, to be claimed again after so long."""


class Orders(Protocol):
    """The order service, asked as the payment service itself."""

    async def get_as_service(self, order_id: int) -> Order:
        """Answers an order; raises NotFoundError."""

    async def update_status(self, order_id: int, status: OrderStatus) -> None:
        """Moves an order; raises ConflictError when it cannot be moved there."""


class UpdateLoop(Working):
    """Tells the staged steps."""

    def __init__(self, updates: Updates, orders: Orders) -> None:
        super().__init__()
        self._updates = updates
        self._orders = orders

    async def run_once(self) -> int:
        """Tells one step of each of some orders; answers how many were tried."""
        claimed = await self._updates.claim_order_updates(BATCH)
        await each(claimed, self._tell, self._again)
        return len(claimed)

    async def _tell(self, step: OrderUpdate) -> None:
        try:
            await self._orders.update_status(step.order_id, step.status)
        except (ConflictError, NotFoundError, InvalidError) as refusal:
            await self._refused(step, refusal)
        except EcommerceError as error:
            # Whatever else it is, also a token that is not accepted, can be mended without this step being wrong.
            log.warning("an order's step waits", order_id=step.order_id, status=step.status, reason=error.message)
            told_updates.labels(step.status, "waits").inc()
            await self._again(step)
        else:
            told_updates.labels(step.status, "told").inc()
            await self._updates.order_update_done(step.id)

    async def _refused(self, step: OrderUpdate, refusal: EcommerceError) -> None:
        cancelled = False
        if isinstance(refusal, ConflictError):
            try:
                cancelled = (await self._orders.get_as_service(step.order_id)).status == OrderStatus.CANCELLED
            except EcommerceError:
                # Without knowing why, nothing is given back and nothing forgotten.
                await self._again(step)
                return
        log.warning(
            "the order service refuses a step",
            order_id=step.order_id,
            status=step.status,
            cancelled=cancelled,
            reason=refusal.message,
        )
        told_updates.labels(step.status, "refused").inc()
        await self._updates.order_update_refused(step.id, refusal.message, cancelled=cancelled)

    async def _again(self, step: OrderUpdate) -> None:
        pause = backoff(step.attempts + 1, FIRST_BACKOFF, LONGEST_BACKOFF)
        await self._updates.release_order_update(step.id, pause)
