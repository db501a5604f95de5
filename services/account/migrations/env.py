"""Entry point of Alembic for this service's database."""  # noqa: INP001 Alembic reads it as a file

from services.account.models import metadata
from services.migration import run_migrations

run_migrations(metadata)
