"""Alembic runs this; what it does is the same for every service."""  # noqa: INP001 Alembic reads it as a file

from services import migration
from services.recommender.models import metadata

migration.run_migrations(metadata)
