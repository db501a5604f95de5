"""Products as protobuf messages, both for answers and inside events."""

from protos.gen.ecommerce.events import v1 as events_v1
from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.product import v1 as product_v1
from services.errors import InvalidError
from services.product.service import Draft, Product


def product_message(product: Product) -> product_v1.Product:
    """Answers the product as calls answer it."""
    return product_v1.Product(
        id=product.id,
        name=product.name,
        description=product.description,
        price=Money(minor_units=product.price_minor, currency=product.currency),
        account_id=product.account_id,
        version=product.version,
        created_at=product.created_at,
        updated_at=product.updated_at,
    )


def snapshot(product: Product) -> events_v1.ProductSnapshot:
    """Answers the product as events carry it."""
    return events_v1.ProductSnapshot(
        id=product.id,
        name=product.name,
        description=product.description,
        price=Money(minor_units=product.price_minor, currency=product.currency),
        account_id=product.account_id,
        version=product.version,
    )


def draft_of(message: product_v1.PostProductRequest | product_v1.UpdateProductRequest) -> Draft:
    """Answers what the request says about a product; raises InvalidError where it names no price."""
    if message.price is None:
        raise InvalidError("A product needs a price.")
    return Draft(message.name, message.description, message.price.minor_units, message.price.currency)
