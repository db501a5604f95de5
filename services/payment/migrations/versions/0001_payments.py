"""Customers, products, checkout sessions, payments, refunds, webhook deliveries, and steps for the order service."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "customers",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("provider_customer_id", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", "account_id"),
    )
    op.create_table(
        "order_payments",
        sa.Column("order_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("staged_status", sa.Text(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("total_minor >= 0", name="order_payments_total_minor_check"),
        sa.PrimaryKeyConstraint("order_id"),
    )
    op.create_table(
        "checkout_sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_session_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("redirect_url", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("provider_products", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("to_close", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["order_payments.order_id"], name="checkout_sessions_order_id_fkey"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "checkout_sessions_checked_at",
        "checkout_sessions",
        ["checked_at"],
        postgresql_where=sa.text("status IN ('opening', 'open')"),
    )
    op.create_index(
        "checkout_sessions_live",
        "checkout_sessions",
        ["order_id"],
        unique=True,
        postgresql_where=sa.text("status IN ('opening', 'open')"),
    )
    op.create_index(
        "checkout_sessions_provider_session_id",
        "checkout_sessions",
        ["provider", "provider_session_id"],
        unique=True,
        postgresql_where=sa.text("provider_session_id <> ''"),
    )
    op.create_index(
        "checkout_sessions_to_close", "checkout_sessions", ["checked_at"], postgresql_where=sa.text("to_close")
    )
    op.create_table(
        "payments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_payment_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("tax_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor >= 0 AND tax_minor >= 0", name="payments_amount_minor_check"),
        sa.ForeignKeyConstraint(["order_id"], ["order_payments.order_id"], name="payments_order_id_fkey"),
        sa.ForeignKeyConstraint(["session_id"], ["checkout_sessions.id"], name="payments_session_id_fkey"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("payments_order_id", "payments", ["order_id"])
    op.create_index("payments_provider_payment_id", "payments", ["provider", "provider_payment_id"], unique=True)
    op.create_table(
        "refunds",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("provider_payment_id", sa.Text(), nullable=False),
        sa.Column("provider_refund_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("requested_by", sa.Integer(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("asked_minor", sa.BigInteger(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor >= 0", name="refunds_amount_minor_check"),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name="refunds_payment_id_fkey"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("refunds_automatic", "refunds", ["payment_id"], unique=True, postgresql_where=sa.text("automatic"))
    op.create_index("refunds_idempotency_key", "refunds", ["requested_by", "idempotency_key"], unique=True)
    op.create_index(
        "refunds_orphans",
        "refunds",
        ["provider", "provider_payment_id"],
        postgresql_where=sa.text("payment_id IS NULL"),
    )
    op.create_index("refunds_payment_id", "refunds", ["payment_id"])
    op.create_index(
        "refunds_provider_refund_id",
        "refunds",
        ["provider", "provider_refund_id"],
        unique=True,
        postgresql_where=sa.text("provider_refund_id <> ''"),
    )
    op.create_index(
        "refunds_waiting", "refunds", ["claimed_until"], postgresql_where=sa.text("status IN ('requested', 'pending')")
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", "delivery_id"),
    )
    op.create_index("webhook_deliveries_received_at", "webhook_deliveries", ["received_at"])
    op.create_table(
        "order_updates",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["order_payments.order_id"], name="order_updates_order_id_fkey"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "order_updates_waiting", "order_updates", ["order_id", "id"], postgresql_where=sa.text("refusal IS NULL")
    )
    op.create_table(
        "provider_products",
        sa.Column("product_id", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_product_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("pushed_version", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("product_id"),
    )
    op.create_index(
        "provider_products_waiting",
        "provider_products",
        ["claimed_until"],
        postgresql_where=sa.text("pushed_version < version"),
    )


def downgrade() -> None:
    """Refuses: payments are records of money, and dropping them is a person's decision."""
    raise NotImplementedError("Payments are not dropped by a migration.")
