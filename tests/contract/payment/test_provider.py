"""What the shop asks of a provider: the built-in one, Dodo Payments and Stripe answer alike, and so does the fake."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.database import Database
from services.payment.domain import (
    CheckoutFact,
    CheckoutStatus,
    Fact,
    OpenedCheckout,
    PaymentFact,
    PaymentStatus,
    RefundFact,
    RefundRequest,
    RefundStatus,
)
from services.payment.provider import Provider, ProviderRefusedError
from tests.contract.payment.counterparts import (
    BACK,
    Counterpart,
    at_dodo,
    at_sandbox,
    at_stripe,
    customer,
    listing,
    request_for,
)
from tests.factories.payment import TOTAL
from tests.fakes.payment import FakeProvider


@pytest.fixture
async def dodo() -> AsyncIterator[Counterpart]:
    """Dodo Payments."""
    async with at_dodo() as counterpart:
        yield counterpart


@pytest.fixture
async def stripe() -> AsyncIterator[Counterpart]:
    """Stripe."""
    async with at_stripe() as counterpart:
        yield counterpart


@pytest.fixture
async def sandbox(payment_database: Database) -> AsyncIterator[Counterpart]:
    """The built-in one."""
    async with at_sandbox(payment_database) as counterpart:
        yield counterpart


@pytest.fixture(params=["sandbox", "dodo", "stripe"])
def counterpart(request: pytest.FixtureRequest) -> Counterpart:
    """Each provider."""
    found: Counterpart = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["fake", "sandbox", "dodo", "stripe"])
def provider(request: pytest.FixtureRequest) -> Provider:
    """Each provider and the fake, which knows of no payments."""
    if request.param == "fake":
        return FakeProvider()
    found: Counterpart = request.getfixturevalue(request.param)
    return found.provider


def payments(facts: tuple[Fact, ...]) -> list[PaymentFact]:
    return [fact for fact in facts if isinstance(fact, PaymentFact)]


def refunds(facts: tuple[Fact, ...]) -> list[RefundFact]:
    return [fact for fact in facts if isinstance(fact, RefundFact)]


async def paid(counterpart: Counterpart) -> tuple[str, OpenedCheckout, PaymentFact]:
    """Opens a page and pays; answers our session's id, the page, and the payment."""
    request = await request_for(counterpart.provider)
    opened = await counterpart.provider.open_checkout(request)
    await counterpart.pay(opened)
    facts = await counterpart.provider.checkout(request.session_id, opened.provider_session_id)
    (payment,) = payments(facts)
    return request.session_id, opened, payment


def refund_of(payment: PaymentFact, amount: int) -> RefundRequest:
    return RefundRequest(str(uuid4()), payment.provider_payment_id, amount, payment.currency, "requested")


async def test_a_customer_has_one_id(provider: Provider) -> None:
    """Asking again for the same customer, known or not, answers the same id; another account has another one."""
    buyer = customer()
    named = await provider.ensure_customer(buyer)
    assert named
    assert await provider.ensure_customer(buyer) == named
    assert await provider.ensure_customer(replace(buyer, provider_customer_id=named, name="New name")) == named
    assert await provider.ensure_customer(customer()) != named


@pytest.mark.parametrize("listed", [True, False])
async def test_a_page_has_an_address_and_an_id(provider: Provider, listed: bool) -> None:  # noqa: FBT001 a parameter
    """A page is opened whether or not the provider's list has the products by now."""
    opened = await provider.open_checkout(await request_for(provider, listed=listed))
    assert opened.provider_session_id
    assert opened.url.startswith(("https://", "/"))


async def test_a_page_is_opened_once(provider: Provider) -> None:
    """The same request again answers the same page, but at Dodo, which knows no keys: there nobody has the first."""
    request = await request_for(provider)
    opened = await provider.open_checkout(request)
    again = await provider.open_checkout(request)
    assert (opened == again) == (provider.name != "dodo")


async def test_the_portal_has_an_address(provider: Provider) -> None:
    """A customer has a page with the payments."""
    buyer = customer()
    named = await provider.ensure_customer(buyer)
    url = await provider.open_portal(replace(buyer, provider_customer_id=named), BACK)
    assert url.startswith(("https://", "/"))


async def test_products_come_change_and_go(provider: Provider) -> None:
    """A product keeps its id through updates; it can be taken off the list twice, and one that never was there, too."""
    product = listing()
    named = await provider.put_product(product, "")
    assert named
    assert await provider.put_product(replace(product, name="Large teapot", version=2), named) == named
    await provider.remove_product(named)
    await provider.remove_product(named)
    await provider.remove_product("never_there")


async def test_nothing_is_known_of_a_page_that_was_not_paid(counterpart: Counterpart) -> None:
    """A page that was just opened is open and has no payment."""
    request = await request_for(counterpart.provider)
    opened = await counterpart.provider.open_checkout(request)
    facts = await counterpart.provider.checkout(request.session_id, opened.provider_session_id)
    (stands,) = facts
    assert isinstance(stands, CheckoutFact)
    assert (stands.status, stands.session_id) == (CheckoutStatus.OPEN, request.session_id)


@pytest.mark.parametrize("listed", [True, False])
async def test_the_orders_total_is_paid(counterpart: Counterpart, listed: bool) -> None:  # noqa: FBT001 a parameter
    """The buyer pays exactly the order's total in its currency, and the payment is known by our session's id."""
    request = await request_for(counterpart.provider, listed=listed)
    opened = await counterpart.provider.open_checkout(request)
    await counterpart.pay(opened)
    facts = await counterpart.provider.checkout(request.session_id, opened.provider_session_id)
    (payment,) = payments(facts)
    assert (payment.status, payment.session_id) == (PaymentStatus.SUCCEEDED, request.session_id)
    assert (payment.amount_minor - payment.tax_minor, payment.currency) == (TOTAL, "USD")
    assert payment.occurred_at.tzinfo


async def test_a_payment_that_failed_is_no_success(counterpart: Counterpart) -> None:
    """A declined card is told by a webhook, and the provider knows of no successful payment."""
    request = await request_for(counterpart.provider)
    opened = await counterpart.provider.open_checkout(request)
    headers, body = await counterpart.pay(opened, PaymentStatus.FAILED)
    told = payments(read(counterpart, headers, body))
    assert [(fact.status, fact.session_id) for fact in told] == [(PaymentStatus.FAILED, request.session_id)]
    facts = await counterpart.provider.checkout(request.session_id, opened.provider_session_id)
    assert PaymentStatus.SUCCEEDED not in {fact.status for fact in payments(facts)}


async def test_a_webhook_and_an_answer_tell_of_one_payment(counterpart: Counterpart) -> None:
    """The webhook about a payment has the ids, the amount and the status that the provider answers when it is asked."""
    request = await request_for(counterpart.provider)
    opened = await counterpart.provider.open_checkout(request)
    headers, body = await counterpart.pay(opened)
    (told,) = payments(read(counterpart, headers, body))
    (asked,) = payments(await counterpart.provider.checkout(request.session_id, opened.provider_session_id))
    seen = [(f.provider_payment_id, f.session_id, f.status, f.amount_minor, f.currency) for f in (told, asked)]
    assert seen[0] == seen[1]


async def test_a_refund_is_made_once(counterpart: Counterpart) -> None:
    """The same request again answers the same refund; the provider tells of it by our id."""
    session_id, opened, payment = await paid(counterpart)
    request = refund_of(payment, TOTAL)
    made = await counterpart.provider.refund(request)
    assert (made.status, made.amount_minor, made.refund_id) == (RefundStatus.SUCCEEDED, TOTAL, request.refund_id)
    assert (await counterpart.provider.refund(request)).provider_refund_id == made.provider_refund_id
    facts = await counterpart.provider.checkout(session_id, opened.provider_session_id)
    assert [(fact.refund_id, fact.amount_minor) for fact in refunds(facts)] == [(request.refund_id, TOTAL)]


async def test_parts_are_refunded_up_to_the_whole(counterpart: Counterpart) -> None:
    """Two parts and the rest can be given back; then nothing is left, and asking for more is refused for good."""
    _, _, payment = await paid(counterpart)
    parts = [1_000, 2_500, TOTAL - 3_500]
    made = [await counterpart.provider.refund(refund_of(payment, part)) for part in parts]
    assert [fact.amount_minor for fact in made] == parts
    assert len({fact.provider_refund_id for fact in made}) == 3
    with pytest.raises(ProviderRefusedError):
        await counterpart.provider.refund(refund_of(payment, 1))


async def test_more_than_was_paid_is_refused(counterpart: Counterpart) -> None:
    """Nobody gets back more than came in."""
    _, _, payment = await paid(counterpart)
    with pytest.raises(ProviderRefusedError):
        await counterpart.provider.refund(refund_of(payment, TOTAL + 1))


async def test_a_refund_of_nothing_known_is_refused(counterpart: Counterpart) -> None:
    """A payment that the provider does not know is refunded by nobody, however often it is asked."""
    with pytest.raises(ProviderRefusedError):
        await counterpart.provider.refund(RefundRequest(str(uuid4()), "pay_unknown", 100, "USD", "requested"))


async def test_a_page_can_be_closed_twice(counterpart: Counterpart) -> None:
    """Closing is no error for a page that is closed or was paid."""
    request = await request_for(counterpart.provider)
    opened = await counterpart.provider.open_checkout(request)
    await counterpart.provider.close_checkout(opened.provider_session_id)
    await counterpart.provider.close_checkout(opened.provider_session_id)
    facts = await counterpart.provider.checkout(request.session_id, opened.provider_session_id)
    wanted = CheckoutStatus.OPEN if counterpart.provider.name == "dodo" else CheckoutStatus.EXPIRED
    assert [fact.status for fact in facts if isinstance(fact, CheckoutFact)] == [wanted]
    _, other, _ = await paid(counterpart)
    await counterpart.provider.close_checkout(other.provider_session_id)


def read(counterpart: Counterpart, headers: dict[str, str], body: bytes) -> tuple[Fact, ...]:
    return counterpart.provider.read_webhook(headers, body, datetime.now(UTC)).facts
