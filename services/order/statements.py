"""The SQL of the order store, built once, and what its rows become.

Reads are told to the driver: a row of theirs is a whole order, its lines as one array a column, so that any number of
orders is one round trip. The lines are looked up by order, which keeps to their primary key whatever the planner
believes of the numbers.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg
from sqlalchemy import ARRAY, BigInteger, Integer, RowMapping, Table, Text, bindparam, select, text, update

from services.order.domain import Draft, IdempotencyKey, Line, Order
from services.order.models import OrderLineRecord, OrderRecord
from services.order.status import INITIAL, OrderStatus

_orders: Final[Table] = OrderRecord.__table__  # type: ignore[attr-defined] # SQLModel adds it to every table class
_lines: Final[Table] = OrderLineRecord.__table__  # type: ignore[attr-defined] # likewise

# In the order of the fields of `Line`.
_LINE_COLUMNS: Final = ("product_id", "name", "description", "price_minor", "quantity")
_ARRAYS: Final = ", ".join(f"array_agg({name}) AS {name}" for name in _LINE_COLUMNS)
# Takes the lines of `found`, where a condition can be added. They come out of their index in the right order.
_LINES_OF: Final = f"SELECT {_ARRAYS} FROM (SELECT * FROM order_lines WHERE order_id = found.id"  # noqa: S608 of constants
_IN_ORDER: Final = "ORDER BY position) AS line"
_WHOLE: Final = (
    f"SELECT found.*, lines.* FROM orders AS found LEFT JOIN LATERAL ({_LINES_OF} {_IN_ORDER}) AS lines ON TRUE"  # noqa: S608
)

# The order's id.
BY_ID: Final = f"{_WHOLE} WHERE found.id = $1"
# The account's id and the key.
BY_KEY: Final = f"{_WHOLE} WHERE found.account_id = $1 AND found.idempotency_key = $2"
# Accounts' ids, skip, take, and the bytes that fit into one answer: the page of each account, in one pass over the
# index for each. Where they are too large, no line is read.
PAGE: Final = f"""
    WITH found AS MATERIALIZED (
        SELECT newest.* FROM unnest($1::integer[]) AS asked (account_id) CROSS JOIN LATERAL (
            SELECT * FROM orders WHERE orders.account_id = asked.account_id ORDER BY orders.id DESC OFFSET $2 LIMIT $3
        ) AS newest
    )
    SELECT found.*, lines.* FROM found
    LEFT JOIN LATERAL ({_LINES_OF} AND (SELECT sum(size) FROM found) <= $4 {_IN_ORDER}) AS lines ON TRUE
"""  # noqa: S608 of constants
# order_id. Whoever else wants to change the order waits until this transaction has ended.
LOCKED: Final = select(_orders).where(_orders.c.id == bindparam("order_id")).with_for_update()
# order_id.
LINES: Final = (
    select(*(_lines.c[name] for name in _LINE_COLUMNS))
    .where(_lines.c.order_id == bindparam("order_id"))
    .order_by(_lines.c.position)
)
# `order_values`. Writes the order and its lines, or nothing where the account has used the key before.
NEW_ORDER: Final = text("""
    WITH placed AS (
        INSERT INTO orders (account_id, status, total_minor, currency, created_at, updated_at, size,
                            idempotency_key, request_fingerprint)
        VALUES (:account_id, :status, :total_minor, :currency, :now, :now, :size, :key, :fingerprint)
        ON CONFLICT (account_id, idempotency_key) DO NOTHING RETURNING id
    ), written AS (
        INSERT INTO order_lines (order_id, position, product_id, name, description, price_minor, quantity)
        SELECT placed.id, line.position - 1, line.product_id, line.name, line.description, line.price_minor,
               line.quantity
        FROM placed CROSS JOIN unnest(:product_id, :name, :description, :price_minor, :quantity)
            WITH ORDINALITY AS line (product_id, name, description, price_minor, quantity, position)
    )
    SELECT id FROM placed
""").bindparams(
    *(bindparam(name, type_=ARRAY(Text)) for name in ("product_id", "name", "description")),
    bindparam("price_minor", type_=ARRAY(BigInteger)),
    bindparam("quantity", type_=ARRAY(Integer)),
)
# order_id, status, updated_at.
NEW_STATUS: Final = update(_orders).where(_orders.c.id == bindparam("order_id"))


def order_values(draft: Draft, key: IdempotencyKey | None, now: datetime) -> dict[str, Any]:
    """Answers what is written for an order that is placed now, its lines included."""
    return {
        "account_id": draft.account_id,
        "status": INITIAL.value,
        "total_minor": draft.total_minor,
        "currency": draft.currency,
        "now": now,
        "size": draft.size,
        "key": key.value if key else None,
        "fingerprint": key.fingerprint if key else None,
        **{name: [getattr(line, name) for line in draft.lines] for name in _LINE_COLUMNS},
    }


def whole_order(row: asyncpg.Record) -> Order:
    """Answers the order of a row of one of the reads."""
    columns: Sequence[Sequence[Any]] = [row[name] or () for name in _LINE_COLUMNS]
    return order_of(row, map(Line, *columns))


def order_of(at: asyncpg.Record | RowMapping, lines: Iterable[Line]) -> Order:
    """Answers the order that a row of `orders` is, with these lines."""
    return Order(
        at["id"],
        at["account_id"],
        at["currency"],
        at["total_minor"],
        tuple(lines),
        OrderStatus(at["status"]),
        at["created_at"],
        at["updated_at"],
    )
