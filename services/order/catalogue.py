"""The catalogue as the product service tells it.

The caller's own token and trace go along with the question; services/rpc.py sees to both, and to the deadline.
"""

from collections.abc import Mapping, Sequence

from protos.gen.ecommerce.product import v1 as product_v1
from services import rpc
from services.errors import InternalError
from services.order.domain import Product


class ProductCatalogue:
    """Asks the product service behind one channel."""

    def __init__(self, channel: rpc.Channel) -> None:
        self._products = channel.stub(product_v1.ProductServiceStub)

    async def products(self, ids: Sequence[str]) -> Mapping[str, Product]:
        """Answers those that exist, by id, in one call; raises UnavailableError when product does not answer."""
        response = await self._products.get_products(product_v1.GetProductsRequest(ids=list(ids)))
        return {message.id: _product(message) for message in response.products}


def _product(message: product_v1.Product) -> Product:
    price = message.price
    if price is None or price.minor_units < 0 or not price.currency:
        raise InternalError(f"The price of product {message.id} cannot be read.")
    return Product(message.id, message.name, message.description, price.minor_units, price.currency)
