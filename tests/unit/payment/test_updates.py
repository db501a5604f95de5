"""Telling orders: what each answer of the order service comes to."""

import pytest

from services.errors import (
    ConflictError,
    EcommerceError,
    ForbiddenError,
    InternalError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from services.payment.domain import Order, OrderStatus, OrderUpdate
from services.payment.updates import BATCH, LONGEST_BACKOFF, UpdateLoop

STEP = OrderUpdate(id=7, order_id=3, status=OrderStatus.PAID, attempts=0)


class Updates:
    """Steps that are handed out once; notes what became of each."""

    def __init__(self, *steps: OrderUpdate) -> None:
        self.waiting = list(steps)
        self.ended: list[tuple[object, ...]] = []

    async def claim_order_updates(self, limit: int) -> list[OrderUpdate]:
        claimed, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return claimed

    async def order_update_done(self, update_id: int) -> None:
        self.ended.append(("done", update_id))

    async def order_update_refused(self, update_id: int, reason: str, *, cancelled: bool) -> None:
        self.ended.append(("refused", update_id, reason, cancelled))

    async def release_order_update(self, update_id: int, seconds: float) -> None:
        self.ended.append(("released", update_id, seconds))


class Orders:
    """An order service that answers one thing, or raises it."""

    def __init__(self, answer: Exception | None = None, status: OrderStatus | Exception = OrderStatus.PLACED) -> None:
        self._answer = answer
        self._status = status
        self.told: list[tuple[int, OrderStatus]] = []

    async def get_as_service(self, order_id: int) -> Order:
        if isinstance(self._status, Exception):
            raise self._status
        return Order(order_id, 1, self._status, "USD", 100, ())

    async def update_status(self, order_id: int, status: OrderStatus) -> None:
        self.told.append((order_id, status))
        if self._answer is not None:
            raise self._answer


async def test_what_was_acknowledged_is_taken_off_the_list() -> None:
    """And only after the order service was told."""
    updates, orders = Updates(STEP), Orders()
    assert await UpdateLoop(updates, orders).run_once() == 1
    assert orders.told == [(3, OrderStatus.PAID)]
    assert updates.ended == [("done", 7)]


async def test_a_batch_is_bounded() -> None:
    """However much waits, no more is claimed than is done at once."""
    updates = Updates(*(OrderUpdate(n, n, OrderStatus.PAID, 0) for n in range(BATCH + 5)))
    loop = UpdateLoop(updates, Orders())
    assert [await loop.run_once(), await loop.run_once(), await loop.run_once()] == [BATCH, 5, 0]


@pytest.mark.parametrize(
    ("status", "cancelled"), [(OrderStatus.CANCELLED, True), (OrderStatus.REFUNDED, False), (OrderStatus.PAID, False)]
)
async def test_a_refused_step_is_kept_with_its_reason(status: OrderStatus, cancelled: bool) -> None:  # noqa: FBT001 a parameter of the test
    """Only where the order turns out to be cancelled is that said, for then the money goes back."""
    updates = Updates(STEP)
    await UpdateLoop(updates, Orders(ConflictError("No such move."), status)).run_once()
    assert updates.ended == [("refused", 7, "No such move.", cancelled)]


async def test_a_refusal_that_cannot_be_understood_now_is_tried_again() -> None:
    """Without knowing whether the order is cancelled, nothing is given back and nothing is forgotten."""
    updates = Updates(STEP)
    await UpdateLoop(updates, Orders(ConflictError("No."), UnavailableError("Away."))).run_once()
    assert [ended[0] for ended in updates.ended] == ["released"]


async def test_an_order_that_is_not_there_is_a_refusal() -> None:
    """It is kept with the reason, and does not hold up anything."""
    updates = Updates(STEP)
    await UpdateLoop(updates, Orders(NotFoundError("None."))).run_once()
    assert updates.ended == [("refused", 7, "None.", False)]


@pytest.mark.parametrize(
    "error",
    [
        UnavailableError("Away."),
        UnauthenticatedError("Who?"),
        ForbiddenError("No."),
        InternalError("Oh."),
        ValueError("A fault of ours."),
    ],
)
async def test_whatever_may_be_mended_waits(error: EcommerceError | ValueError) -> None:
    """Outages, secrets that do not fit, and faults: the step is told again, later each time, up to a bound."""
    pauses = []
    for attempts in (0, 1, 60):
        updates = Updates(OrderUpdate(7, 3, OrderStatus.PAID, attempts))
        await UpdateLoop(updates, Orders(error)).run_once()
        ((what, _, seconds),) = updates.ended
        assert what == "released"
        pauses.append(seconds)
    assert pauses == [0.25, 0.5, LONGEST_BACKOFF]


async def test_one_that_fails_holds_up_no_other() -> None:
    """The steps of a batch do not know of one another."""

    class Moody(Orders):
        async def update_status(self, order_id: int, status: OrderStatus) -> None:
            if order_id == 1:
                raise RuntimeError
            await super().update_status(order_id, status)

    updates = Updates(*(OrderUpdate(n, n, OrderStatus.PAID, 0) for n in (1, 2)))
    await UpdateLoop(updates, Moody()).run_once()
    assert set(updates.ended) == {("released", 1, 0.25), ("done", 2)}
