import asyncio

from services.recommender import measures
from services.recommender.histories import PAUSE, Histories
from tests.unit.recommender.shelves import purchase, view
from tests.unit.recommender.stores import ScriptedStore


class Ticks:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def fallbacks(kind: str) -> float:
    return float(measures.fallbacks.labels(kind)._value.get())


async def test_a_history_is_read_when_it_is_needed() -> None:
    """What an account did a moment ago is in the next answer."""
    store = ScriptedStore({7: [view("a")]})
    histories = Histories(store, Ticks())
    assert await histories.of(7) == (view("a"),)
    store.deeds[7].append(purchase("b"))
    assert await histories.of(7) == (view("a"), purchase("b"))
    assert await histories.of(8) == ()


async def test_what_was_read_before_is_answered_while_the_database_is_away() -> None:
    """Known accounts are answered from memory, unknown ones by nothing, and both are counted."""
    store = ScriptedStore({7: [view("a")]})
    histories = Histories(store, Ticks())
    await histories.of(7)
    before = fallbacks("history_memory"), fallbacks("history_model")
    store.away = True
    assert await histories.of(7) == (view("a"),)
    assert await histories.of(8) is None
    assert (fallbacks("history_memory"), fallbacks("history_model")) == (before[0] + 1, before[1] + 1)


async def test_a_database_that_is_away_is_left_alone_for_a_while() -> None:
    """It is asked once in each pause, and again normally as soon as it answers."""
    ticks, store = Ticks(), ScriptedStore({7: [view("a")]}, away=True)
    histories = Histories(store, ticks)
    for _ in range(5):
        await histories.of(7)
    assert len(store.asked) == 1
    ticks.now += PAUSE
    await histories.of(7)
    assert len(store.asked) == 2
    store.away = False
    ticks.now += PAUSE
    assert await histories.of(7) == await histories.of(7) == (view("a"),)
    assert len(store.asked) == 4


async def test_only_one_question_tries_a_database_that_was_away() -> None:
    """Those who ask while it is tried are answered from memory at once."""
    ticks, store = Ticks(), ScriptedStore({7: [view("a")]})
    histories = Histories(store, ticks)
    await histories.of(7)
    store.hangs = True
    await histories.of(7)
    ticks.now += PAUSE
    trying = asyncio.create_task(histories.of(7))
    await store.asked_times(3)
    assert await histories.of(7) == (view("a"),)
    assert len(store.asked) == 3
    assert await trying == (view("a"),)


async def test_a_database_that_hangs_holds_an_answer_up_only_shortly() -> None:
    """The deadline ends the question, and the next answers do not wait at all."""
    store = ScriptedStore(hangs=True)
    histories = Histories(store, Ticks())
    assert await histories.of(7) is None
    assert await histories.of(7) is None
    assert len(store.asked) == 1


async def test_what_is_remembered_is_bounded() -> None:
    """The accounts that asked longest ago are forgotten first; their deeds and an entry each are what counts."""
    store = ScriptedStore({account: [view("a")] * 3 for account in range(4)})
    histories = Histories(store, Ticks(), most_deeds=12)
    for account in (0, 1, 2, 0, 3):
        await histories.of(account)
    store.away = True
    assert [await histories.of(account) is not None for account in range(4)] == [True, False, True, True]


async def test_one_history_larger_than_all_that_fits_is_not_kept() -> None:
    """It is answered, and forgotten; nothing of the count is left behind."""
    store = ScriptedStore({1: [view("a")] * 20, 2: [view("a")]})
    histories = Histories(store, Ticks(), most_deeds=10)
    assert len(await histories.of(1) or ()) == 20
    await histories.of(2)
    store.away = True
    assert await histories.of(2) == (view("a"),)
