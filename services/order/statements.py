"""The SQL of the order store, built once, and what its rows become.

Rows are read as plain tuples: making a tracked object of each would cost more than all the rest of a page.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ARRAY, Integer, Row, Table, any_, bindparam, column, func, select, true, update
from sqlalchemy.dialects.postgresql import insert

from services.order.domain import Draft, IdempotencyKey, Line, Order
from services.order.models import OrderLineRecord, OrderRecord
from services.order.status import INITIAL, OrderStatus

_orders: Final[Table] = OrderRecord.__table__  # type: ignore[attr-defined] # SQLModel adds it to every table class
_lines: Final[Table] = OrderLineRecord.__table__  # type: ignore[attr-defined] # likewise


def _integers(name: str) -> Any:
    """One array parameter, so that a statement is the same for any number of values."""
    return bindparam(name, type_=ARRAY(Integer))


_asked: Final = func.unnest(_integers("account_ids")).table_valued(column("account_id", Integer), name="asked")
_each: Final = _asked.render_derived()
_newest: Final = (
    select(_orders)
    .where(_orders.c.account_id == _each.c.account_id)
    .order_by(_orders.c.id.desc())
    .offset(bindparam("skip", type_=Integer))
    .limit(bindparam("take", type_=Integer))
    .lateral("newest")
)

# account_ids, skip, take: the page of each account, in one pass over the index for each.
PAGE: Final = select(_newest).select_from(_each).join(_newest, true()).order_by(_newest.c.id.desc())
# account_id, key.
BY_KEY: Final = select(_orders).where(
    _orders.c.account_id == bindparam("account_id"), _orders.c.idempotency_key == bindparam("key")
)
# order_id.
BY_ID: Final = select(_orders).where(_orders.c.id == bindparam("order_id"))
# order_id. Whoever else wants to change the order waits until this transaction has ended.
LOCKED: Final = BY_ID.with_for_update()
# order_ids.
LINES: Final = (
    select(
        _lines.c.order_id,
        _lines.c.product_id,
        _lines.c.name,
        _lines.c.description,
        _lines.c.price_minor,
        _lines.c.quantity,
    )
    .where(_lines.c.order_id == any_(_integers("order_ids")))
    .order_by(_lines.c.order_id, _lines.c.position)
)
# `order_row`. Writes and answers nothing where the account has used the key before.
NEW_ORDER: Final = (
    insert(_orders).on_conflict_do_nothing(index_elements=["account_id", "idempotency_key"]).returning(_orders.c.id)
)
# Many of `line_row`.
NEW_LINES: Final = insert(_lines)
# order_id, status, updated_at.
NEW_STATUS: Final = update(_orders).where(_orders.c.id == bindparam("order_id"))


def order_row(draft: Draft, key: IdempotencyKey | None, now: datetime) -> dict[str, Any]:
    """Answers what is written for an order that is placed now."""
    return {
        "account_id": draft.account_id,
        "status": INITIAL.value,
        "total_minor": draft.total_minor,
        "currency": draft.currency,
        "created_at": now,
        "updated_at": now,
        "size": draft.size,
        "idempotency_key": key.value if key else None,
        "request_fingerprint": key.fingerprint if key else None,
    }


def line_row(order_id: int, position: int, line: Line) -> dict[str, Any]:
    """Answers what is written for one line of it."""
    return {
        "order_id": order_id,
        "position": position,
        "product_id": line.product_id,
        "name": line.name,
        "description": line.description,
        "price_minor": line.price_minor,
        "quantity": line.quantity,
    }


def order_of(row: Row[Any], lines: Iterable[Line]) -> Order:
    """Answers the order of a row of `orders`."""
    return Order(
        row.id,
        row.account_id,
        row.currency,
        row.total_minor,
        tuple(lines),
        OrderStatus(row.status),
        row.created_at,
        row.updated_at,
    )
