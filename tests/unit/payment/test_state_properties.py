"""What holds of every story of an order's payments, however odd."""

from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.payment import state
from services.payment.domain import OrderStatus, PaymentStatus, RefundStatus
from services.payment.state import PaymentState, RefundState, Story
from tests.factories.payment import NOW, TOTAL

NAMES = ("a", "b", "c")


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Up to three payments and six refunds, at any point of telling the order service of them."""
    payments = [
        PaymentState(
            name,
            f"pay_{name}",
            draw(st.sampled_from(PaymentStatus)),
            draw(st.sampled_from([0, 1, TOTAL - 1, TOTAL, TOTAL + 7])),
            draw(st.sampled_from([0, 0, 7])),
            draw(st.sampled_from(["USD", "USD", "EUR"])),
            NOW + timedelta(seconds=draw(st.integers(0, 2))),
            TOTAL,
            "USD",
        )
        for name in draw(st.sets(st.sampled_from(NAMES)))
    ]
    refunds = draw(
        st.lists(
            st.builds(
                RefundState,
                st.sampled_from(NAMES),
                st.sampled_from(RefundStatus),
                st.sampled_from([1, TOTAL]),
                st.booleans(),
            ),
            max_size=6,
        )
    )
    return Story(draw(st.sampled_from(OrderStatus)), draw(st.booleans()), tuple(payments), tuple(refunds))


@given(stories(), st.randoms(use_true_random=False))
def test_the_order_in_which_facts_are_known_does_not_matter(story: Story, chance: Random) -> None:
    """The same payments and refunds come to the same, however they are arranged."""
    payments, refunds = list(story.payments), list(story.refunds)
    chance.shuffle(payments)
    chance.shuffle(refunds)
    other = Story(story.staged, story.cancelled, tuple(payments), tuple(refunds))
    assert state.derived(other) == state.derived(story)
    assert state.steps(other) == state.steps(story)
    assert set(state.owed(other)) == set(state.owed(story))


@given(stories())
def test_every_step_is_a_move_of_the_order(story: Story) -> None:
    """From the status that was staged last to the one that the facts come to, or nothing at all."""
    at = story.staged
    for step in state.steps(story):
        assert step in state.MOVES[at]
        at = step
    assert at in {state.derived(story), story.staged}


@given(stories())
def test_all_money_pays_the_order_or_goes_back(story: Story) -> None:
    """Whatever came in and is still here is the winner's, owed back, or asked back already; nothing is owed twice."""
    winner, owed = state.winner(story), state.owed(story)
    assert len({one.payment_id for one in owed}) == len(owed)
    for payment in story.payments:
        kept = payment == winner
        going = payment.id in {one.payment_id for one in owed} or story.is_owed_back(payment)
        assert not (kept and going)
        assert kept or going or not story.left(payment)


@given(stories())
def test_no_more_goes_back_than_came_in(story: Story) -> None:
    """What is owed is what is left after all other refunds."""
    payments = {payment.id: payment for payment in story.payments}
    for one in state.owed(story):
        payment = payments[one.payment_id]
        given_back = story.refunded(payment) + story.refunding(payment)
        assert 0 < one.amount_minor == payment.amount_minor - given_back
        assert story.succeeded(payment)


@given(stories())
def test_a_cancelled_order_keeps_no_money_and_moves_no_more(story: Story) -> None:
    """Whoever cancelled it."""
    if story.is_cancelled:
        assert state.winner(story) is None
        assert state.steps(story) == ()
