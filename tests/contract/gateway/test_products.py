"""What the gateway relies on in the product service, for the fake and the real one."""

import asyncio
import contextlib
from collections.abc import Sequence
from uuid import uuid4

import pytest

from protos.gen.ecommerce.product.v1 import Product
from services.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, UnavailableError
from tests.contract.gateway.conftest import Services
from tests.factories.gateway import usd


async def _create(services: Services, token: str, name: str = "Mug") -> Product:
    return await services.products.create(token, name, "Holds tea.", usd(1999))


async def test_a_product_is_its_makers(services: Services) -> None:
    """A new product has an owner, the first version and its exact price, and is found by id at once."""
    token, account_id = await services.customer()
    product = await _create(services, token)
    assert (product.account_id, product.version, product.price) == (account_id, 1, usd(1999))
    found = await services.products.get(product.id)
    assert (found.id, found.name, found.description) == (product.id, "Mug", "Holds tea.")
    assert (found.price, found.account_id, found.version) == (usd(1999), account_id, 1)


async def test_a_product_needs_a_name(services: Services) -> None:
    """A blank name is an InvalidError."""
    token, _ = await services.customer()
    with pytest.raises(InvalidError):
        await _create(services, token, " ")


async def test_the_owner_changes_it(services: Services) -> None:
    """A change raises the version; one that expects another version is a ConflictError."""
    token, _ = await services.customer()
    product = await _create(services, token)
    changed = Product(id=product.id, name="Cup", description="", price=usd(500))
    updated = await services.products.update(token, changed, 1)
    assert (updated.name, updated.description, updated.price, updated.version) == ("Cup", "", usd(500), 2)
    with pytest.raises(ConflictError):
        await services.products.update(token, changed, 1)
    assert (await services.products.update(token, changed, None)).id == product.id


async def test_nobody_else_touches_it(services: Services) -> None:
    """Another account's change and removal are ForbiddenErrors."""
    product = await _create(services, (await services.customer())[0])
    token, _ = await services.customer()
    with pytest.raises(ForbiddenError):
        await services.products.update(token, product, None)
    with pytest.raises(ForbiddenError):
        await services.products.delete(token, product.id)


async def test_what_is_gone_is_not_found(services: Services) -> None:
    """A removed product, and an id that never was, are NotFoundErrors for every verb."""
    token, _ = await services.customer()
    product = await _create(services, token)
    await services.products.delete(token, product.id)
    for product_id in (product.id, str(uuid4()), "no id at all", "\0", ""):
        with pytest.raises(NotFoundError):
            await services.products.get(product_id)
        with pytest.raises(NotFoundError):
            await services.products.delete(token, product_id)


async def test_many_are_answered_in_the_order_asked_for(services: Services) -> None:
    """Products by ids come in that order, without those that do not exist."""
    token, _ = await services.customer()
    first, second = await _create(services, token), await _create(services, token)
    found = await services.products.get_many([second.id, str(uuid4()), "no id at all", first.id])
    assert [product.id for product in found] == [second.id, first.id]


async def test_the_catalogue_is_oldest_first(services: Services) -> None:
    """Pages of the catalogue follow each other without gap or overlap, older products first."""
    token, _ = await services.customer()
    mine = [(await _create(services, token)).id for _ in range(3)]
    seen: list[str] = []
    while page := await services.products.page(len(seen), 2):
        seen += [product.id for product in page]
    assert [product_id for product_id in seen if product_id in mine] == mine
    assert len(seen) == len(set(seen))


async def test_a_text_finds_names(services: Services) -> None:
    """A word of the name finds the product, soon after it was made, and pages bound the answer."""
    token, _ = await services.customer()
    word = f"w{uuid4().hex}"
    product = await _create(services, token, f"Mug {word}")
    assert [row.id for row in await _found(services, word)] == [product.id]
    assert not await services.products.search(word, 1, 10)


async def _found(services: Services, word: str) -> Sequence[Product]:
    """What the word finds once it finds something; the index tells nobody when it has followed, or is made at all."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(UnavailableError):
                if found := await services.products.search(word, 0, 10):
                    return found
            await asyncio.sleep(0.1)
