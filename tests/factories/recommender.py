"""Products and interactions, with a value for everything that a test does not care about."""

from datetime import UTC, datetime, timedelta

from services.recommender.domain import Gone, Hyperparameters, Interaction, Kind, Product
from services.recommender.store_models import ModelDraft

NOW = datetime(2025, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def product(product_id: str = "lamp", version: int = 1, name: str = "A lamp", description: str = "Shines") -> Product:
    return Product(product_id, name, description, 1999, "USD", version, NOW)


def gone(product_id: str = "lamp", version: int = 2) -> Gone:
    return Gone(product_id, version, NOW)


def view(event_id: str, product_id: str = "lamp", account_id: int | None = 7, days: float = 0) -> Interaction:
    """A view so many days ago."""
    return Interaction(event_id, Kind.VIEW, product_id, account_id, 1, NOW - timedelta(days=days))


def purchase(
    event_id: str, product_id: str = "lamp", account_id: int = 7, quantity: int = 1, days: float = 0
) -> Interaction:
    """A purchase so many days ago."""
    return Interaction(event_id, Kind.PURCHASE, product_id, account_id, quantity, NOW - timedelta(days=days))


def draft(seq: int = 10, refusal: str = "", **metrics: float) -> ModelDraft:
    return ModelDraft(NOW - timedelta(days=30), NOW, 1000, seq, Hyperparameters(), metrics, refusal)
