"""The time as the composition roots hand it down; everything below them is given a clock and never looks for itself."""

from datetime import UTC, datetime


def now() -> datetime:
    """Answers the present moment, in UTC."""
    return datetime.now(UTC)
