import asyncio
import itertools

import pytest

from services.errors import (
    ConflictError,
    EcommerceError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from services.order.domain import Item
from services.order.events import Announcer
from services.order.paging import MAX_ACCOUNTS
from services.order.service import OrderService
from services.order.status import OrderStatus
from tests.factories.order import NOW, administrator, customer, items, product, service
from tests.fakes.order import FakeCatalogue, FakeStore


class House:
    """The service on fakes, with everything that they saw."""

    def __init__(self) -> None:
        numbers = itertools.count(1)
        self.catalogue = FakeCatalogue({name: product(name, 1999) for name in ("a", "b", "c")})
        self.store = FakeStore(Announcer(lambda: f"event-{next(numbers)}"), lambda: NOW)
        self.service = OrderService(self.store, self.catalogue)

    def nothing_written(self) -> bool:
        return not self.store.orders and not self.store.staged


@pytest.fixture
def house() -> House:
    return House()


async def test_an_order_is_placed_at_the_catalogues_prices(house: House) -> None:
    """Whoever is signed in owns the order, in status PLACED, and the catalogue was asked once for everything."""
    order = await house.service.place(customer(7), [Item("a", 1), Item("b", 2), Item("a", 3)])
    assert (order.account_id, order.status, order.total_minor) == (7, OrderStatus.PLACED, 6 * 1999)
    assert [(line.product_id, line.quantity) for line in order.lines] == [("a", 4), ("b", 2)]
    assert house.catalogue.asked == [["a", "b"]]


async def test_a_placed_order_is_told_of(house: House) -> None:
    """One OrderPlaced under the order's id, and one ProductPurchased a line under the account's."""
    order = await house.service.place(customer(7), items(a=1, b=2))
    told = [(event.topic, event.key, type(event.message).__name__, event.source) for event in house.store.staged]
    assert told == [
        ("order_events", str(order.id), "OrderPlaced", "/order"),
        ("interaction_events", "7", "ProductPurchased", "/order"),
        ("interaction_events", "7", "ProductPurchased", "/order"),
    ]


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ([], InvalidError),
        ([Item("a", 0)], InvalidError),
        ([Item("a", -1)], InvalidError),
        ([Item("a", 10_001)], InvalidError),
        ([Item("", 1)], InvalidError),
        ([Item(f"p{n}", 1) for n in range(101)], InvalidError),
        ([Item("a", 1), Item("unknown", 1)], NotFoundError),
        ([Item("a\0", 1)], NotFoundError),
    ],
)
async def test_a_wrong_order_writes_nothing(house: House, wanted: list[Item], error: type[EcommerceError]) -> None:
    """Each kind of bad input is its own error, and neither an order nor an event is left behind."""
    with pytest.raises(error):
        await house.service.place(customer(), wanted, "a-key")
    assert house.nothing_written()


async def test_nobody_orders_without_signing_in(house: House) -> None:
    """The catalogue is not even asked."""
    with pytest.raises(UnauthenticatedError):
        await house.service.place(None, items(a=1))
    assert house.nothing_written()
    assert house.catalogue.asked == []


async def test_no_order_without_a_catalogue(house: House) -> None:
    """While product does not answer, placing is UNAVAILABLE and writes nothing; the same request passes later."""
    house.catalogue.available = False
    with pytest.raises(UnavailableError):
        await house.service.place(customer(), items(a=1), "a-key")
    assert house.nothing_written()
    house.catalogue.available = True
    assert (await house.service.place(customer(), items(a=1), "a-key")).total_minor == 1999


async def test_a_bad_key_is_refused_before_anything_else_happens(house: House) -> None:
    """A key with a NUL byte in it is an error of the request."""
    with pytest.raises(InvalidError, match="idempotency key"):
        await house.service.place(customer(), items(a=1), "a\0b")
    assert house.nothing_written()


async def test_a_repeat_answers_the_first_order_without_the_catalogue(house: House) -> None:
    """Also after prices have changed, after the status has moved, and while product is down."""
    first = await house.service.place(customer(), items(a=1, b=2), "a-key")
    told = list(house.store.staged)
    house.catalogue.known["a"] = product("a", 5)
    house.catalogue.available = False
    repeat = await house.service.place(customer(), [Item("b", 1), Item("a", 1), Item("b", 1)], "a-key")
    assert repeat == first
    assert house.store.orders == [first]
    assert house.store.staged == told


async def test_without_a_key_a_repeat_is_a_second_order(house: House) -> None:
    """Two carts that look alike are two purchases."""
    first = await house.service.place(customer(), items(a=1))
    second = await house.service.place(customer(), items(a=1))
    assert first.id != second.id


async def test_a_key_belongs_to_one_account(house: House) -> None:
    """Another account's same key places its own order."""
    mine = await house.service.place(customer(7), items(a=1), "a-key")
    theirs = await house.service.place(customer(8), items(a=1), "a-key")
    assert (mine.account_id, theirs.account_id) == (7, 8)


async def test_a_key_for_another_request_is_a_conflict(house: House) -> None:
    """Neither the first order's answer nor a second order, as the client has mixed something up."""
    await house.service.place(customer(), items(a=1), "a-key")
    with pytest.raises(ConflictError, match="different order"):
        await house.service.place(customer(), items(a=2), "a-key")
    assert len(house.store.orders) == 1


async def test_simultaneous_requests_with_one_key_place_one_order(house: House) -> None:
    """All twenty pass the look-up before any of them writes; all are answered with what the first wrote."""
    placing = (house.service.place(customer(), items(a=1), "a-key") for _ in range(20))
    orders = await asyncio.gather(*placing)
    assert len(house.catalogue.asked) == 20
    assert orders == house.store.orders * 20


async def test_simultaneous_different_requests_with_one_key_conflict(house: House) -> None:
    """One of two different baskets under one key wins, the other is refused."""
    placing = (house.service.place(customer(), items(a=quantity), "a-key") for quantity in (1, 2))
    answers = await asyncio.gather(*placing, return_exceptions=True)
    assert sum(isinstance(answer, ConflictError) for answer in answers) == 1
    assert len(house.store.orders) == 1


async def test_orders_are_shown_newest_first_in_pages(house: House) -> None:
    """Skip and take cut pages out of one sequence; the caller needs no special right for the own account."""
    ids = [(await house.service.place(customer(), items(a=1))).id for _ in range(5)]
    newest = list(reversed(ids))
    shown = [await house.service.orders_for_account(customer(), 7, skip, 2) for skip in (0, 2, 4, 6)]
    assert [[order.id for order in page] for page in shown] == [newest[:2], newest[2:4], newest[4:], []]
    assert await house.service.orders_for_account(customer(), 7, 0, 0) == []


async def test_take_is_capped(house: House) -> None:
    """Whoever asks for everything gets a page."""
    for _ in range(101):
        await house.service.place(customer(), items(a=1))
    assert len(await house.service.orders_for_account(customer(), 7, 0, 2**31 - 1)) == 100


@pytest.mark.parametrize(("skip", "take"), [(-1, 10), (0, -1), (-(2**31), -(2**31))])
async def test_negative_paging_is_refused(house: House, skip: int, take: int) -> None:
    """It means nothing."""
    with pytest.raises(InvalidError, match="negative"):
        await house.service.orders_for_account(customer(), 7, skip, take)


async def test_other_peoples_orders_are_for_administrators(house: House) -> None:
    """One strange id among one's own is enough to be refused; an administrator sees all."""
    order = await house.service.place(customer(7), items(a=1))
    with pytest.raises(ForbiddenError):
        await house.service.orders_for_account(customer(8), 7, 0, 10)
    with pytest.raises(ForbiddenError):
        await house.service.orders_for_accounts(customer(7), [7, 8], 0, 10)
    with pytest.raises(UnauthenticatedError):
        await house.service.orders_for_accounts(None, [], 0, 10)
    assert await house.service.orders_for_account(administrator(), 7, 0, 10) == [order]


async def test_many_accounts_are_answered_at_once(house: House) -> None:
    """Each account has an entry, also without orders, also when it is asked for twice."""
    orders = {account: await house.service.place(customer(account), items(a=1)) for account in (7, 8)}
    pages = await house.service.orders_for_accounts(administrator(), [8, 9, 7, 8], 0, 10)
    assert {account: list(page) for account, page in pages.items()} == {8: [orders[8]], 9: [], 7: [orders[7]]}


async def test_accounts_in_one_question_are_limited(house: House) -> None:
    """A hundred are allowed, one more is not, duplicates counted."""
    assert len(await house.service.orders_for_accounts(administrator(), range(1, MAX_ACCOUNTS + 1), 0, 1)) == 100
    with pytest.raises(InvalidError, match="At most 100 accounts"):
        await house.service.orders_for_accounts(administrator(), [7] * (MAX_ACCOUNTS + 1), 0, 1)


async def test_only_administrators_move_orders(house: House) -> None:
    """Not even the owner may; and who may not learns nothing about which orders exist."""
    order = await house.service.place(customer(7), items(a=1))
    for order_id in (order.id, 12345):
        with pytest.raises(ForbiddenError):
            await house.service.change_status(customer(7), order_id, OrderStatus.PAID)
        with pytest.raises(UnauthenticatedError):
            await house.service.change_status(None, order_id, OrderStatus.PAID)


async def test_an_administrator_moves_an_order(house: House) -> None:
    """The new status is answered and kept, and told of once."""
    order = await house.service.place(customer(7), items(a=1))
    house.store.staged.clear()
    moved = await house.service.change_status(administrator(), order.id, OrderStatus.PAID)
    again = await house.service.change_status(administrator(), order.id, OrderStatus.PAID)
    assert moved == again == house.store.orders[0]
    assert moved.status is OrderStatus.PAID
    assert [type(event.message).__name__ for event in house.store.staged] == ["OrderStatusChanged"]


async def test_an_illegal_move_changes_nothing(house: House) -> None:
    """It is a conflict that names both statuses."""
    order = await house.service.place(customer(7), items(a=1))
    house.store.staged.clear()
    with pytest.raises(ConflictError, match="PLACED cannot become REFUNDED"):
        await house.service.change_status(administrator(), order.id, OrderStatus.REFUNDED)
    assert house.store.orders == [order]
    assert house.store.staged == []


async def test_an_unknown_order_is_not_found(house: House) -> None:
    """The error names the order."""
    with pytest.raises(NotFoundError, match="no order 12345"):
        await house.service.change_status(administrator(), 12345, OrderStatus.PAID)


async def test_an_order_is_shown_to_its_owner(house: House) -> None:
    """Everybody else is told that there is none, as of one that does not exist; who is nobody has to sign in first."""
    order = await house.service.place(customer(7), items(a=1))
    assert await house.service.order(customer(7), order.id) == order
    for caller, order_id in ((customer(8), order.id), (customer(7), 12345)):
        with pytest.raises(NotFoundError, match=f"There is no order {order_id}"):
            await house.service.order(caller, order_id)
    with pytest.raises(UnauthenticatedError):
        await house.service.order(None, order.id)


async def test_any_order_is_shown_to_administrators_and_payment(house: House) -> None:
    """Another service sees none, not even the order of the account whose id it might have."""
    order = await house.service.place(customer(7), items(a=1))
    assert await house.service.order(administrator(), order.id) == order
    assert await house.service.order(service("payment"), order.id) == order
    with pytest.raises(NotFoundError):
        await house.service.order(service("payment"), 12345)
    with pytest.raises(ForbiddenError):
        await house.service.order(service("gateway"), order.id)


async def test_payment_moves_an_order(house: House) -> None:
    """The payment service says what became of an order; no other service does."""
    order = await house.service.place(customer(7), items(a=1))
    with pytest.raises(ForbiddenError):
        await house.service.change_status(service("gateway"), order.id, OrderStatus.PAID)
    moved = await house.service.change_status(service("payment"), order.id, OrderStatus.PAID)
    assert moved.status is OrderStatus.PAID


async def test_a_service_has_no_orders(house: House) -> None:
    """It neither places nor lists any."""
    with pytest.raises(ForbiddenError):
        await house.service.place(service("payment"), items(a=1))
    with pytest.raises(ForbiddenError):
        await house.service.orders_for_account(service("payment"), 7, 0, 10)
