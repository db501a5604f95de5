"""What the search index promises, in memory and on Elasticsearch."""

import asyncio

import pytest

from services.errors import ConflictError, UnavailableError
from services.product.index import ALIAS, building_alias
from services.product.service import Product
from tests.contract.product.conftest import Searchable
from tests.factories.product import product, product_id

TABLEWARE = [
    product(1, "Copper kettle", "Boils water on any stove."),
    product(2, "Crème brûlée dish", "Für Süßes, aus Łódź."),
    product(3, "Teapot", "Goes with the copper kettle."),
    product(4, "Ёлочная игрушка", "Стекло ручной работы."),
    product(5, "東京 タワー", "模型"),
    product(6, "Ketchup bottle", ""),
    product(7, "Φίλτρο καφέ", "100 τεμάχια"),
    product(8, "İstanbul mug", "Emoji 🫖 on it"),
]


async def _find(searchable: Searchable, words: str, skip: int = 0, take: int = 100) -> list[Product]:
    return await searchable.index.search(words, skip, take)


async def _names(searchable: Searchable, words: str) -> list[str]:
    return [each.name for each in await _find(searchable, words)]


async def _write(searchable: Searchable, products: list[Product], gone: dict[str, int] | None = None) -> None:
    await searchable.index.write(ALIAS, products, gone or {})
    await searchable.refresh()


async def test_whole_products(searchable: Searchable) -> None:
    """What is found is the product itself, all of it."""
    written = product(1, "Kettle", "Line one\n\tline two", price_minor=10**12, account_id=2**31 - 1, version=9)
    await _write(searchable, [written])
    assert await _find(searchable, "kettle") == [written]


async def test_visible_when_answered(searchable: Searchable) -> None:
    """Who waits until a write is visible finds it, and misses what is gone, without a refresh of their own."""
    await searchable.index.write(ALIAS, [product(1, "Kettle"), product(2, "Kettle")], {}, wait_until_visible=True)
    assert [each.id for each in await _find(searchable, "kettle")] == [product_id(1), product_id(2)]
    await searchable.index.write(ALIAS, [], {product_id(1): 2}, wait_until_visible=True)
    assert [each.id for each in await _find(searchable, "kettle")] == [product_id(2)]


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("KETTLE", 1),
        ("stove", 1),
        ("creme brulee", 2),
        ("CRÈME", 2),
        ("brul", 2),
        ("lodz", 2),
        ("susses", 2),
        ("елочная", 4),
        ("ЁЛОЧ", 4),
        ("стекло", 4),
        ("東京", 5),
        ("φιλτρο", 7),
        ("ΚΑΦΕ", 7),
        ("istanbul", 8),
        ("🫖", 8),
    ],
)
async def test_found(searchable: Searchable, words: str, number: int) -> None:
    """Words in the name or the description are found without regard to case and accents, and by their beginning."""
    await _write(searchable, TABLEWARE)
    assert product_id(number) in [each.id for each in await _find(searchable, words)]


@pytest.mark.parametrize("words", ["kettel", "ketle", "kettlr", "copepr", "coper", "kettlee", "keettlle"])
async def test_typing_mistakes(searchable: Searchable, words: str) -> None:
    """A letter missing, doubled, wrong or in the wrong place is forgiven, two in a longer word."""
    await _write(searchable, TABLEWARE)
    assert product_id(1) in [each.id for each in await _find(searchable, words)]


@pytest.mark.parametrize(
    "words",
    ["zebra", "copper zebra", "!!!", '"', "AND OR NOT", "name:kettle", "*", "{}[]()", "\\", "~2 ^5", "💩", "\u0301"],
)
async def test_not_found(searchable: Searchable, words: str) -> None:
    """What is nowhere finds nothing, and no character has a meaning of its own."""
    await _write(searchable, TABLEWARE)
    assert await _find(searchable, words) == []


async def test_every_word(searchable: Searchable) -> None:
    """Every word has to be found, one in the name, the other perhaps in the description."""
    await _write(searchable, TABLEWARE)
    assert await _names(searchable, "kettle stove") == ["Copper kettle"]
    assert await _names(searchable, "teapot kettle") == ["Teapot"]


async def test_ranks(searchable: Searchable) -> None:
    """Names come before descriptions, and those before what is only found with a mistake forgiven."""
    await _write(searchable, [product(2, "Pot", "A kettle."), product(3, "Kettle")])
    assert await _names(searchable, "kettle") == ["Kettle", "Pot"]
    await _write(searchable, [product(1, "Kettles of old", "None."), product(4, "Kettel", "")])
    assert await _names(searchable, "kettle") in (
        ["Kettle", "Kettles of old", "Pot", "Kettel"],
        ["Kettles of old", "Kettle", "Pot", "Kettel"],
    )


async def test_pages(searchable: Searchable) -> None:
    """Pages over five hundred equally good products have each of them once, in the order of their ids."""
    many = [product(number, "Copper kettle") for number in range(1, 501)]
    await _write(searchable, many[::-1])
    pages = [await _find(searchable, "copper kettle", skip, 37) for skip in range(0, 555, 37)]
    assert [each for page in pages for each in page] == many
    assert await _find(searchable, "copper kettle", 9_900, 100) == []


async def test_pages_of_ranks(searchable: Searchable) -> None:
    """Pages go on from exact finds to forgiven ones without repeating or skipping any."""
    exact = [product(number, "Copper kettle", "x" * (number % 7)) for number in range(1, 41)]
    forgiven = [product(number, "Coper ketle", "y" * (number % 5)) for number in range(41, 81)]
    await _write(searchable, [*forgiven, *exact])
    whole = await _find(searchable, "copper kettle")
    assert {each.id for each in whole[:40]} == {each.id for each in exact}
    assert len({each.id for each in whole}) == 80
    pages = [await _find(searchable, "copper kettle", skip, 7) for skip in range(0, 84, 7)]
    assert [each for page in pages for each in page] == whole


async def test_replaced(searchable: Searchable) -> None:
    """A newer version takes the place of an older one; the same again changes nothing."""
    await _write(searchable, [product(1, "Kettle")])
    await _write(searchable, [product(1, "Teapot", version=2)])
    await _write(searchable, [product(1, "Teapot", version=2)])
    assert await _names(searchable, "kettle") == []
    assert await _names(searchable, "teapot") == ["Teapot"]


async def test_never_back(searchable: Searchable) -> None:
    """An older version does not replace a newer one, and removes nothing of it."""
    await _write(searchable, [product(1, "Teapot", version=3)])
    await _write(searchable, [product(1, "Kettle", version=2)])
    await _write(searchable, [], {product_id(1): 2})
    assert await _names(searchable, "teapot") == ["Teapot"]


async def test_removed(searchable: Searchable) -> None:
    """What was removed is gone, and older versions of it, coming late, do not bring it back."""
    await _write(searchable, [product(1, "Kettle"), product(2, "Kettle")])
    await _write(searchable, [], {product_id(1): 2, product_id(3): 5})
    await _write(searchable, [product(1, "Kettle"), product(3, "Kettle", version=4)])
    assert [each.id for each in await _find(searchable, "kettle")] == [product_id(2)]
    # Twice is once.
    await _write(searchable, [], {product_id(1): 2, product_id(3): 5})


async def test_many_at_once(searchable: Searchable) -> None:
    """A write may have any number of documents."""
    many = [product(number, f"Kettle {number}") for number in range(1, 1002)]
    await _write(searchable, many, {product_id(number): 1 for number in range(2000, 2500)})
    for number in (1, 200, 201, 1001):
        assert (await _find(searchable, f"kettle {number}", take=1)) == [product(number, f"Kettle {number}")]


async def test_the_longest(searchable: Searchable) -> None:
    """The longest texts in the worst of scripts are taken and found."""
    await _write(
        searchable,
        [
            product(1, "Kettle " + "w" * 193, ("longest " + "\ufdfa") * 1111),
            product(2, "\ufdfa" * 200, "\ufdfa" * 10_000),
            product(3, "🫖" * 200, "x" * 10_000),
            product(4, "k" * 200, "字" * 10_000),
        ],
    )
    assert [each.id for each in await _find(searchable, "kettle")] == [product_id(1)]
    assert [each.id for each in await _find(searchable, "longest")] == [product_id(1)]


@pytest.mark.parametrize(
    "words",
    [
        "x" * 256,
        "ab " * 85,
        "\ufdfa" * 256,
        "字" * 256,
        "💩" * 256,
        " ".join(f"word{number:04d}" for number in range(28)),
        "a" * 100 + " " + "b" * 100,
    ],
)
async def test_any_search(searchable: Searchable, words: str) -> None:
    """The longest searches, in one word or in many, find nothing rather than fail."""
    await _write(searchable, TABLEWARE)
    assert await _find(searchable, words) == []


async def test_no_index(searchable: Searchable) -> None:
    """Without an index search and writes are unavailable; nothing is written anywhere, and no index comes to be."""
    for name in await searchable.index.indices():
        await searchable.index.drop(name)
    with pytest.raises(UnavailableError):
        await _find(searchable, "kettle")
    with pytest.raises(UnavailableError):
        await searchable.index.write(ALIAS, [product(1)], {})
    with pytest.raises(UnavailableError):
        await searchable.index.write(ALIAS, [], {product_id(1): 1})
    assert await searchable.index.indices() == {}


async def test_replacing(searchable: Searchable) -> None:
    """A new index is filled behind its own alias, and takes over in one step, complete once it says so."""
    (old,) = await searchable.index.indices()
    await _write(searchable, [product(1, "Kettle")])
    new = await searchable.index.create()
    assert [each.id for each in await _find(searchable, "kettle")] == [product_id(1)]
    # Not refreshed, as it would be in a moment: nothing that is in both indices may be missing for that moment.
    await searchable.index.write(building_alias(new), [product(2, "Kettle")], {})
    assert await searchable.index.indices() == {old: {ALIAS}, new: {building_alias(new)}}
    await searchable.index.promote(new)
    assert [each.id for each in await _find(searchable, "kettle")] == [product_id(2)]
    assert await searchable.index.indices() == {old: set(), new: {ALIAS, building_alias(new)}}
    await searchable.index.finish(new)
    await searchable.index.drop(old)
    await searchable.index.drop(old)
    assert await searchable.index.indices() == {new: {ALIAS}}


async def test_deleted_while_building(searchable: Searchable) -> None:
    """An index that someone deletes while it is built cannot take over, and is not made anew by writing to it."""
    (old,) = await searchable.index.indices()
    new = await searchable.index.create()
    await searchable.index.drop(new)
    with pytest.raises(UnavailableError):
        await searchable.index.write(building_alias(new), [product(1)], {})
    with pytest.raises(ConflictError):
        await searchable.index.promote(new)
    with pytest.raises(ConflictError):
        await searchable.index.finish(new)
    assert await searchable.index.indices() == {old: {ALIAS}}


async def test_concurrent_writes(searchable: Searchable) -> None:
    """Whatever the order in which versions arrive, the newest stays."""
    await asyncio.gather(
        *(
            searchable.index.write(ALIAS, [product(1, f"Kettle {version}", version=version)], {})
            for version in (5, 3, 9, 1, 7, 2, 8, 4, 6)
        )
    )
    await searchable.refresh()
    assert await _names(searchable, "kettle") == ["Kettle 9"]
