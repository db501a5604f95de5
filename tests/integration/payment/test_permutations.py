"""Webhooks in every order of arrival: the same story ends in the same state, here and at the order."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from protos.gen.ecommerce.product import v1 as product_v1
from services.payment.domain import PaymentStatus
from services.payment.providers.sandbox.events import PaymentData, RefundData, of_payment, of_refund
from tests.integration.order.conftest import Person
from tests.integration.payment.till import Posted, Till

TOTAL = 1999
# Orders that are being told of at once: fewer than the database has connections.
AT_ONCE = 8


@dataclass(frozen=True)
class Telling:
    """Makes the webhooks of one session's payments and refunds; they happen a second after one another."""

    session_id: str
    order_id: int

    def payment(self, number: int, status: PaymentStatus, amount: int = TOTAL) -> list[Posted]:
        """That it was created, and what it came to."""
        data = PaymentData(
            payment_id=f"pay_{self.order_id}_{number}",
            checkout_id="",
            session_id=self.session_id,
            order_id=self.order_id,
            amount=amount,
            currency="USD",
            occurred_at=_moment(number),
        )
        return [self._posted(f"{number}", *event) for event in of_payment(data, status)]

    def refund(self, number: int, amount: int, of: int = 1) -> list[Posted]:
        """That it was created, and that it succeeded."""
        data = RefundData(
            refund_id=f"ref_{self.order_id}_{number}",
            payment_id=f"pay_{self.order_id}_{of}",
            amount=amount,
            currency="USD",
            occurred_at=_moment(10 + number),
        )
        return [self._posted(f"r{number}", *event) for event in of_refund(data)]

    def _posted(self, number: str, kind: str, body: bytes) -> Posted:
        return Posted(f"msg_{self.order_id}_{number}_{kind}", kind, body)


def _moment(seconds: int) -> datetime:
    return datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=seconds)


def refunded(telling: Telling) -> list[Posted]:
    return [*telling.payment(1, PaymentStatus.SUCCEEDED), *telling.refund(1, TOTAL)]


def refunded_in_two_parts(telling: Telling) -> list[Posted]:
    _, paid = telling.payment(1, PaymentStatus.SUCCEEDED)
    return [paid, telling.refund(1, 1000)[1], *telling.refund(2, TOTAL - 1000)]


def partly_refunded(telling: Telling) -> list[Posted]:
    return [*telling.payment(1, PaymentStatus.SUCCEEDED), *telling.refund(1, 1)]


def failed_then_paid(telling: Telling) -> list[Posted]:
    return [*telling.payment(1, PaymentStatus.FAILED), *telling.payment(2, PaymentStatus.SUCCEEDED)]


def failed_then_paid_then_refunded(telling: Telling) -> list[Posted]:
    failed = telling.payment(1, PaymentStatus.FAILED)[1]
    return [failed, *telling.payment(2, PaymentStatus.SUCCEEDED), *telling.refund(1, TOTAL, of=2)]


def failed_twice(telling: Telling) -> list[Posted]:
    return [*telling.payment(1, PaymentStatus.FAILED), *telling.payment(2, PaymentStatus.FAILED)]


@pytest.mark.parametrize(
    ("story", "status", "given_back"),
    [
        (refunded, "REFUNDED", TOTAL),
        (refunded_in_two_parts, "REFUNDED", TOTAL),
        (partly_refunded, "PARTIALLY_REFUNDED", 1),
        (failed_then_paid, "PAID", 0),
        (failed_then_paid_then_refunded, "REFUNDED", TOTAL),
        (failed_twice, "PAYMENT_FAILED", 0),
    ],
)
async def test_every_order_of_arrival_ends_alike(  # noqa: PLR0917 fixtures
    till: Till, product: product_v1.Product, administrator: Person, story: object, status: str, given_back: int
) -> None:
    """One order for each permutation of the story's webhooks; each webhook comes twice, the repetition at the end."""
    assert callable(story)
    buyer = await till.customer()
    size = len(story(Telling("", 0)))
    orders: dict[int, Sequence[int]] = {}
    for order in itertools.permutations(range(size)):
        orders[(await till.place(buyer, {product.id: 1})).id] = order
    limit = asyncio.Semaphore(AT_ONCE)

    async def tell(order_id: int, arrival: Sequence[int]) -> None:
        async with limit:
            await till.checkout(buyer, order_id)
            rows = await till.sql("SELECT id FROM checkout_sessions WHERE order_id = :o", o=order_id)
            webhooks = story(Telling(rows[0].id, order_id))
            outcomes = await till.delivered(*(webhooks[index] for index in (*arrival, *arrival)))
            assert outcomes[size:] == ["duplicate"] * size

    await asyncio.gather(*(tell(order_id, arrival) for order_id, arrival in orders.items()))
    await till.becomes(administrator, status, *orders)
    for order_id in orders:
        await till.settled(order_id)
    assert await _differing(till, administrator, orders, status, given_back) == {}


async def _differing(
    till: Till, viewer: Person, orders: dict[int, Sequence[int]], status: str, given_back: int
) -> dict[Sequence[int], tuple[str, int]]:
    """Answers the arrivals after which an order stands otherwise, or more or less money was given back."""
    rows = await till.sql(
        "SELECT p.order_id, COALESCE(SUM(r.amount_minor) FILTER (WHERE r.status = 'succeeded'), 0) AS given_back"
        " FROM payments p LEFT JOIN refunds r ON r.payment_id = p.id WHERE p.order_id = ANY(:o) GROUP BY p.order_id",
        o=list(orders),
    )
    sums = {row.order_id: int(row.given_back) for row in rows}
    stand = {order_id: (await till.status(viewer, order_id), sums[order_id]) for order_id in orders}
    return {orders[order_id]: ended for order_id, ended in stand.items() if ended != (status, given_back)}


def _interleavings(one: Sequence[Posted], other: Sequence[Posted]) -> Iterator[list[Posted]]:
    """Yields every way in which two sequences can be told beside one another, each in its own order."""
    for places in itertools.combinations(range(len(one) + len(other)), len(one)):
        first, second = iter(one), iter(other)
        yield [next(first) if place in places else next(second) for place in range(len(one) + len(other))]


async def test_two_payments_told_beside_one_another(
    till: Till, product: product_v1.Product, administrator: Person
) -> None:
    """However two payments of one order are told, it is paid, and exactly one of them is to be given back."""
    buyer = await till.customer()
    blank = Telling("", 0)
    ways = list(
        _interleavings(list(blank.payment(1, PaymentStatus.SUCCEEDED)), list(blank.payment(2, PaymentStatus.SUCCEEDED)))
    )
    orders = [(await till.place(buyer, {product.id: 1})).id for _ in ways]
    for order_id, way in zip(orders, ways, strict=True):
        await till.checkout(buyer, order_id)
        (row,) = await till.sql("SELECT id FROM checkout_sessions WHERE order_id = :o", o=order_id)
        telling = Telling(row.id, order_id)
        by_name = {
            (one.id.split("_")[2], one.type): one
            for number in (1, 2)
            for one in telling.payment(number, PaymentStatus.SUCCEEDED)
        }
        await till.delivered(*(by_name[one.id.split("_")[2], one.type] for one in way))
    await till.becomes(administrator, "PAID", *orders)
    automatic = (
        "SELECT p.order_id, r.reason, r.amount_minor FROM refunds r JOIN payments p ON p.id = r.payment_id"
        " WHERE p.order_id = ANY(:o) AND r.automatic ORDER BY p.order_id"
    )
    assert [tuple(row) for row in await till.sql(automatic, o=orders)] == [
        (order_id, "duplicate", TOTAL) for order_id in orders
    ]
