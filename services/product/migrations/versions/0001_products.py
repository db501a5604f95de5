"""Products, and the outbox of their events."""

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
        "products",
        sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.CHAR(3), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("price_minor >= 0", name="products_price_minor_check"),
        sa.CheckConstraint("version >= 1", name="products_version_check"),
    )
    outbox.create_table(op)


def downgrade() -> None:
    """Refuses: the catalogue is a record, and dropping it is a person's decision."""
    raise NotImplementedError("Products are not dropped by a migration.")
