"""What the gateway relies on in the recommender, for the fake and the real one; neither has a model here."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

import pytest

from protos.gen.ecommerce.order.v1 import OrderItem
from protos.gen.ecommerce.recommender.v1 import Reason
from services.errors import ForbiddenError, InvalidError
from services.gateway.recommendations import Recommended
from tests.contract.gateway.conftest import Services
from tests.factories.gateway import usd

# Seconds in which an event has reached the recommender, on a busy machine.
PATIENCE = 30.0

Ask = Callable[[], Awaitable[Recommended]]


def _session() -> list[str]:
    """What a visitor viewed whom nobody knows: answers are kept for a moment, and this one has had none yet."""
    return [str(uuid4())]


async def _create(services: Services, count: int) -> list[str]:
    """New products' ids, once the recommender knows them all; newest first, as it answers them."""
    token, _ = await services.customer()
    made = [(await services.products.create(token, f"Mug {n}", "Holds tea.", usd(1999))).id for n in range(count)]
    await _shows(lambda: services.recommender.for_viewed(_session(), 0, 100), made, made[::-1])
    return made[::-1]


def _of(found: Recommended, mine: Sequence[str]) -> list[str]:
    """Those of mine that are recommended, in their order; other tests' products are among them."""
    return [item.product_id for item in found.items if item.product_id in mine]


async def _shows(ask: Ask, mine: Sequence[str], wanted: Sequence[str]) -> Recommended:
    """The answer once it recommends just these of mine; what was done takes a moment to be known."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await ask()
            if _of(found, mine) == list(wanted):
                return found
            await asyncio.sleep(0.1)


def _reasons(found: Recommended, mine: Sequence[str]) -> list[Reason]:
    return [Reason(item.reason) for item in found.items if item.product_id in mine]


async def test_a_new_product_is_recommended(services: Services) -> None:
    """To visitors and accounts alike, newest first, as what it is; there is no model that would have said so."""
    mine = await _create(services, 3)
    token, account_id = await services.customer()
    for found in (
        await services.recommender.for_viewed(_session(), 0, 100),
        await services.recommender.for_account(token, account_id, 0, 100),
    ):
        assert _of(found, mine) == mine
        assert _reasons(found, mine) == [Reason.NEW] * 3
        assert found.model_version == 0


async def test_what_was_viewed_is_not_recommended_in_its_stead(services: Services) -> None:
    """Session-based answers leave the viewed products out; unknown ids change nothing, and none are fine, too."""
    first, second, third = mine = await _create(services, 3)
    for viewed in ([second], [second, "no id at all", "\0", second, ""], [second, *_session()]):
        found = await services.recommender.for_viewed(viewed, 0, 100)
        assert _of(found, mine) == [first, third]
    for unknown in (["x" * 64] * 100, _session()):
        assert _of(await services.recommender.for_viewed(unknown, 0, 100), mine) == mine
    assert (await services.recommender.for_viewed([], 0, 100)).items


async def test_what_was_seen_comes_again(services: Services) -> None:
    """To the account that saw it, before what is new, with the reason; to nobody else."""
    first, second, third = mine = await _create(services, 3)
    token, account_id = await services.customer()
    await services.view(third, account_id)

    async def ask() -> Recommended:
        return await services.recommender.for_account(token, account_id, 0, 100)

    found = await _shows(ask, mine, [third, first, second])
    assert _reasons(found, mine) == [Reason.SEEN, Reason.NEW, Reason.NEW]
    other, other_id = await services.customer()
    assert _of(await services.recommender.for_account(other, other_id, 0, 100), mine) == mine


async def test_what_was_bought_does_not(services: Services) -> None:
    """Not to the buyer; others may still want it."""
    first, second = mine = await _create(services, 2)
    token, account_id = await services.customer()
    await services.view(second, account_id)
    await services.orders.place(token, [OrderItem(second, 1)], "")

    async def ask() -> Recommended:
        return await services.recommender.for_account(token, account_id, 0, 100)

    await _shows(ask, mine, [first])
    other, other_id = await services.customer()
    assert _of(await services.recommender.for_account(other, other_id, 0, 100), mine) == mine


async def test_what_is_gone_is_recommended_to_nobody(services: Services) -> None:
    """A product that was taken down disappears, also for who saw it."""
    token, account_id = await services.customer()
    product = await services.products.create(token, "Mug", "Holds tea.", usd(1999))

    async def visitor() -> Recommended:
        return await services.recommender.for_viewed(_session(), 0, 100)

    async def viewer() -> Recommended:
        return await services.recommender.for_account(token, account_id, 0, 100)

    await _shows(visitor, [product.id], [product.id])
    await services.view(product.id, account_id)
    await services.products.delete(token, product.id)
    await _shows(visitor, [product.id], [])
    await _shows(viewer, [product.id], [])


async def test_pages_follow_each_other(services: Services) -> None:
    """Two pages are what one of both lengths is: no gap, no product twice; past the end there is nothing."""
    mine = await _create(services, 5)
    token, account_id = await services.customer()
    session = _session()
    whole = (await services.recommender.for_viewed(session, 0, 5)).items
    parts = [(await services.recommender.for_viewed(session, skip, take)).items for skip, take in ((0, 2), (2, 3))]
    assert [*parts[0], *parts[1]] == list(whole)
    assert [item.product_id for item in whole] == mine
    assert not (await services.recommender.for_viewed(session, 2**31 - 1, 100)).items
    assert not (await services.recommender.for_account(token, account_id, 2**31 - 1, 100)).items


async def test_recommendations_are_the_accounts_own(services: Services) -> None:
    """Another's are a ForbiddenError, whether there is such an account or not; an administrator gets anybody's."""
    token, account_id = await services.customer()
    _, other_id = await services.customer()
    for stranger in (other_id, 2**31 - 1):
        with pytest.raises(ForbiddenError):
            await services.recommender.for_account(token, stranger, 0, 10)
    mine = await _create(services, 1)
    found = await services.recommender.for_account(services.administrator, account_id, 0, 100)
    assert _of(found, mine) == mine


@pytest.mark.parametrize(("skip", "take"), [(-1, 1), (0, 0), (0, -1), (0, 101)])
async def test_a_page_has_bounds(services: Services, skip: int, take: int) -> None:
    """Outside of them it is an InvalidError."""
    token, account_id = await services.customer()
    with pytest.raises(InvalidError):
        await services.recommender.for_viewed([], skip, take)
    with pytest.raises(InvalidError):
        await services.recommender.for_account(token, account_id, skip, take)


@pytest.mark.parametrize("viewed", [["x" * 65], [f"product-{n}" for n in range(101)]])
async def test_what_was_viewed_has_bounds(services: Services, viewed: list[str]) -> None:
    """More than 100 ids, or one of more than 64 characters, are an InvalidError."""
    with pytest.raises(InvalidError):
        await services.recommender.for_viewed(viewed, 0, 10)
