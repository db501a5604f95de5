"""Entry point of Alembic for this service's database."""  # noqa: INP001 Alembic reads it as a file

from services.migration import run_migrations
from services.product.models import ProductRecord

run_migrations(ProductRecord.metadata)
