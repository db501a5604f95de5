"""Models are kept whole or not at all, and read as they were saved or not at all."""

import pytest
from sqlalchemy import text

from services.database import Database
from services.recommender.domain import Hyperparameters
from services.recommender.model import UnreadableModelError
from services.recommender.store import PostgresRecommender
from services.recommender.store_models import KEPT_REFUSALS, PART_BYTES
from tests.factories.recommender import NOW, draft

LARGE = bytes(range(256)) * (PART_BYTES // 256) * 2 + b"end"


async def test_a_model_comes_back(store: PostgresRecommender) -> None:
    """Larger than a part, with everything that is known of it."""
    version = await store.save_model(draft(ndcg=0.5), LARGE, 5)
    record, artefact = await store.load_model(version)
    assert artefact == LARGE
    assert (record.version, record.made_at, record.data_to, record.interactions) == (version, NOW, NOW, 1000)
    assert (record.hyperparameters, record.metrics, record.refusal) == (Hyperparameters(), {"ndcg": 0.5}, "")


async def test_versions_grow_and_old_ones_go(store: PostgresRecommender) -> None:
    """The newest so many are kept, and the last attempt is known."""
    versions = [await store.save_model(draft(seq=seq), b"model", 3) for seq in range(5)]
    assert versions == sorted(versions)
    assert await store.approved() == versions[:1:-1]
    last = await store.last_attempt()
    assert last is not None
    assert (last[0].version, last[1]) == (versions[-1], 4)
    with pytest.raises(UnreadableModelError, match="no such version"):
        await store.load_model(versions[0])


async def test_a_refused_one_never_serves(store: PostgresRecommender) -> None:
    """Nor does it push out one that does; it is the last attempt all the same, with its reason."""
    version = await store.save_model(draft(), b"model", 2)
    for _ in range(KEPT_REFUSALS + 2):
        await store.save_model(draft(refusal="It is worse."), b"model", 2)
    assert await store.approved() == [version]
    last = await store.last_attempt()
    assert last is not None
    assert last[0].refusal == "It is worse."


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE model_parts SET content = set_byte(content, 100, 255 - get_byte(content, 100)) WHERE part = 1",
        "DELETE FROM model_parts WHERE part = 2",
        "DELETE FROM model_parts WHERE part = 0",
        "UPDATE models SET sha256 = ''",
        """UPDATE models SET hyperparameters = '{"depth": 3}'""",
    ],
)
async def test_a_damaged_one_is_not_read(
    store: PostgresRecommender, recommender_database: Database, damage: str
) -> None:
    """A bit, a part, the checksum, or settings of another release."""
    version = await store.save_model(draft(), LARGE, 5)
    async with recommender_database.transaction() as session:
        await (await session.connection()).execute(text(damage))
    with pytest.raises(UnreadableModelError):
        await store.load_model(version)


async def test_there_was_no_attempt(store: PostgresRecommender) -> None:
    """In the beginning."""
    assert await store.last_attempt() is None
    assert await store.approved() == []
