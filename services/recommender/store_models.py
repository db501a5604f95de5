"""Models in PostgreSQL: a row for each training, and the bytes of those that may serve, in parts.

A model is saved in one transaction, so a trainer that dies leaves nothing of it. The checksum is over all parts:
what is read is what was saved, or it is refused.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from services.recommender.domain import Hyperparameters, ModelRecord
from services.recommender.model import UnreadableModelError
from services.recommender.store_base import Rows

PART_BYTES: Final = 4 * 1024 * 1024
# Refused trainings are kept for those who look for the reason.
KEPT_REFUSALS: Final = 50
_LONGEST_REASON: Final = 500

_APPROVED: Final = text("SELECT version FROM models WHERE refusal = '' ORDER BY version DESC")
_MODEL: Final = text("SELECT * FROM models WHERE version = :version")
_NEWEST: Final = text("SELECT * FROM models ORDER BY version DESC LIMIT 1")
_PART: Final = text("SELECT content FROM model_parts WHERE version = :version AND part = :part")
_SAVE: Final = text(
    """
    INSERT INTO models (made_at, data_from, data_to, interactions, seq, hyperparameters, metrics, refusal, sha256)
    VALUES (:made_at, :data_from, :data_to, :interactions, :seq, :hyperparameters, :metrics, :refusal, :sha256)
    RETURNING version
    """
).bindparams(bindparam("hyperparameters", type_=JSONB), bindparam("metrics", type_=JSONB))
_SAVE_PART: Final = text("INSERT INTO model_parts (version, part, content) VALUES (:version, :part, :content)")
_PRUNE: Final = text(
    """
    DELETE FROM models WHERE version IN (
        (SELECT version FROM models WHERE refusal = '' ORDER BY version DESC OFFSET :approved)
        UNION ALL
        (SELECT version FROM models WHERE refusal <> '' ORDER BY version DESC OFFSET :refused)
    )
    """
)


@dataclass(frozen=True, slots=True)
class ModelDraft:
    """What a training came to; `seq` is the newest interaction that had arrived when it began (see `news`)."""

    data_from: datetime
    data_to: datetime
    interactions: int
    seq: int
    hyperparameters: Hyperparameters
    metrics: dict[str, float]
    refusal: str = ""


class Models(Rows):
    """Keeps models."""

    async def approved(self) -> list[int]:
        """Answers the versions that may serve, newest first."""
        return [row.version for row in await self._read(_APPROVED)]

    async def load_model(self, version: int) -> tuple[ModelRecord, bytes]:
        """Answers a model and its bytes; raises UnreadableModelError if they are not those that were saved."""
        rows = await self._read(_MODEL, version=version)
        if not rows:
            raise UnreadableModelError("There is no such version.")
        parts: list[bytes] = []
        # One at a time: each is a short statement, and the loop goes on in between.
        while part := await self._read(_PART, version=version, part=len(parts)):
            parts.append(part[0].content)
        return _record(rows[0]), await asyncio.to_thread(_joined, parts, rows[0].sha256)

    async def last_attempt(self) -> tuple[ModelRecord, int] | None:
        """Answers the newest training, refused or not, and its `seq`."""
        rows = await self._read(_NEWEST)
        return (_record(rows[0]), rows[0].seq) if rows else None

    async def save_model(self, draft: ModelDraft, artefact: bytes, keep: int) -> int:
        """Keeps a training under a new version, which it answers; of a refused one no bytes.

        Of approved ones the newest `keep` are left.
        """
        content = b"" if draft.refusal else artefact
        values = asdict(draft) | {"refusal": draft.refusal[:_LONGEST_REASON], "made_at": self._clock()}
        values["sha256"] = await asyncio.to_thread(_checksum, content)
        async with self._database.transaction() as session:
            connection = await session.connection()
            version: int = (await connection.execute(_SAVE, values)).scalar_one()
            for part, begin in enumerate(range(0, len(content), PART_BYTES)):
                piece = content[begin : begin + PART_BYTES]
                await connection.execute(_SAVE_PART, {"version": version, "part": part, "content": piece})
            await connection.execute(_PRUNE, {"approved": keep, "refused": KEPT_REFUSALS})
        return version


def _joined(parts: Sequence[bytes], checksum: str) -> bytes:
    content = b"".join(parts)
    if _checksum(content) != checksum:
        raise UnreadableModelError(f"Its {len(content)} bytes are not those that were saved.")
    return content


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if content else ""


def _record(row: Row[Any]) -> ModelRecord:
    try:
        chosen = Hyperparameters(**row.hyperparameters)
    except TypeError as error:
        # Of a release that knew others.
        raise UnreadableModelError(f"Its hyperparameters are not known: {error}") from None
    return ModelRecord(
        row.version, row.made_at, row.data_from, row.data_to, row.interactions, chosen, row.metrics, row.refusal
    )
