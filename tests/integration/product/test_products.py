"""The product service as its clients see it."""

import asyncio
import statistics

import pytest

from services.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, UnauthenticatedError
from tests.factories.product import product_id
from tests.integration.product.conftest import Person, Shop


async def test_one_product_from_beginning_to_end(shop: Shop, owner: Person) -> None:
    """Put up, changed under version control, taken down: each answer is the product as it then is."""
    made = await shop.create(owner, " Čajník 🫖 ", "one\r\ntwo", 1999)
    assert (made.name, made.description, made.account_id, made.version) == ("Čajník 🫖", "one\ntwo", owner.id, 1)
    assert made.price is not None
    assert (made.price.minor_units, made.price.currency) == (1999, "USD")
    assert await shop.get(made.id) == made
    changed = await shop.update(owner, made.id, "Kettle", expected_version=1, price=10**12)
    assert changed.price is not None
    assert (changed.version, changed.price.minor_units, changed.created_at) == (2, 10**12, made.created_at)
    with pytest.raises(ConflictError, match="version 2"):
        await shop.update(owner, made.id, "Kettle", expected_version=1)
    assert await shop.get(made.id) == changed
    await shop.delete(owner, made.id)
    with pytest.raises(NotFoundError):
        await shop.get(made.id)


async def test_who_may(shop: Shop, owner: Person) -> None:
    """Anyone may look; who changes something must be signed in, and the owner of what exists."""
    made = await shop.create(owner, "Mine")
    stranger = await shop.customer()
    with pytest.raises(UnauthenticatedError):
        await shop.create(None, "Nobody's")
    with pytest.raises(UnauthenticatedError):
        await shop.create(Person(owner.id, f"{owner.token[:-4]}AAAA"), "Forged")
    with pytest.raises(ForbiddenError):
        await shop.update(stranger, made.id, "Theirs")
    with pytest.raises(ForbiddenError):
        await shop.delete(stranger, made.id)
    assert await shop.get(made.id) == made


@pytest.mark.parametrize("bad", ["", "x", "\x00", "a" * 100_000, product_id(1), "%s", "💩"])
async def test_ids_of_nothing(shop: Shop, owner: Person, bad: str) -> None:
    """Every string that is no product's id is answered in one way, and left out of batches."""
    made = await shop.create(owner, "Here")
    for attempt in (shop.get(bad), shop.update(owner, bad, "x"), shop.delete(owner, bad)):
        with pytest.raises(NotFoundError, match=r"^There is no such product\.$"):
            await attempt
    assert await shop.get_many([bad, made.id]) == [made]


async def test_bad_products(shop: Shop, owner: Person) -> None:
    """What is not a valid product is refused with a sentence, and nothing is written."""
    before = await shop.rows()
    for attempt in (
        shop.create(owner, ""),
        shop.create(owner, "x" * 201),
        shop.create(owner, "a\x00b"),
        shop.create(owner, "x", "\x00"),
        shop.create(owner, "x", "x" * 10_001),
        shop.create(owner, "x", price=-1),
        shop.create(owner, "x", price=2**63 - 1),
        shop.create(owner, "x", currency="EUR"),
        shop.create(owner, "x", currency="US\x00"),
    ):
        with pytest.raises(InvalidError) as caught:
            await attempt
        assert caught.value.message.endswith(".")
    assert await shop.rows() == before


async def test_bad_pages(shop: Shop) -> None:
    """Negative and too deep pages, too many ids and too long queries are refused."""
    for attempt in (
        shop.find(skip=-1),
        shop.find(take=-1),
        shop.find("kettle", skip=9_999, take=2),
        shop.find("x" * 257),
        shop.get_many([product_id(1)] * 1001),
    ):
        with pytest.raises(InvalidError):
            await attempt
    assert await shop.find(skip=2**31 - 1, take=2**31 - 1) == []


@pytest.mark.parametrize(
    "query",
    [
        *('"', "AND OR", "a AND (", "*", "name:x", "~2", "\\", "{}", "/x/", "<script>", "' OR 1=1 --"),
        *("💩", "\x00", "\x01\x02", "\u0301", "\u202e", "\U00012000"),
        *("x" * 256, "字" * 256, "\ufdfa" * 256, "ab " * 85),
    ],
)
async def test_odd_searches(shop: Shop, query: str) -> None:
    """No query is an error but one that is too long."""
    assert isinstance(await shop.find(query), list)


async def test_catalogue(shop: Shop, owner: Person) -> None:
    """Pages go from the oldest to the newest; a batch keeps the order that was asked for."""
    made = [await shop.create(owner, f"Catalogue {number}") for number in range(5)]
    skip = len(await shop.rows()) - 5
    assert await shop.find(skip=skip, take=3) == made[:3]
    assert await shop.find(" \n", skip=skip + 3) == made[3:]
    assert await shop.find(take=0) == []
    ids = [product.id for product in made]
    assert await shop.get_many([ids[3], ids[0], ids[3], ids[4]]) == [made[3], made[0], made[4]]


async def test_the_largest_page(shop: Shop, owner: Person) -> None:
    """A hundred products of the greatest length fit one answer; more than one answer holds is refused clearly."""
    large = "😀" * 10_000
    made = await asyncio.gather(*(shop.create(owner, "😀" * 200, large) for _ in range(110)))
    try:
        ids = [product.id for product in made]
        assert len(await shop.get_many(ids[:100])) == 100
        assert len(await shop.find(skip=len(await shop.rows()) - 100, take=100)) == 100
        with pytest.raises(InvalidError, match="fewer"):
            await shop.get_many(ids)
        await shop.in_step()
        assert len(await shop.find("😀", take=100)) == 100
    finally:
        await asyncio.gather(*(shop.delete(owner, product_id) for product_id in ids))


async def test_concurrent_updates(shop: Shop, owner: Person) -> None:
    """Of ten updates that expect the same version one passes, and the others are told."""
    made = await shop.create(owner, "Contended")
    outcomes = await asyncio.gather(
        *(shop.update(owner, made.id, f"Contended {n}", expected_version=1) for n in range(10)), return_exceptions=True
    )
    assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == 9
    assert (await shop.get(made.id)).version == 2


async def test_own_write_within_a_second(shop: Shop, owner: Person) -> None:
    """Who has put up, changed or taken down a product sees that in a search within a second."""
    seconds: list[float] = []
    for number in range(7):
        made = await shop.create(owner, f"Immediate{number}")
        seconds.append(await shop.found(made))
        seconds.append(await shop.found(await shop.update(owner, made.id, f"Thereupon{number}")))
    # The median: a busy machine may hold up any one of them.
    assert statistics.median(seconds) < 1, seconds


@pytest.mark.parametrize(
    ("name", "description", "query"),
    [
        ("Espresso machine", "With a milk frother", "ESPRESSO"),
        ("Espresso machine", "With a milk frother", "espr"),
        ("Espresso machine", "With a milk frother", "expresso machine"),
        ("Espresso machine", "With a milk frother", "machine froth"),
        ("Café crème", "Für Genießer", "cafe creme"),
        ("Café crème", "Für Genießer", "geniesser"),
        ("Самовар тульский", "Ёмкость 3 л", "самовар емкость".upper()),
        ("Самовар тульский", "Ёмкость 3 л", "самовр"),
        ("Μπρίκι καφέ", "", "μπρικι"),
        ("قهوة عربيّة", "", "عربية"),
        ("抹茶 茶碗", "", "抹茶"),
        ("커피 메이커", "", "커피"),
    ],
)
async def test_search(shop: Shop, owner: Person, name: str, description: str, query: str) -> None:
    """Beginnings, typing mistakes, accents and case make no difference in any script."""
    made = await shop.create(owner, name, description)
    await shop.found(made)
    assert made.id in [product.id for product in await shop.find(query, take=100)]


async def test_names_first(shop: Shop, owner: Person) -> None:
    """What has the words in its name comes before what has them in its description or something like them."""
    other = await shop.create(owner, "Stand", "For a zephyrophone")
    similar = await shop.create(owner, "Zephyrophane")
    wanted = await shop.create(owner, "Zephyrophone", "None")
    for product in (other, similar, wanted):
        await shop.found(product)
    assert [product.id for product in await shop.find("zephyrophone")] == [wanted.id, other.id, similar.id]
