"""The provider's list of products in PostgreSQL: only newer versions win, and nothing is pushed for nothing."""

import asyncio
import itertools

from services.database import Database
from services.payment.domain import Listing
from tests.contract.payment.conftest import Kept, opened_kept
from tests.contract.payment.driving import begun
from tests.factories.payment import order


def listing(version: int, product_id: str = "p1") -> Listing:
    return Listing(product_id, f"Name {version}", "Description", 100 + version, "USD", version)


async def test_a_product_is_pushed_once_a_version(kept: Kept) -> None:
    """Under the provider's id from the second time on."""
    await kept.store.put_listing(listing(1))
    (job,) = await kept.store.claim_listings(10)
    assert (job.listing, job.provider_product_id, job.deleted, job.attempts) == (listing(1), "", False, 0)
    assert await kept.store.claim_listings(10) == []
    await kept.store.listing_pushed("p1", 1, "prod_1")
    assert await kept.store.claim_listings(10) == []
    await kept.store.put_listing(listing(2))
    (job,) = await kept.store.claim_listings(10)
    assert (job.listing, job.provider_product_id) == (listing(2), "prod_1")


async def test_events_may_come_in_any_order(kept: Kept) -> None:
    """Two versions and the end of a product: it is gone, and is not brought back."""
    for number, arrangement in enumerate(itertools.permutations(range(3))):
        product_id = f"p{number}"
        for index in (*arrangement, *arrangement):
            if index == 2:
                await kept.store.drop_listing(product_id, 3)
            else:
                await kept.store.put_listing(listing(index + 1, product_id))
    jobs = await kept.store.claim_listings(10)
    assert [(job.deleted, job.listing.version) for job in jobs] == [(True, 3)] * 6


async def test_a_change_during_a_push_is_pushed_next(kept: Kept) -> None:
    """What was pushed is known by its version."""
    await kept.store.put_listing(listing(1))
    await kept.store.claim_listings(10)
    await kept.store.drop_listing("p1", 2)
    await kept.store.listing_pushed("p1", 1, "prod_1")
    (job,) = await kept.store.claim_listings(10)
    assert (job.deleted, job.provider_product_id, job.listing.version) == (True, "prod_1", 2)


async def test_a_product_that_is_not_taken_is_tried_again(kept: Kept) -> None:
    """After as long as was said; the others do not wait for it."""
    await kept.store.put_listing(listing(1))
    await kept.store.claim_listings(10)
    await kept.store.listing_failed("p1", "No such currency.", 5)
    await kept.store.put_listing(listing(1, "p2"))
    assert [job.listing.product_id for job in await kept.store.claim_listings(10)] == ["p2"]
    kept.clock.forward(seconds=6)
    (job,) = await kept.store.claim_listings(10)
    assert (job.listing.product_id, job.attempts) == ("p1", 1)


async def test_another_provider_is_told_of_everything(payment_database: Database, kept: Kept) -> None:
    """Its list has nothing of what the former one had."""
    await kept.store.put_listing(listing(1))
    await kept.store.claim_listings(10)
    await kept.store.listing_pushed("p1", 1, "prod_1")
    other = opened_kept(payment_database, "stripe")
    other.clock.forward(minutes=1)
    (job,) = await other.store.claim_listings(10)
    assert (job.listing, job.provider_product_id) == (listing(1), "")


async def test_replicas_push_a_product_once(payment_database: Database, kept: Kept) -> None:
    """Five at once share ten products."""
    for number in range(10):
        await kept.store.put_listing(listing(1, f"p{number}"))
    stores = [opened_kept(payment_database).store for _ in range(5)]
    claimed = await asyncio.gather(*(store.claim_listings(4) for store in stores))
    ids = [job.listing.product_id for jobs in claimed for job in jobs]
    assert len(ids) == len(set(ids))


async def test_a_checkout_names_the_products_that_the_provider_has(kept: Kept) -> None:
    """Not those that are gone or not there yet; and a repeated opening names the same ones."""
    await kept.store.put_listing(listing(1))
    assert (await begun(kept)).session.provider_products == {}
    await kept.store.listing_pushed("p1", 1, "prod_1")
    assert (await begun(kept)).session.provider_products == {}
    assert (await begun(kept, order(2))).session.provider_products == {"p1": "prod_1"}
    await kept.store.drop_listing("p1", 2)
    assert (await begun(kept, order(3))).session.provider_products == {}
