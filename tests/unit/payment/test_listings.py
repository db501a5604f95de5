"""The provider's list of products: what is told, and what becomes of failures."""

from dataclasses import replace

import pytest

from services.payment.domain import Listing, ListingJob
from services.payment.listings import LONGEST_BACKOFF, REFUSED_PAUSE, ListingLoop
from services.payment.provider import ProviderRefusedError, ProviderUnavailableError

JOB = ListingJob(Listing("prod", "A lamp", "Shines", 1999, "USD", 4), "", deleted=False, attempts=0)


class Listings:
    """One product that waits; notes what became of it."""

    def __init__(self, *jobs: ListingJob) -> None:
        self.waiting = list(jobs)
        self.ended: list[tuple[object, ...]] = []

    async def claim_listings(self, limit: int) -> list[ListingJob]:
        claimed, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return claimed

    async def listing_pushed(self, product_id: str, version: int, provider_product_id: str) -> None:
        self.ended.append(("pushed", product_id, version, provider_product_id))

    async def listing_failed(self, product_id: str, reason: str, seconds: float) -> None:
        self.ended.append(("failed", product_id, reason, seconds))


class Lister:
    """Notes what it is told, and raises what it is given."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.told: list[tuple[object, ...]] = []

    async def put_product(self, listing: Listing, provider_product_id: str) -> str:
        self.told.append(("put", listing.version, provider_product_id))
        if self._error is not None:
            raise self._error
        return provider_product_id or "new-id"

    async def remove_product(self, provider_product_id: str) -> None:
        self.told.append(("remove", provider_product_id))


async def test_a_product_is_put_up_and_its_id_kept() -> None:
    """With the version that was told, so that a newer one is told as well."""
    listings = Listings(JOB)
    assert await ListingLoop(listings, Lister()).run_once() == 1
    assert listings.ended == [("pushed", "prod", 4, "new-id")]


async def test_a_known_product_is_changed_under_its_id() -> None:
    """No second one is made."""
    lister = Lister()
    await ListingLoop(Listings(replace(JOB, provider_product_id="id")), lister).run_once()
    assert lister.told == [("put", 4, "id")]


@pytest.mark.parametrize(("named", "told"), [("id", [("remove", "id")]), ("", [])])
async def test_a_deleted_product_is_taken_off_if_it_was_ever_there(named: str, told: list[tuple[object, ...]]) -> None:
    """One that the provider never heard of needs no call."""
    listings, lister = Listings(replace(JOB, deleted=True, provider_product_id=named)), Lister()
    await ListingLoop(listings, lister).run_once()
    assert lister.told == told
    assert listings.ended == [("pushed", "prod", 4, named)]


async def test_a_refusal_is_tried_again_after_long() -> None:
    """With the reason kept."""
    listings = Listings(JOB)
    await ListingLoop(listings, Lister(ProviderRefusedError("No lamps."))).run_once()
    assert listings.ended == [("failed", "prod", "No lamps.", REFUSED_PAUSE)]


@pytest.mark.parametrize("error", [ProviderUnavailableError("Away."), ValueError("A fault of the adapter.")])
async def test_an_outage_is_tried_again_soon(error: Exception) -> None:
    """Later each time, up to a bound."""
    pauses = []
    for attempts in (0, 100):
        listings = Listings(replace(JOB, attempts=attempts))
        await ListingLoop(listings, Lister(error)).run_once()
        pauses.append(listings.ended[0][-1])
    assert pauses == [1.0, LONGEST_BACKOFF]
