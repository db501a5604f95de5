"""Keeping the provider's list of products in step with the shop's.

What the list should have is in the database (reactions.py), and so is which version the provider was told of last. A
product that changes while it is pushed is pushed again, for only the version that was pushed is kept as pushed.
"""

from typing import Final, Protocol

import structlog

from services.loops import backoff
from services.payment.domain import Listing, ListingJob
from services.payment.provider import ProviderRefusedError, ProviderUnavailableError
from services.payment.working import Working, each

# Products at a time: providers limit the rate of calls.
BATCH: Final = 4
FIRST_BACKOFF: Final = 1.0
LONGEST_BACKOFF: Final = 300.0
# Seconds before a product that the provider refuses is tried again: what is wrong may be mended there.
REFUSED_PAUSE: Final = 3600.0

log = structlog.get_logger(__name__)


class Listings(Protocol):
    """Which products the provider does not have as they are."""

    async def claim_listings(self, limit: int) -> list[ListingJob]:
        """Answers some of them, leased."""

    async def listing_pushed(self, product_id: str, version: int, provider_product_id: str) -> None:
        """Keeps that the provider has this version under this id."""

    async def listing_failed(self, product_id: str, reason: str, seconds: float) -> None:
        """Keeps why it has not; it is tried again after so long."""


class Lister(Protocol):
    """The provider, as far as its list goes."""

    async def put_product(self, listing: Listing, provider_product_id: str) -> str:
        """Creates or updates a product; answers its id there."""

    async def remove_product(self, provider_product_id: str) -> None:
        """Takes a product off the list."""


class ListingLoop(Working):
    """Tells the provider of products that are new, changed or gone."""

    def __init__(self, listings: Listings, provider: Lister) -> None:
        super().__init__()
        self._listings = listings
        self._provider = provider

    async def run_once(self) -> int:
        """Tells of some; answers how many."""
        claimed = await self._listings.claim_listings(BATCH)
        await each(claimed, self._push, self._again)
        return len(claimed)

    async def _push(self, job: ListingJob) -> None:
        listing = job.listing
        try:
            named = await self._tell(job)
        except ProviderRefusedError as refusal:
            log.warning("the provider refuses a product", product_id=listing.product_id, reason=refusal.message)
            await self._listings.listing_failed(listing.product_id, refusal.message, REFUSED_PAUSE)
        except ProviderUnavailableError as error:
            await self._again(job, error.message)
        else:
            await self._listings.listing_pushed(listing.product_id, listing.version, named)

    async def _tell(self, job: ListingJob) -> str:
        if not job.deleted:
            return await self._provider.put_product(job.listing, job.provider_product_id)
        if job.provider_product_id:
            await self._provider.remove_product(job.provider_product_id)
        return job.provider_product_id

    async def _again(self, job: ListingJob, reason: str = "It failed unexpectedly; see the log.") -> None:
        pause = backoff(job.attempts + 1, FIRST_BACKOFF, LONGEST_BACKOFF)
        await self._listings.listing_failed(job.listing.product_id, reason, pause)
