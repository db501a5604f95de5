import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import ConflictError
from services.order.status import INITIAL, MOVES, OrderStatus, changes

STATUSES = st.sampled_from(OrderStatus)
TERMINAL = {OrderStatus.CANCELLED, OrderStatus.REFUNDED}
HAS_BEEN_PAID = {OrderStatus.PAID, OrderStatus.PARTIALLY_REFUNDED, OrderStatus.REFUNDED}


def walk(wishes: list[OrderStatus]) -> list[OrderStatus]:
    """The statuses an order goes through when each wish is tried in turn and refused ones are given up."""
    path = [INITIAL]
    for wanted in wishes:
        try:
            moved = changes(path[-1], wanted)
        except ConflictError:
            continue
        if moved:
            path.append(wanted)
    return path


def test_the_moves_are_those_of_the_published_contract() -> None:
    """The machine is the one that order.proto describes, no move more and none less."""
    placed, paid, failed = OrderStatus.PLACED, OrderStatus.PAID, OrderStatus.PAYMENT_FAILED
    cancelled, refunded, partly = OrderStatus.CANCELLED, OrderStatus.REFUNDED, OrderStatus.PARTIALLY_REFUNDED
    moves = {(before, after) for before, targets in MOVES.items() for after in targets}
    assert moves == {
        (placed, paid),
        (placed, failed),
        (placed, cancelled),
        (failed, paid),
        (failed, cancelled),
        (paid, partly),
        (paid, refunded),
        (partly, refunded),
    }


@given(st.lists(STATUSES, max_size=30))
def test_nothing_leads_out_of_a_terminal_status(wishes: list[OrderStatus]) -> None:
    """Whatever is asked for, a cancelled or refunded order stays so."""
    assert not TERMINAL & set(walk(wishes)[:-1])


@given(st.lists(STATUSES, max_size=30))
def test_no_status_comes_back(wishes: list[OrderStatus]) -> None:
    """An order never returns to a status that it has left."""
    path = walk(wishes)
    assert len(path) == len(set(path))


@given(st.lists(STATUSES, max_size=30))
def test_money_is_returned_only_after_it_was_paid(wishes: list[OrderStatus]) -> None:
    """Every path to a refund leads through PAID, and a paid order is never cancelled."""
    path = walk(wishes)
    if HAS_BEEN_PAID & set(path):
        assert OrderStatus.PAID in path
        assert OrderStatus.CANCELLED not in path


@given(STATUSES)
def test_every_status_can_be_reached(status: OrderStatus) -> None:
    """There is no status that no order can ever have."""
    reached, frontier = {INITIAL}, [INITIAL]
    while frontier:
        new = MOVES[frontier.pop()] - reached
        reached |= new
        frontier += new
    assert status in reached


@given(STATUSES)
def test_the_present_status_is_no_move(status: OrderStatus) -> None:
    """Asking for the status that an order has changes nothing and is no error."""
    assert changes(status, status) is False


@given(STATUSES, STATUSES)
def test_a_refusal_names_both_statuses(current: OrderStatus, wanted: OrderStatus) -> None:
    """Every pair is either the same, a move, or a conflict that names both."""
    if wanted == current or wanted in MOVES[current]:
        assert changes(current, wanted) is (wanted != current)
        return
    with pytest.raises(ConflictError) as refusal:
        changes(current, wanted)
    assert f"is {current.name} " in refusal.value.message
    assert f"become {wanted.name}." in refusal.value.message
