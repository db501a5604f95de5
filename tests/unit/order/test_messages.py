import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protos.gen.ecommerce.events import v1 as events_v1
from protos.gen.ecommerce.order import v1 as order_v1
from services import codec
from services.errors import InvalidError
from services.order.basket import MAX_LINES, MAX_TOTAL_MINOR
from services.order.domain import Line
from services.order.events import Announcer
from services.order.messages import order_message, status_message, status_of
from services.order.paging import check_size
from services.order.status import OrderStatus
from services.rpc.options import MAX_MESSAGE
from tests.factories.order import NOW, draft, line, order


def announcer() -> Announcer:
    numbers = itertools.count(1)
    return Announcer(lambda: f"event-{next(numbers)}")


def test_an_order_survives_the_wire() -> None:
    """Every field of an order arrives as it was sent, the largest amounts and any script included."""
    largest = order(2**31 - 1, 7, line("ü-鍵", 2**53 - 1), line("p2", 0, 10_000), status=OrderStatus.PAID)
    arrived = codec.decode(order_v1.Order, codec.encode(order_message(largest)))
    assert (arrived.id, arrived.account_id, arrived.created_at) == (2**31 - 1, 7, NOW)
    assert arrived.status is order_v1.OrderStatus.PAID
    assert arrived.total_price is not None
    assert (arrived.total_price.minor_units, arrived.total_price.currency) == (2**53 - 1, "USD")
    lines = [
        (one.product_id, one.name, one.description, one.price and one.price.minor_units, one.quantity)
        for one in arrived.lines
    ]
    assert lines == [
        ("ü-鍵", "Name of ü-鍵", "Description of ü-鍵", 2**53 - 1, 1),
        ("p2", "Name of p2", "Description of p2", 0, 10_000),
    ]


@given(st.sampled_from(OrderStatus))
def test_every_status_has_its_number(status: OrderStatus) -> None:
    """The two lists of statuses are the same list."""
    assert status_of(status_message(status)) is status
    assert status_message(status).name == status.name


@pytest.mark.parametrize("number", [0, 7, 99, -1])
def test_other_numbers_are_no_status(number: int) -> None:
    """Neither the absent status nor one of a newer version of the protocol can be asked for."""
    with pytest.raises(InvalidError, match="statuses"):
        status_of(order_v1.OrderStatus(number))


@given(
    st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), st.text("aü鍵", max_size=300)))
)
def test_the_size_of_an_order_is_known_beforehand(texts: list[tuple[str, str]]) -> None:
    """What a draft says it will take in an answer is close to what it takes, and hardly ever less."""
    lines = [line(f"p{n}" + name, 10**12, 10_000) for n, (name, _) in enumerate(texts)]
    taken = len(codec.encode(order_message(order(2**31 - 1, 2**31 - 1, *lines))))
    estimated = draft(7, *lines).size
    assert taken - 16 <= estimated <= taken + 48 * (1 + len(lines))


def test_a_placed_order_is_told_without_descriptions() -> None:
    """Long texts could make the record too large for Kafka; everything else of the order is there."""
    placed = order(3, 7, line("a", 5, 2), line("b", 7, 1))
    event = announcer().placed(placed)[0]
    message = event.message
    assert isinstance(message, events_v1.OrderPlaced)
    whole = order_message(placed)
    for one in whole.lines:
        one.description = ""
    assert message.order == whole
    assert (event.topic, event.key, event.source, event.time, event.id) == (
        "order_events",
        "3",
        "/order",
        NOW,
        "event-1",
    )


def test_the_largest_order_fits_into_a_record() -> None:
    """A hundred products with the longest names stay well below the 1 MB that Kafka takes by default."""
    lines = [line(f"{n:036}" + "鍵" * 200, 10**12, 10_000) for n in range(100)]
    assert len(codec.encode(announcer().placed(order(1, 7, *lines))[0].message)) < 500_000


def test_the_largest_order_fits_into_an_answer() -> None:
    """A hundred products with the longest names and descriptions of four-byte characters can be placed and shown."""
    lines = [
        Line(f"{n:036}", "🛒" * 200, "🛒" * 10_000, MAX_TOTAL_MINOR // 1_000_000, 10_000) for n in range(MAX_LINES)
    ]
    check_size([draft(7, *lines).size])
    assert len(codec.encode(order_v1.PostOrderResponse(order=order_message(order(1, 7, *lines))))) < MAX_MESSAGE


def test_each_line_is_told_as_a_purchase() -> None:
    """Who bought which product, how many of it, in which order."""
    purchases = announcer().placed(order(3, 7, line("a", 5, 2), line("b", 7, 1)))[1:]
    assert [(event.topic, event.key) for event in purchases] == [("interaction_events", "7")] * 2
    assert [event.message for event in purchases] == [
        events_v1.ProductPurchased(product_id="a", account_id=7, quantity=2, order_id=3),
        events_v1.ProductPurchased(product_id="b", account_id=7, quantity=1, order_id=3),
    ]


def test_a_change_of_status_is_told_with_both_statuses() -> None:
    """Under the order's id, so that it arrives after the order itself."""
    event = announcer().status_changed(order(3, 7, status=OrderStatus.PAID), previous=OrderStatus.PLACED)
    assert (event.topic, event.key) == ("order_events", "3")
    assert event.message == events_v1.OrderStatusChanged(
        order_id=3,
        account_id=7,
        previous=order_v1.OrderStatus.PLACED,
        current=order_v1.OrderStatus.PAID,
        changed_at=NOW,
    )
