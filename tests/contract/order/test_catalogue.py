"""What every catalogue answers the order service: the fake, and the product service behind its real client."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import uuid4

import pytest

from local.datastores import Datastores
from local.platform import Platform
from protos.gen.ecommerce.account import v1 as account_v1
from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.product import v1 as product_v1
from services import rpc
from services.errors import UnavailableError
from services.order.catalogue import ProductCatalogue
from services.order.domain import Product
from services.order.service import Catalogue
from tests.fakes.order import FakeCatalogue

NAMES = ("account", "product")


@dataclass
class Shelf:
    """A catalogue under test, a way to put products into it, and the same catalogue while it does not answer."""

    catalogue: Catalogue
    put: Callable[[str, str, int], Awaitable[Product]]
    unreachable: Catalogue


@pytest.fixture
def fake_shelf() -> Shelf:
    """The fake."""
    fake = FakeCatalogue()

    async def put(name: str, description: str, price_minor: int) -> Product:
        product = Product(str(uuid4()), name, description, price_minor, "USD")
        fake.known[product.id] = product
        return product

    return Shelf(fake, put, FakeCatalogue(available=False))


@pytest.fixture(scope="module")
async def product_shelf(datastores: Datastores, new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Shelf]:
    """The product service as a process, with an account that owns what is put up."""
    overrides = {name: {"DATABASE_URL": await new_database(name)} for name in NAMES}
    async with AsyncExitStack() as stack:
        platform = Platform(instances=NAMES, overrides=overrides, datastores=datastores)
        await stack.enter_async_context(platform)
        account, product, nobody = (
            rpc.Channel(f"127.0.0.1:{port}")
            for port in (platform.service("account").port, platform.service("product").port, 1)
        )
        for channel in (account, product, nobody):
            stack.push_async_callback(channel.close)
        token = await owner(account.stub(account_v1.AccountServiceStub))
        stub = product.stub(product_v1.ProductServiceStub)

        async def put(name: str, description: str, price_minor: int) -> Product:
            price = Money(minor_units=price_minor, currency="USD")
            request = product_v1.PostProductRequest(name=name, description=description, price=price)
            with rpc.acting_as(token):
                made = (await stub.post_product(request)).product
            assert made is not None
            return Product(made.id, name, description, price_minor, "USD")

        yield Shelf(ProductCatalogue(product), put, ProductCatalogue(nobody))


@pytest.fixture(params=["fake_shelf", "product_shelf"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    """Each of them in turn."""
    chosen: Shelf = request.getfixturevalue(request.param)
    return chosen


async def owner(stub: account_v1.AccountServiceStub) -> str:
    request = account_v1.RegisterRequest(
        name="Owner", email=f"owner-{uuid4().hex[:8]}@example.com", password="a long enough password"
    )
    session = (await stub.register(request)).session
    assert session is not None
    return session.token


async def test_products_are_answered_by_id(shelf: Shelf) -> None:
    """Whole, the largest price and any script included, whatever the order of asking."""
    products = [
        await shelf.put("Name", "Description", 1999),
        await shelf.put("鍵 🔑", "two\nlines", 10**12),
        await shelf.put("Free", "", 0),
    ]
    ids = [product.id for product in reversed(products)]
    assert await shelf.catalogue.products(ids) == {product.id: product for product in products}


@pytest.mark.parametrize("unknown", [["0190a0b0-0000-7000-8000-000000000000"], ["no id at all", "ü", "a'b\"c\\"]])
async def test_unknown_products_are_left_out(shelf: Shelf, unknown: Sequence[str]) -> None:
    """Also those whose id no product can have; the others are answered all the same."""
    known = await shelf.put("Name", "Description", 1)
    assert await shelf.catalogue.products([*unknown, known.id]) == {known.id: known}
    assert await shelf.catalogue.products(unknown) == {}


async def test_a_whole_basket_is_answered_in_one_call(shelf: Shelf) -> None:
    """A hundred products with the longest descriptions of the widest characters come back complete."""
    products = [await shelf.put(f"{number}" + "🛒" * 190, "🛒" * 10_000, 1) for number in range(100)]
    found = await shelf.catalogue.products([product.id for product in products])
    assert found == {product.id: product for product in products}


async def test_a_catalogue_that_does_not_answer_is_unavailable(shelf: Shelf) -> None:
    """It is never mistaken for one without products."""
    with pytest.raises(UnavailableError):
        await shelf.unreachable.products(["0190a0b0-0000-7000-8000-000000000000"])
