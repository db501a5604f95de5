"""What the built-in provider keeps: its pages, its payments and refunds, and the webhooks that it has to send."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "sandbox_checkouts",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("lines", postgresql.JSONB(), nullable=False),
        sa.Column("redirect_url", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
    )
    op.create_index("sandbox_checkouts_token", "sandbox_checkouts", ["token"], unique=True)
    op.create_index("sandbox_checkouts_session_id", "sandbox_checkouts", ["session_id"], unique=True)
    op.create_table(
        "sandbox_payments",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("checkout_id", sa.Text(), sa.ForeignKey("sandbox_checkouts.id"), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("occurred_at", moment, nullable=False),
    )
    op.create_index("sandbox_payments_checkout_id", "sandbox_payments", ["checkout_id"])
    op.create_index("sandbox_payments_account_id", "sandbox_payments", ["account_id", "id"])
    op.create_table(
        "sandbox_refunds",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("payment_id", sa.Text(), sa.ForeignKey("sandbox_payments.id"), nullable=False),
        sa.Column("refund_id", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("occurred_at", moment, nullable=False),
        sa.CheckConstraint("amount_minor > 0", name="sandbox_refunds_amount_minor_check"),
    )
    op.create_index("sandbox_refunds_payment_id", "sandbox_refunds", ["payment_id"])
    op.create_index("sandbox_refunds_refund_id", "sandbox_refunds", ["refund_id"], unique=True)
    op.create_table(
        "sandbox_portals",
        sa.Column("token", sa.Text(), primary_key=True),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("return_url", sa.Text(), nullable=False),
        sa.Column("expires_at", moment, nullable=False),
    )
    op.create_index("sandbox_portals_expires_at", "sandbox_portals", ["expires_at"])
    op.create_table(
        "sandbox_deliveries",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("copies_left", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
    )
    op.create_index("sandbox_deliveries_due_at", "sandbox_deliveries", ["due_at"])


def downgrade() -> None:
    """Refuses: what was paid is a record, also in a sandbox."""
    raise NotImplementedError("Payments are not dropped by a migration.")
