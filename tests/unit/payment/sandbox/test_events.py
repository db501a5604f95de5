"""Claims about the built-in provider's webhooks: what is written is what is read."""

from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import pytest

from services.payment.domain import CheckoutFact, CheckoutStatus, PaymentFact, PaymentStatus, RefundFact, RefundStatus
from services.payment.provider import MalformedError
from services.payment.providers.sandbox import events
from services.payment.providers.sandbox.desk import LATE, SHUFFLED, Misbehaviour
from services.payment.providers.sandbox.events import PaymentData, RefundData

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAID = PaymentData(
    payment_id="pay_1", checkout_id="chk_1", session_id="s-1", order_id=7, amount=4459, currency="USD", occurred_at=NOW
)
GIVEN_BACK = RefundData(
    refund_id="ref_1", payment_id="pay_1", amount=4459, currency="USD", occurred_at=NOW, request_id="r-1", reason="why"
)


@pytest.mark.parametrize(
    ("status", "kind", "page"),
    [
        (PaymentStatus.SUCCEEDED, "payment.succeeded", [CheckoutStatus.COMPLETED]),
        (PaymentStatus.FAILED, "payment.failed", []),
        (PaymentStatus.CANCELLED, "payment.cancelled", [CheckoutStatus.EXPIRED]),
    ],
)
def test_a_payment_is_created_and_then_decided(status: PaymentStatus, kind: str, page: list[CheckoutStatus]) -> None:
    """Two webhooks tell of a press, each with the whole payment; a declined one leaves its page open."""
    (created, first), (decided, second) = events.of_payment(PAID, status)
    assert (created, decided) == ("payment.created", kind)
    assert [fact.status for fact in events.read(first)[1]] == [PaymentStatus.PROCESSING]
    payment, *over = events.read(second)[1]
    assert payment == PaymentFact("pay_1", status, 4459, "USD", NOW, "s-1", "chk_1")
    assert over == [CheckoutFact(one, "s-1", "chk_1") for one in page]


def test_a_refund_is_created_and_then_done() -> None:
    """Two webhooks tell of a refund, and each names the shop's own id of it."""
    told = [events.read(body) for _, body in events.of_refund(GIVEN_BACK)]
    assert [kind for kind, _ in told] == ["refund.created", "refund.succeeded"]
    assert [facts for _, facts in told] == [
        (RefundFact("ref_1", "pay_1", status, 4459, "USD", NOW, "r-1", "why"),)
        for status in (RefundStatus.PENDING, RefundStatus.SUCCEEDED)
    ]


def test_an_unknown_type_tells_nothing() -> None:
    """What a newer provider may send is taken without effect, whatever it holds."""
    body = b'{"type":"dispute.opened","timestamp":"2026-11-23T12:00:00Z","data":[1,2]}'
    assert events.read(body) == ("dispute.opened", ())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"type":"payment.succeeded","timestamp":"2026-11-23T12:00:00Z"}',
        b'{"type":"payment.succeeded","timestamp":"yesterday","data":{}}',
        msgspec.json.encode({"type": "refund.succeeded", "timestamp": NOW, "data": {"refund_id": 1}}),
    ],
)
def test_what_cannot_be_read_is_malformed(body: bytes) -> None:
    """A body that is no event, or a known type without what it must have, is refused as such."""
    with pytest.raises(MalformedError):
        events.read(body)


def test_deliveries_are_prompt_unless_told_otherwise() -> None:
    """Without a word, each is sent once, at once."""
    calm = Misbehaviour(frozenset(), Random(1))
    assert (calm.copies, calm.delay()) == (1, timedelta(0))


def test_deliveries_go_astray_as_told() -> None:
    """Late ones wait within their bounds, shuffled ones change places, and twice is twice."""
    late, shuffled = (Misbehaviour(frozenset({word}), Random(1)) for word in ("late", "shuffled"))
    assert all(LATE[0] <= late.delay().total_seconds() <= LATE[1] for _ in range(100))
    delays = [shuffled.delay().total_seconds() for _ in range(100)]
    assert all(SHUFFLED[0] <= delay <= SHUFFLED[1] for delay in delays)
    assert delays != sorted(delays)
    assert Misbehaviour(frozenset({"twice"}), Random(1)).copies == 2
