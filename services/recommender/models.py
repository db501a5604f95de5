"""The tables of the recommender.

`products` is the catalogue as the events told of it, deleted products included: their rows hold against an older event
that comes again. `interactions` has a row for each event, by its id, so that a replay changes nothing. `models` keeps
what became of every training, `model_parts` the bytes of those that may serve. `popular` and `placements` are what the
trainer works out between two models.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Column, Field, SQLModel


class _Table(SQLModel, registry=registry()):
    """Keeps this database's tables apart from those of other services in one process, as tests have them."""


class ProductRecord(_Table, table=True):
    """A product; `changed_at` is the database's clock when this version of it was written."""

    __tablename__ = "products"
    __table_args__ = (
        Index("products_changed_at", "changed_at", "product_id"),
        # New products are looked for again and again among many old ones.
        Index("products_arrived_at", "arrived_at", postgresql_where=text("NOT deleted")),
    )

    product_id: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    price_minor: int = Field(sa_type=BigInteger)
    currency: str = Field(sa_type=Text)
    version: int = Field(sa_type=BigInteger)
    deleted: bool = Field(sa_type=Boolean)
    # The time of the first event that told of it.
    added_at: datetime = Field(sa_type=DateTime(timezone=True))
    # The database's clock when that event came in.
    arrived_at: datetime = Field(sa_type=DateTime(timezone=True))
    changed_at: datetime = Field(sa_type=DateTime(timezone=True))


class InteractionRecord(_Table, table=True):
    """What somebody did with a product; without `account_id`, a visitor who was not signed in."""

    __tablename__ = "interactions"
    __table_args__ = (
        Index("interactions_seq", "seq", unique=True),
        # What serving asks for, the newest of one kind of one account, out of the index alone: an account's deeds are
        # strewn all over the table.
        Index(
            "interactions_account_id",
            "account_id",
            "kind",
            "at",
            postgresql_include=["product_id", "quantity"],
            postgresql_where=text("account_id IS NOT NULL"),
        ),
        Index("interactions_at", "at"),
    )

    event_id: str = Field(primary_key=True, sa_type=Text)
    # Grows in the order of arrival, about: of two transactions at once the later may carry the smaller one.
    seq: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), nullable=False))
    account_id: int | None = Field(default=None, sa_type=Integer)
    product_id: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    quantity: int = Field(sa_type=Integer)
    at: datetime = Field(sa_type=DateTime(timezone=True))


class TrainedModelRecord(_Table, table=True):
    """What became of one training; `seq` is the newest interaction that had arrived when it began."""

    __tablename__ = "models"

    version: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    made_at: datetime = Field(sa_type=DateTime(timezone=True))
    data_from: datetime = Field(sa_type=DateTime(timezone=True))
    data_to: datetime = Field(sa_type=DateTime(timezone=True))
    interactions: int = Field(sa_type=BigInteger)
    seq: int = Field(sa_type=BigInteger)
    hyperparameters: dict[str, Any] = Field(sa_type=JSONB)
    metrics: dict[str, Any] = Field(sa_type=JSONB)
    # Why it never serves; empty if it may.
    refusal: str = Field(sa_type=Text)
    # Of the bytes of all parts; empty without parts.
    sha256: str = Field(sa_type=Text)


class ModelPartRecord(_Table, table=True):
    """A piece of a model's bytes: one value of all of them would be copied whole several times on its way."""

    __tablename__ = "model_parts"
    __table_args__ = (
        ForeignKeyConstraint(["version"], ["models.version"], name="model_parts_version_fkey", ondelete="CASCADE"),
    )

    version: int = Field(primary_key=True, sa_type=BigInteger)
    part: int = Field(primary_key=True, sa_type=SmallInteger)
    content: bytes = Field(sa_type=LargeBinary)


class PopularRecord(_Table, table=True):
    """A product that many view and buy."""

    __tablename__ = "popular"

    product_id: str = Field(primary_key=True, sa_type=Text)
    score: float = Field(sa_type=Double)


class PlacementRecord(_Table, table=True):
    """Where a product that came after a model's training belongs in it: a row of factors, float32."""

    __tablename__ = "placements"
    __table_args__ = (
        ForeignKeyConstraint(
            ["model_version"], ["models.version"], name="placements_model_version_fkey", ondelete="CASCADE"
        ),
    )

    model_version: int = Field(primary_key=True, sa_type=BigInteger)
    product_id: str = Field(primary_key=True, sa_type=Text)
    vector: bytes = Field(sa_type=LargeBinary)


metadata = _Table.metadata
