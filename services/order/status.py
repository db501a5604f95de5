"""The life of an order as a state machine.

    PLACED ──────────► PAID ──► PARTIALLY_REFUNDED ──► REFUNDED
      │ │               ▲ │                               ▲
      │ └► PAYMENT_FAILED └───────────────────────────────┘
      ▼        │
    CANCELLED ◄┘

A failed payment may be tried again. Cancelled and refunded orders stay what they are: nothing leads out of them.
A move to the status that an order already has is no move at all, so that a repeated message does no harm.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from services.errors import ConflictError


class OrderStatus(StrEnum):
    """Where an order stands; the values are what the database keeps."""

    PLACED = "placed"
    PAID = "paid"
    PAYMENT_FAILED = "payment_failed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"


INITIAL: Final = OrderStatus.PLACED

MOVES: Final[Mapping[OrderStatus, frozenset[OrderStatus]]] = {
    OrderStatus.PLACED: frozenset({OrderStatus.PAID, OrderStatus.PAYMENT_FAILED, OrderStatus.CANCELLED}),
    OrderStatus.PAYMENT_FAILED: frozenset({OrderStatus.PAID, OrderStatus.CANCELLED}),
    OrderStatus.PAID: frozenset({OrderStatus.PARTIALLY_REFUNDED, OrderStatus.REFUNDED}),
    OrderStatus.PARTIALLY_REFUNDED: frozenset({OrderStatus.REFUNDED}),
    OrderStatus.CANCELLED: frozenset(),
    OrderStatus.REFUNDED: frozenset(),
}


def changes(current: OrderStatus, wanted: OrderStatus) -> bool:
    """Answers whether there is anything to do; raises ConflictError when no move leads from one to the other."""
    if wanted == current:
        return False
    if wanted not in MOVES[current]:
        raise ConflictError(f"An order that is {current.name} cannot become {wanted.name}.")
    return True
