"""What a store has staged in its outbox, read back as events."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import select

from services.database import Database
from services.events import Event, Header, from_record
from services.outbox import OutboxRecord


@dataclass
class _Record:
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


async def staged_events(database: Database) -> list[Event]:
    """Answers the events of the outbox, in the order in which they were staged."""
    async with database.session() as session:
        rows = (await session.exec(select(OutboxRecord).order_by(text("id")))).all()
    return [from_record(_record(row)) for row in rows]


def _record(row: OutboxRecord) -> _Record:
    headers = [(name, value.encode()) for name, value in row.headers.items()]
    return _Record(row.topic, row.key.encode(), row.value, headers)
