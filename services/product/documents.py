"""A product as a document of the search index, and the index's own settings.

What an answer shows is kept as it is and searched by nothing (`product`); what is searched is folded and kept nowhere
but in the inverted index. `words` holds both texts, so that a search may find one of its words in the name and the
other in the description. The mapping is strict: a field that is not named here is a mistake.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from services.product.folding import fold
from services.product.service import Product

# Folding can make a text longer (one Arabic ligature becomes 18 letters). Twice the longest description holds every
# real one and keeps a bulk request within its bound.
_MAX_FOLDED: Final = 20_000

SETTINGS: Final[Mapping[str, Any]] = {
    # Scores are comparable within one shard, and a catalogue of millions fits one.
    "number_of_shards": 1,
    # None on a single node, one elsewhere.
    "auto_expand_replicas": "0-1",
    # A writer finds the own write within a second. Being explicit also keeps an index that nobody searches from
    # putting refreshes off until somebody does.
    "refresh_interval": "250ms",
    # How long the version of a deleted document is remembered: longer than any write can be on its way, so that none
    # brings a deleted product back.
    "gc_deletes": "15m",
}

MAPPINGS: Final[Mapping[str, Any]] = {
    "dynamic": "strict",
    "_source": {"excludes": ["name", "description"]},
    "properties": {
        # Breaks ties between equal scores.
        "id": {"type": "keyword", "index": False, "doc_values": True},
        "product": {"type": "object", "enabled": False},
        "name": {"type": "text", "analyzer": "standard", "copy_to": "words"},
        "description": {"type": "text", "analyzer": "standard", "copy_to": "words"},
        # Decides what matches, not how well: neither frequencies nor lengths are needed.
        "words": {"type": "text", "analyzer": "standard", "index_options": "docs", "norms": False},
    },
}


def document(product: Product) -> dict[str, Any]:
    """Answers the product's document."""
    return {
        "id": product.id,
        "name": fold(product.name),
        "description": fold(product.description)[:_MAX_FOLDED],
        "product": {
            "name": product.name,
            "description": product.description,
            "price_minor": product.price_minor,
            "currency": product.currency,
            "account_id": product.account_id,
            "version": product.version,
            "created_at": product.created_at.isoformat(),
            "updated_at": product.updated_at.isoformat(),
        },
    }


def product_of(source: Mapping[str, Any]) -> Product:
    """Answers the product that a document shows."""
    shown = source["product"]
    return Product(
        id=source["id"],
        name=shown["name"],
        description=shown["description"],
        price_minor=shown["price_minor"],
        currency=shown["currency"],
        account_id=shown["account_id"],
        version=shown["version"],
        created_at=datetime.fromisoformat(shown["created_at"]),
        updated_at=datetime.fromisoformat(shown["updated_at"]),
    )
