import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from services.errors import UnavailableError
from services.recommender import measures
from services.recommender.artefact import encode
from services.recommender.following import OVERLAP, UNREADABLE_PAUSE, CatalogueLoop, ModelLoop
from services.recommender.shelf import CatalogueRow, Stock
from tests.unit.recommender.shelves import NOW, Row, model, record
from tests.unit.recommender.stores import ScriptedStore

VECTOR = np.array([0.5, 0.5], np.float32)


class Following:
    """Both loops over one store and one stock, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.store = ScriptedStore()
        self.stock = Stock()
        self.catalogue = CatalogueLoop(self.store, self.stock, lambda: self.now)
        self.models = ModelLoop(self.store, self.stock, lambda: NOW + timedelta(minutes=1), lambda: self.now, 5.0)

    def save(self, version: int, *, damaged: bool = False) -> None:
        self.store.models[version] = (record(version, coverage=0.25), encode(model()))
        if damaged:
            self.store.damaged.add(version)


async def test_the_catalogue_is_read_once_as_a_whole() -> None:
    """All pages are read at the start; after that only what has changed is asked for."""
    following = Following()
    following.store.rows = [Row(f"p{number}", added_at=NOW - timedelta(minutes=number)) for number in range(8)]
    assert not following.catalogue.is_loaded
    await following.catalogue.run_once()
    assert following.catalogue.is_loaded
    assert following.stock.shelf.newest == tuple(f"p{number}" for number in range(8))
    following.store.asked.clear()
    await following.catalogue.run_once()
    assert following.store.asked[0] == ("catalogue", NOW - OVERLAP, "")


async def test_a_catalogue_at_rest_costs_one_question() -> None:
    """Long after an import of thousands at one moment, none of its rows is read again."""
    following = Following()
    following.store.rows = [Row(f"p{number}") for number in range(8)]
    await following.catalogue.run_once()
    following.now += 60
    following.store.asked.clear()
    await following.catalogue.run_once()
    assert following.store.asked == [("catalogue", NOW, "p7")]
    later = NOW + timedelta(seconds=60)
    following.store.rows.append(Row("new", added_at=later, changed_at=later))
    await following.catalogue.run_once()
    assert "new" in following.stock.shelf.alive


async def test_changes_are_followed() -> None:
    """New products are there and deleted ones gone after the next look, also more of them than fit into a page."""
    following = Following()
    following.store.rows = [Row("old")]
    await following.catalogue.run_once()
    later = NOW + timedelta(seconds=30)
    following.store.rows = [
        Row("old", alive=False, changed_at=later),
        *(Row(f"new-{number}", added_at=later, changed_at=later) for number in range(7)),
    ]
    await following.catalogue.run_once()
    assert following.stock.shelf.newest == tuple(f"new-{number}" for number in range(7))


@pytest.mark.parametrize("late", [0.5, 8.0])
async def test_a_change_that_was_committed_late_is_not_missed(late: float) -> None:
    """A row that appears with an earlier moment than one seen already is taken, at the latest ten seconds later."""
    following = Following()
    following.store.rows = [Row("first", changed_at=NOW)]
    await following.catalogue.run_once()
    moment = NOW - timedelta(seconds=late)
    following.store.rows.append(Row("late", added_at=moment, changed_at=moment))
    for _ in range(11):
        await following.catalogue.run_once()
        following.now += 1
    assert following.stock.shelf.newest == ("first", "late")


async def test_what_changed_behind_the_first_readers_back_is_not_missed() -> None:
    """However long the first reading took, a change made during it on a page already read is taken after it."""
    following = Following()
    following.store.rows = [Row(f"p{number}", changed_at=NOW + timedelta(seconds=60)) for number in range(6)]

    def deleted_meanwhile(rows: Sequence[CatalogueRow]) -> None:
        following.now += 30
        following.store.rows[0] = Row("p0", alive=False, changed_at=NOW + timedelta(seconds=1))
        put(rows)

    put, following.stock.put_catalogue = following.stock.put_catalogue, deleted_meanwhile  # type: ignore[method-assign, assignment] # a moment between two pages
    await following.catalogue.run_once()
    assert "p0" not in following.stock.shelf.alive


async def test_an_empty_shop_gets_its_first_product() -> None:
    """A catalogue without rows is loaded, and what comes later is found."""
    following = Following()
    await following.catalogue.run_once()
    assert following.catalogue.is_loaded
    following.store.rows = [Row("first")]
    await following.catalogue.run_once()
    assert following.stock.shelf.newest == ("first",)


async def test_a_catalogue_that_was_not_read_to_its_end_is_read_again() -> None:
    """Nothing counts as loaded before everything is."""
    following = Following()
    following.store.away = True
    with pytest.raises(UnavailableError):
        await following.catalogue.run_once()
    assert not following.catalogue.is_loaded
    following.store.away = False
    following.store.rows = [Row("p")]
    await following.catalogue.run_once()
    assert following.catalogue.is_loaded
    assert following.stock.shelf.newest == ("p",)


async def test_the_newest_model_is_taken_up() -> None:
    """It is read once, what is shown of it is its own, and a newer one replaces it."""
    following = Following()
    for version in (1, 2):
        following.save(version)
    await following.models.run_once()
    await following.models.run_once()
    assert following.stock.shelf.version == 2
    assert following.store.asked.count(2) == 1
    assert 1 not in following.store.asked
    following.save(3)
    await following.models.run_once()
    assert following.stock.shelf.version == 3
    shown = (measures.model_version, measures.model_age, measures.data_age, measures.model_coverage)
    assert [gauge._value.get() for gauge in shown] == [3, 60, 60, 0.25]


async def test_without_a_model_the_rest_is_followed() -> None:
    """A shop before its first training has what is popular, and is ready."""
    following = Following()
    following.store.best = ["a"]
    await following.models.run_once()
    assert following.models.is_loaded
    assert following.stock.shelf.popular == ("a",)
    assert following.stock.shelf.version == 0


async def test_the_last_good_model_serves_while_a_newer_one_cannot_be_read() -> None:
    """It is counted, not asked for again before its pause is over, and taken up when it has been mended."""
    following = Following()
    following.save(1)
    await following.models.run_once()
    following.save(2, damaged=True)
    before = measures.models_unreadable._value.get()
    for _ in range(3):
        await following.models.run_once()
    assert following.stock.shelf.version == 1
    assert following.store.asked.count(2) == 1
    assert measures.models_unreadable._value.get() == before + 1
    following.store.damaged.clear()
    following.now += UNREADABLE_PAUSE
    await following.models.run_once()
    assert following.stock.shelf.version == 2


async def test_a_process_that_starts_takes_the_newest_that_can_be_read() -> None:
    """Damaged bytes and bytes that are no model are both passed over."""
    following = Following()
    following.save(1)
    following.save(2)
    following.store.models[2] = (record(2), b"nonsense")
    following.save(3, damaged=True)
    await following.models.run_once()
    assert following.stock.shelf.version == 1


async def test_a_withdrawn_model_stops_serving() -> None:
    """Where the version that serves is not approved any more, the newest of those that are takes its place."""
    following = Following()
    for version in (1, 2):
        following.save(version)
    await following.models.run_once()
    del following.store.models[2]
    await following.models.run_once()
    assert following.stock.shelf.version == 1


async def test_placed_products_are_taken_up() -> None:
    """All pages of what was placed for the model that serves; vectors of a wrong length do no harm."""
    following = Following()
    following.save(1)
    placed = [(f"p{number}", VECTOR.tobytes()) for number in range(5)]
    following.store.placed = {1: [*placed, ("short", VECTOR[:1].tobytes()), ("torn", b"abc")]}
    await following.models.run_once()
    assert following.stock.shelf.assortment is not None
    assert following.stock.shelf.assortment.placed_ids == tuple(f"p{number}" for number in range(5))


async def test_a_loop_survives_a_database_that_is_away() -> None:
    """It goes on asking until the database answers, and ends soon after it is told to."""
    following = Following()
    following.save(1)
    following.models._poll = 0.001
    following.store.away = True
    stop = asyncio.Event()
    running = asyncio.create_task(following.models.run(stop))
    async with asyncio.timeout(10):
        await following.store.asked_times(3)
        following.store.away = False
        # The first question that is answered, the model's version, its bytes, and what is placed for it.
        await following.store.asked_times(len(following.store.asked) + 8)
        stop.set()
        await running
    assert following.stock.shelf.version == 1


async def test_a_model_goes_on_aging_while_the_database_is_away() -> None:
    """What is shown of it stays true."""
    following = Following()
    following.save(1)
    await following.models.run_once()
    following.store.away = True
    following.models._clock = lambda: NOW + timedelta(hours=1)
    with pytest.raises(UnavailableError):
        await following.models.run_once()
    assert measures.model_age._value.get() == 3600


async def test_a_model_of_another_size_of_factors_is_nothing_special() -> None:
    """The next model may have other factors; the annex of the last is gone with it."""
    following = Following()
    following.save(1)
    following.store.placed = {1: [("p", VECTOR.tobytes())]}
    await following.models.run_once()
    wide = model({"a": (1.0, 0.0, 0.0), "b": (0.0, 1.0, 0.0)})
    made = replace(wide, hyperparameters=replace(wide.hyperparameters, factors=3))
    following.store.models[2] = (record(2), encode(made))
    await following.models.run_once()
    assert following.stock.shelf.version == 2
