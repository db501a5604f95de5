"""Orders, their lines, and the outbox of their events."""

import sqlalchemy as sa
from alembic import op

from services import outbox

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), primary_key=True),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("request_fingerprint", sa.Text(), nullable=True),
        sa.CheckConstraint("total_minor >= 0", name="orders_total_minor_check"),
        sa.CheckConstraint(
            "(idempotency_key IS NULL) = (request_fingerprint IS NULL)", name="orders_idempotency_key_check"
        ),
    )
    op.create_index("orders_account_id_id", "orders", ["account_id", "id"])
    op.create_index("orders_account_id_idempotency_key", "orders", ["account_id", "idempotency_key"], unique=True)
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.Integer(), sa.ForeignKey("orders.id"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint("price_minor >= 0", name="order_lines_price_minor_check"),
        sa.CheckConstraint("quantity >= 1", name="order_lines_quantity_check"),
    )
    outbox.create_table(op)


def downgrade() -> None:
    """Refuses: orders are records of sales, and dropping them is a person's decision."""
    raise NotImplementedError("Orders are not dropped by a migration.")
