"""Recommendations follow what accounts do: two tastes, told by events and by the services themselves."""

from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest

from protos.gen.ecommerce.recommender.v1 import Reason
from services.errors import ForbiddenError, InvalidError, UnauthenticatedError
from tests.integration.order.conftest import Person
from tests.integration.recommender import feed
from tests.integration.recommender.tastes import Tastes, two_tastes
from tests.integration.recommender.world import Answer, World

# What the issue calls fresh: seconds from a deed to recommendations that know of it, and for a new product.
DEED_WITHIN = 5.0
PRODUCT_WITHIN = 60.0


@pytest.fixture(scope="module")
async def tastes(world: World) -> Tastes:
    """A shop that has sold for ten days, and its first model."""
    some = two_tastes()
    await world.feed.tell(*some.catalogue(), *some.deeds())
    await world.feed.caught_up()
    await world.serves()
    return some


def share(answer: Answer, tastes: Tastes, taste: str, most: int = 10) -> float:
    """How much of the personal part of an answer is of one taste."""
    personal = [each for each, why in answer.items if why in {Reason.TASTE, Reason.VIEWED, Reason.SIMILAR}][:most]
    return sum(tastes.taste_of(each) == taste for each in personal) / len(personal) if personal else 0.0


async def test_each_taste_is_recommended_its_own(world: World, tastes: Tastes) -> None:
    """Accounts of either taste get their own taste first, for the reason of taste, and nothing that they bought."""
    for taste, accounts in tastes.accounts.items():
        for account_id in accounts[:5]:
            answer = await world.of(account_id)
            assert share(answer, tastes, taste, most=5) >= 0.8, answer
            rows = await world.sql(
                "SELECT product_id FROM interactions WHERE account_id = :a AND kind = 'purchase'", a=account_id
            )
            assert rows
            assert not {row.product_id for row in rows} & set(answer.ids)


async def test_a_new_account_is_understood_within_seconds(world: World, tastes: Tastes) -> None:
    """Somebody no model has seen views tea and is recommended tea; then buys one, which is gone: each within 5 s."""
    took = sorted([await follows_a_new_account(world, tastes) for _ in range(3)])
    assert took[1] < DEED_WITHIN, took


async def follows_a_new_account(world: World, tastes: Tastes) -> float:
    """Answers the longer of the seconds from views to what is like them, and from a purchase to its absence."""
    person = await world.shop.customer()
    before = await world.of(person.id, caller=person)
    assert {reason for _, reason in before.items} <= {Reason.POPULAR, Reason.NEW}
    first, second, *_ = tastes.products["tea"]
    await world.feed.tell(feed.view(person.id, first), feed.view(person.id, second))

    async def follows() -> Answer | None:
        answer = await world.of(person.id, caller=person)
        return answer if share(answer, tastes, "tea", most=5) >= 0.8 else None

    viewed = monotonic()
    answer = await world.eventually(follows, "tea is recommended")
    understood = monotonic() - viewed
    assert answer.why(Reason.SEEN)
    wanted = answer.ids[0]
    await world.feed.tell(feed.purchase(person.id, wanted))

    async def left_out() -> bool:
        return wanted not in (await world.of(person.id, caller=person)).ids

    bought = monotonic()
    await world.eventually(left_out, "what was bought is no longer recommended")
    return max(understood, monotonic() - bought)


async def test_what_the_services_tell_counts(world: World, tastes: Tastes, seller: Person) -> None:
    """A product put up in the product service is recommended; one bought at the order service no longer."""
    made = await world.shop.product(seller, 1999, "A porcelain tea cup")

    async def there() -> bool:
        return made.id in (await world.after_viewing(tastes.products["tea"][0])).ids

    await world.eventually(there, "the product is recommended")
    person = await world.shop.customer()
    assert made.id in (await world.of(person.id, caller=person)).ids
    await world.shop.place(person, {made.id: 1})

    async def left_out() -> bool:
        return made.id not in (await world.of(person.id, caller=person)).ids

    await world.eventually(left_out, "what was ordered is left out")
    await world.shop.remove(seller, made)

    async def gone() -> bool:
        return made.id not in (await world.after_viewing(tastes.products["tea"][0])).ids

    await world.eventually(gone, "the deleted product is gone")


async def test_a_visitors_session_is_folded_in(world: World, tastes: Tastes) -> None:
    """Views of one session decide, by the reason VIEWED; those products are left out, unknown ones ignored."""
    for taste, products in tastes.products.items():
        answer = await world.after_viewing(*products[:3], "no-such-product")
        assert share(answer, tastes, taste, most=5) >= 0.8
        assert answer.why(Reason.VIEWED)
        assert not set(products[:3]) & set(answer.ids)


async def test_pages_have_every_product_once(world: World, tastes: Tastes) -> None:
    """Pages of 7 put together are the one long answer, whose reasons come in their order; none is there twice."""
    account_id = tastes.accounts["wood"][0]

    async def paged() -> Answer | None:
        whole = await world.of(account_id)
        pages = [await world.of(account_id, skip=skip, take=7) for skip in range(0, len(whole.ids), 7)]
        # Otherwise a newer model came in between.
        return whole if tuple(each for page in pages for each in page.items) == whole.items else None

    whole = await world.eventually(paged, "pages are the parts of the whole")
    assert len(set(whole.ids)) == len(whole.ids) > 14
    ranks = [_RANK[reason] for _, reason in whole.items]
    assert ranks == sorted(ranks)


_RANK = {Reason.TASTE: 0, Reason.SIMILAR: 0, Reason.VIEWED: 0, Reason.SEEN: 1, Reason.POPULAR: 2, Reason.NEW: 3}


async def test_a_product_is_recommended_on_its_first_day(world: World, tastes: Tastes) -> None:
    """What nobody has dealt with yet reaches by its text whoever likes such things, and nobody else."""
    new = f"new-{tastes.products['tea'][0]}"
    await world.feed.tell(feed.product(new, "porcelain tea cup with bamboo whisk for green tea leaves"))

    async def similar(taste: str) -> bool:
        return new in (await world.of(tastes.accounts[taste][0])).why(Reason.SIMILAR)

    await world.eventually(lambda: similar("tea"), "the new product is recommended", PRODUCT_WITHIN)
    assert not await similar("wood")
    await world.feed.tell(feed.deleted(new))

    async def gone() -> bool:
        return new not in (await world.of(tastes.accounts["tea"][0])).ids

    await world.eventually(gone, "the deleted product is gone")


async def test_who_may_ask_for_whom(world: World, tastes: Tastes) -> None:
    """An account asks for itself, an administrator for anybody; nobody else, and nothing without measure."""
    person, other = await world.shop.customer(), await world.shop.customer()
    with pytest.raises(ForbiddenError):
        await world.of(other.id, caller=person)
    with pytest.raises(UnauthenticatedError):
        await world.of(other.id, caller=Person(other.id, ""))
    for skip, take in ((-1, 10), (0, 0), (0, 101)):
        with pytest.raises(InvalidError):
            await world.of(tastes.accounts["tea"][0], skip=skip, take=take)


async def test_old_deeds_are_ignored(world: World, tastes: Tastes) -> None:
    """An event from more than a year ago is read and leaves nothing behind."""
    event = feed.view(tastes.accounts["tea"][0], tastes.products["wood"][0], datetime.now(UTC) - timedelta(days=366))
    await world.feed.tell(event)
    await world.feed.caught_up()
    assert not await world.sql("SELECT 1 FROM interactions WHERE event_id = :id", id=event.id)
