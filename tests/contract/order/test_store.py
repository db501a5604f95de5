"""What every store of orders does, in memory or on PostgreSQL."""

import asyncio
from dataclasses import replace

import pytest

from services.errors import ConflictError, InvalidError, NotFoundError
from services.order.basket import MAX_TOTAL_MINOR
from services.order.domain import KeyedOrder, Line, Order
from services.order.events import Announcer
from services.order.status import INITIAL, OrderStatus
from tests.contract.order.conftest import Kept, announcer
from tests.factories.order import NOW, draft, key, line


async def test_an_order_is_kept_as_it_was_drafted(kept: Kept) -> None:
    """Every field and line, the largest amounts and any script included; the answer is what is read later."""
    lines = (line("ü-鍵", 0, 10_000), Line("p2", "Кот 🐈", "two\nlines\tand 'quotes' \\", MAX_TOTAL_MINOR, 1))
    added = await kept.store.add(draft(7, *lines), None)
    assert added == KeyedOrder(Order(added.order.id, 7, "USD", MAX_TOTAL_MINOR, lines, INITIAL, NOW, NOW), None)
    assert (await kept.store.page([7], 0, 10))[7] == [added.order]


async def test_the_events_of_an_order_are_staged_with_it(kept: Kept) -> None:
    """OrderPlaced and a purchase for each line, whole and in that order, announced once."""
    added = await kept.store.add(draft(7, line("a", 5, 2), line("b", 7, 1)), None)
    assert await kept.staged() == announcer().placed(added.order)
    assert len(kept.commits) == 1


async def test_a_key_answers_the_first_order(kept: Kept) -> None:
    """Adding under a used key writes no order and no event, and tells which request the key was used for."""
    first = await kept.store.add(draft(7, line("a")), key("k", "one-request"))
    staged = await kept.staged()
    again = await kept.store.add(draft(7, line("b")), key("k", "another-request"))
    assert first == again == await kept.store.find(7, "k")
    assert again.fingerprint == "one-request"
    assert (await kept.store.page([7], 0, 10))[7] == [first.order]
    assert await kept.staged() == staged
    assert len(kept.commits) == 1


async def test_keys_are_each_accounts_own(kept: Kept) -> None:
    """Another account's key, and a key that nobody used, answer nothing."""
    mine = await kept.store.add(draft(7), key("k"))
    assert await kept.store.find(8, "k") is None
    assert await kept.store.find(7, "K") is None
    theirs = await kept.store.add(draft(8), key("k"))
    assert theirs.order.id != mine.order.id


async def test_orders_without_a_key_are_all_different(kept: Kept) -> None:
    """Two equal drafts are two orders, and ids grow."""
    first, second = await kept.store.add(draft(), None), await kept.store.add(draft(), None)
    assert first.order.id < second.order.id


async def test_simultaneous_adds_under_one_key_write_one_order(kept: Kept) -> None:
    """Twenty at once: one order, one set of events, and everyone is answered with it."""
    adding = (kept.store.add(draft(7, line("a", number)), key("k", f"{number}")) for number in range(20))
    answers = await asyncio.gather(*adding)
    (kept_order,) = (await kept.store.page([7], 0, 100))[7]
    assert {answer.order.id for answer in answers} == {kept_order.id}
    assert len({answer.fingerprint for answer in answers}) == 1
    assert len(await kept.staged()) == 2


async def test_a_repeat_shows_the_order_as_it_is_now(kept: Kept) -> None:
    """The status has moved on since; the rest is the same."""
    first = await kept.store.add(draft(), key("k"))
    moved = await kept.store.change_status(first.order.id, OrderStatus.PAID)
    assert await kept.store.find(7, "k") == replace(first, order=moved)


async def test_pages_are_cut_for_each_account_on_its_own(kept: Kept) -> None:
    """Newest first, the same skip and take for every account, an empty page for one without orders."""
    orders: dict[int, list[Order]] = {7: [], 8: [], 9: []}
    for account_id in (7, 8, 7, 7, 8, 7):
        added = await kept.store.add(draft(account_id, line("a"), line("b")), None)
        orders[account_id].insert(0, added.order)
    for skip, take in ((0, 10), (0, 2), (1, 2), (3, 5), (9, 9), (0, 0)):
        pages = await kept.store.page([8, 9, 7], skip, take)
        assert pages == {account: found[skip : skip + take] for account, found in orders.items()}
    assert await kept.store.page([], 0, 10) == {}


async def test_a_page_that_is_too_large_is_refused(kept: Kept) -> None:
    """Orders that would not fit into one answer together can still be read one by one."""
    lines = [Line(f"p{n}", "long", "x" * 40_000, 1, 1) for n in range(60)]
    added = [(await kept.store.add(draft(7, *lines), None)).order for _ in range(2)]
    with pytest.raises(InvalidError, match="fewer at once"):
        await kept.store.page([7], 0, 2)
    assert (await kept.store.page([7], 1, 1))[7] == [added[0]]


async def test_an_order_moves_with_its_event(kept: Kept) -> None:
    """The new status is kept and told of, with the one before it."""
    placed = (await kept.store.add(draft(), None)).order
    before = len(await kept.staged())
    moved = await kept.store.change_status(placed.id, OrderStatus.PAID)
    assert moved == replace(placed, status=OrderStatus.PAID)
    assert (await kept.store.page([7], 0, 1))[7] == [moved]
    ids = Announcer(lambda: "event-3")
    assert (await kept.staged())[before:] == [ids.status_changed(moved, previous=OrderStatus.PLACED)]
    assert len(kept.commits) == 2


async def test_the_present_status_changes_nothing(kept: Kept) -> None:
    """No event, no announcement, and the order is answered."""
    placed = (await kept.store.add(draft(), None)).order
    before = await kept.staged()
    assert await kept.store.change_status(placed.id, OrderStatus.PLACED) == placed
    assert await kept.staged() == before
    assert len(kept.commits) == 1


async def test_an_illegal_move_changes_nothing(kept: Kept) -> None:
    """Neither the order nor the outbox."""
    placed = (await kept.store.add(draft(), None)).order
    before = await kept.staged()
    with pytest.raises(ConflictError, match="PLACED cannot become REFUNDED"):
        await kept.store.change_status(placed.id, OrderStatus.REFUNDED)
    assert (await kept.store.page([7], 0, 1))[7] == [placed]
    assert await kept.staged() == before


@pytest.mark.parametrize("order_id", [0, -1, 2**31 - 1, -(2**31)])
async def test_an_unknown_order_is_not_found(kept: Kept, order_id: int) -> None:
    """Whatever 32-bit number is asked for."""
    with pytest.raises(NotFoundError, match=f"no order {order_id}"):
        await kept.store.change_status(order_id, OrderStatus.PAID)


async def test_simultaneous_moves_happen_one_after_another(kept: Kept) -> None:
    """Of ten payments and ten cancellations at once one move happens; what contradicts it is refused."""
    placed = (await kept.store.add(draft(), None)).order
    wishes = [OrderStatus.PAID, OrderStatus.CANCELLED] * 10
    moving = (kept.store.change_status(placed.id, wanted) for wanted in wishes)
    answers = await asyncio.gather(*moving, return_exceptions=True)
    moved = [answer for answer in answers if isinstance(answer, Order)]
    assert len(moved) == 10
    assert len(set(moved)) == 1
    assert sum(isinstance(answer, ConflictError) for answer in answers) == 10
    assert len(await kept.staged()) == 3


async def test_an_order_is_found_by_its_id(kept: Kept) -> None:
    """Whole, as it stands now; None where there is none."""
    first = (await kept.store.add(draft(7, line("a", 5, 2), line("b", 7, 1)), None)).order
    second = (await kept.store.add(draft(8), None)).order
    assert await kept.store.get(first.id) == first
    assert await kept.store.get(second.id) == second
    moved = await kept.store.change_status(first.id, OrderStatus.PAID)
    assert await kept.store.get(first.id) == moved
    for order_id in (second.id + 1, 0, -1, 2**31 - 1, -(2**31)):
        assert await kept.store.get(order_id) is None
