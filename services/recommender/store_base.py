"""What every part of the store has: the database, and one way to run a statement.

Statements are written out: they take whole batches as arrays, one round trip and one plan for any number of rows.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, TextClause

from services.database import Database


class Rows:
    """The recommender's database; `clock` answers the time in UTC."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def _read(self, statement: TextClause, **values: Any) -> Sequence[Row[Any]]:
        async with self._database.session() as session:
            return (await (await session.connection()).execute(statement, values)).all()

    async def _write(self, statement: TextClause, **values: Any) -> int:
        """Runs it in a transaction of its own; answers how many rows it changed."""
        async with self._database.transaction() as session:
            return (await (await session.connection()).execute(statement, values)).rowcount
