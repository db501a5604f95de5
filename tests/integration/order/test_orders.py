"""Orders through the real services: account signs in, product knows the prices, order keeps and tells."""

import asyncio
from collections.abc import Mapping
from uuid import uuid4

import pytest

from local.datastores import Datastores
from protos.gen.ecommerce.events import v1 as events_v1
from protos.gen.ecommerce.order import v1 as order_v1
from services import rpc
from services.errors import (
    ConflictError,
    EcommerceError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from tests.integration.order.conftest import Person, Shop
from tests.integration.order.topics import News, about, purchases_of

NOWHERE = "0190a0b0-0000-7000-8000-000000000000"


def minor_units(order: order_v1.Order) -> int:
    assert order.total_price is not None
    assert order.total_price.currency == "USD"
    return order.total_price.minor_units


async def test_an_order_has_the_prices_of_the_moment_of_sale(shop: Shop, seller: Person, buyer: Person) -> None:
    """19.99 three times and 0.01 once are 59.98, exactly, and stay so when the product changes or goes."""
    dear, cheap = await shop.product(seller, 1999, "Dear"), await shop.product(seller, 1, "Cheap")
    order = await shop.place(buyer, [(dear.id, 1), (cheap.id, 1), (dear.id, 2)])
    assert minor_units(order) == 5998
    assert (order.account_id, order.status) == (buyer.id, order_v1.OrderStatus.PLACED)
    assert order.created_at is not None
    assert [(line.product_id, line.name, line.quantity) for line in order.lines] == [
        (dear.id, "Dear", 3),
        (cheap.id, "Cheap", 1),
    ]
    await shop.reprice(seller, dear, 1, "Cheaper")
    await shop.remove(seller, cheap)
    assert await shop.shown(buyer, buyer.id) == [order]


async def test_a_placed_order_is_told_of(shop: Shop, seller: Person, buyer: Person, datastores: Datastores) -> None:
    """OrderPlaced under the order's id and a purchase for each product under the account's, in the call's trace."""
    news = await News.from_now(datastores.kafka.bootstrap_servers)
    first, second = await shop.product(seller, 250, "First"), await shop.product(seller, 5, "Second")
    order = await shop.place(buyer, {first.id: 2, second.id: 7})
    told = await news.until(
        lambda events: bool(about(events, order.id)) and len(purchases_of(events, buyer)) >= len(order.lines)
    )
    (placed,) = about(told, order.id)
    for line in order.lines:
        line.description = ""
    assert placed.message == events_v1.OrderPlaced(order=order)
    assert (placed.source, placed.time) == ("/order", order.created_at)
    assert [event.message for event in purchases_of(told, buyer)] == [
        events_v1.ProductPurchased(product_id=first.id, account_id=buyer.id, quantity=2, order_id=order.id),
        events_v1.ProductPurchased(product_id=second.id, account_id=buyer.id, quantity=7, order_id=order.id),
    ]


@pytest.mark.parametrize(
    ("quantities", "refusal"),
    [
        ({}, InvalidError("at least one product")),
        ({"KNOWN": 0}, InvalidError("at least 1.")),
        ({"KNOWN": -5}, InvalidError("at least 1.")),
        ({"KNOWN": 10_001}, InvalidError("at most 10,000 pieces")),
        ({"KNOWN": 2**31 - 1}, InvalidError("at most 10,000 pieces")),
        ({"": 1}, InvalidError("named by its id")),
        ({"KNOWN": 1, NOWHERE: 1}, NotFoundError(f"There is no product {NOWHERE}.")),
        ({"KNOWN": 1, "no such id": 1}, NotFoundError("There is no product no such id.")),
        ({"nul\0byte": 1}, NotFoundError("There is no product nul\\u0000byte.")),
        ({"x" * 100_000: 1}, NotFoundError("There is no product xxx")),
        ({f"p{n}": 1 for n in range(101)}, InvalidError("at most 100 different products")),
    ],
)
async def test_a_wrong_order_is_refused_and_leaves_nothing(
    shop: Shop, seller: Person, buyer: Person, quantities: Mapping[str, int], refusal: EcommerceError
) -> None:
    """Each with its own error, which names what is wrong; there is no order afterwards."""
    known = await shop.product(seller, 100)
    with pytest.raises(type(refusal)) as raised:
        await shop.place(buyer, {known.id if name == "KNOWN" else name: n for name, n in quantities.items()})
    assert refusal.message in raised.value.message
    assert await shop.shown(buyer, buyer.id) == []


async def test_a_wrong_order_is_not_told_of(shop: Shop, seller: Person, buyer: Person, datastores: Datastores) -> None:
    """Of a wrong order and a right one after it, only the right one's events arrive."""
    news = await News.from_now(datastores.kafka.bootstrap_servers)
    known = await shop.product(seller, 100)
    with pytest.raises(NotFoundError):
        await shop.place(buyer, {known.id: 1, NOWHERE: 1})
    order = await shop.place(buyer, {known.id: 2})
    told = await news.until(lambda events: bool(about(events, order.id)) and bool(purchases_of(events, buyer)))
    placed = [event.message.order for event in told if isinstance(event.message, events_v1.OrderPlaced)]
    assert {one.id for one in placed if one and one.account_id == buyer.id} == {order.id}
    assert [event.message for event in purchases_of(told, buyer)] == [
        events_v1.ProductPurchased(product_id=known.id, account_id=buyer.id, quantity=2, order_id=order.id)
    ]


async def test_a_total_that_no_float_shows_exactly_is_refused(shop: Shop, seller: Person, buyer: Person) -> None:
    """Fifteen digits are the most; the largest allowed order is exact."""
    gold = await shop.product(seller, 10**12, "Gold")
    dust = await shop.product(seller, 1, "Dust")
    with pytest.raises(InvalidError, match="can be at most"):
        await shop.place(buyer, {gold.id: 1000})
    order = await shop.place(buyer, {gold.id: 999, dust.id: 10_000})
    assert minor_units(order) == 999 * 10**12 + 10_000


async def test_nobody_orders_without_a_token(shop: Shop, seller: Person) -> None:
    """Nor with one that is not ours."""
    known = await shop.product(seller, 100)
    with pytest.raises(UnauthenticatedError):
        await shop.place(None, {known.id: 1})
    with pytest.raises(UnauthenticatedError):
        await shop.place(Person(1, "not-a-token"), {known.id: 1})


async def test_a_repeated_request_is_answered_with_its_order(shop: Shop, seller: Person, buyer: Person) -> None:
    """Twenty at once with one key, and one later, place one order; a different one under that key is refused."""
    known = await shop.product(seller, 100)
    key = f"cart-{uuid4()}"
    answers = await asyncio.gather(*(shop.place(buyer, {known.id: 3}, key) for _ in range(20)))
    answers.append(await shop.place(buyer, {known.id: 3}, key))
    assert await shop.shown(buyer, buyer.id) == [answers[0]]
    assert all(answer == answers[0] for answer in answers)
    with pytest.raises(ConflictError, match="different order"):
        await shop.place(buyer, {known.id: 4}, key)
    with pytest.raises(InvalidError, match="idempotency key"):
        await shop.place(buyer, {known.id: 3}, "a\0b")


async def test_while_product_is_down_orders_are_shown_and_repeated(shop: Shop, seller: Person, buyer: Person) -> None:
    """A new order is UNAVAILABLE and leaves nothing; the moment product is back, it is placed."""
    known = await shop.product(seller, 100)
    order = await shop.place(buyer, {known.id: 3}, "first")
    product = shop.platform.service("product")
    await product.stop()
    try:
        with pytest.raises(UnavailableError):
            await shop.place(buyer, {known.id: 1}, "second")
        assert await shop.place(buyer, {known.id: 3}, "first") == order
        assert await shop.shown(buyer, buyer.id) == [order]
    finally:
        await product.start()
        await shop.product_again(seller)
    second = await shop.placed_again(buyer, {known.id: 1}, "second")
    assert await shop.shown(buyer, buyer.id) == [second, order]


async def test_many_accounts_are_answered_in_one_call(shop: Shop, seller: Person, administrator: Person) -> None:
    """For an administrator: every account has its page, in the order of asking, also those without orders."""
    known = await shop.product(seller, 100)
    people = [await shop.customer() for _ in range(5)]
    placed = {person.id: [await shop.place(person, {known.id: n + 1}) for n in range(3)] for person in people[1:]}
    asked = [person.id for person in people] + [people[1].id, 2**31 - 1]
    request = order_v1.GetOrdersForAccountsRequest(account_ids=asked, skip=1, take=1)
    with rpc.acting_as(administrator.token):
        answered = (await shop.orders.get_orders_for_accounts(request)).accounts
    assert [entry.account_id for entry in answered] == asked
    for entry in answered:
        assert entry.orders == placed.get(entry.account_id, [])[1:2]


async def test_other_peoples_orders_stay_theirs(shop: Shop, seller: Person, buyer: Person) -> None:
    """Neither one strange account nor one among one's own is shown; nobody but an administrator moves an order."""
    known = await shop.product(seller, 100)
    order = await shop.place(seller, {known.id: 1})
    with pytest.raises(ForbiddenError):
        await shop.shown(buyer, seller.id)
    with rpc.acting_as(buyer.token), pytest.raises(ForbiddenError):
        await shop.orders.get_orders_for_accounts(
            order_v1.GetOrdersForAccountsRequest(account_ids=[buyer.id, seller.id], take=1)
        )
    with pytest.raises(ForbiddenError):
        await shop.move(seller, order.id, order_v1.OrderStatus.PAID)


@pytest.mark.parametrize(("skip", "take"), [(-1, 1), (1, -1), (-(2**31), 0)])
async def test_impossible_pages_are_refused(shop: Shop, buyer: Person, skip: int, take: int) -> None:
    """Negative numbers are the request's fault; huge ones are an empty page."""
    with pytest.raises(InvalidError, match="negative"):
        await shop.shown(buyer, buyer.id, skip, take)
    assert await shop.shown(buyer, buyer.id, 2**31 - 1, 2**31 - 1) == []


async def test_an_order_moves_along_its_states(
    shop: Shop, seller: Person, buyer: Person, administrator: Person, datastores: Datastores
) -> None:
    """Each legal move is told once and in order; an illegal one is a conflict, the present status is no move."""
    states = order_v1.OrderStatus
    news = await News.from_now(datastores.kafka.bootstrap_servers)
    known = await shop.product(seller, 100)
    order = await shop.place(buyer, {known.id: 1})
    for status in (states.PAYMENT_FAILED, states.PAID, states.PAID, states.PARTIALLY_REFUNDED, states.REFUNDED):
        assert (await shop.move(administrator, order.id, status)).status is status
    with pytest.raises(ConflictError, match="REFUNDED cannot become PAID"):
        await shop.move(administrator, order.id, states.PAID)
    with pytest.raises(NotFoundError, match="no order 2147483647"):
        await shop.move(administrator, 2**31 - 1, states.PAID)
    with pytest.raises(InvalidError, match="statuses"):
        await shop.move(administrator, order.id, states.UNSPECIFIED)
    told = about(await news.until(lambda events: len(about(events, order.id)) >= 5), order.id)
    moves = [event.message for event in told[1:]]
    assert isinstance(told[0].message, events_v1.OrderPlaced)
    assert [(move.previous, move.current) for move in moves if isinstance(move, events_v1.OrderStatusChanged)] == [
        (states.PLACED, states.PAYMENT_FAILED),
        (states.PAYMENT_FAILED, states.PAID),
        (states.PAID, states.PARTIALLY_REFUNDED),
        (states.PARTIALLY_REFUNDED, states.REFUNDED),
    ]


async def test_contradicting_moves_at_once_are_serial(
    shop: Shop, seller: Person, buyer: Person, administrator: Person
) -> None:
    """Of payments and cancellations racing for one order, one kind wins and the other is refused throughout."""
    states = order_v1.OrderStatus
    known = await shop.product(seller, 100)
    order = await shop.place(buyer, {known.id: 1})
    racing = [shop.move(administrator, order.id, status) for status in (states.PAID, states.CANCELLED) * 10]
    answers = await asyncio.gather(*racing, return_exceptions=True)
    assert sum(isinstance(answer, ConflictError) for answer in answers) == 10
    (kept,) = await shop.shown(buyer, buyer.id)
    moved = [answer.status for answer in answers if isinstance(answer, order_v1.Order)]
    assert moved == [kept.status] * 10
