"""Claims about the cache itself: what is stored, what a change drops, who shares a computation, and what is bounded."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from services.errors import RateLimitedError
from services.gateway.answers import Answer, answer_of
from services.gateway.catalogue_cache import JOINED_SECONDS, MAX_ANSWER, CatalogueCache, Computed
from services.gateway.reads import MAX_CHANGES, Changes, Reads
from services.gateway.stored_answers import StoredAnswer

PAGE = Reads({"mug", "bowl"}, pages=True)
SEARCH = Reads({"mug"}, searches=True)
MUG = Reads({"mug"}, viewed=["mug"])


@dataclass
class Events:
    """A Freshness that a test sets."""

    live: bool = True
    indexed: bool = True

    def serving(self) -> bool:
        return self.live

    def index_is_current(self) -> bool:
        return self.indexed


@dataclass
class Kitchen:
    """A cache, its clock, and a way to ask it: computations are counted and wait until they are let go."""

    events: Events = field(default_factory=Events)
    max_bytes: int = 1_000_000
    now: float = 0.0
    computed: list[bytes] = field(default_factory=list)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.cache = CatalogueCache(self.events, self.max_bytes, max_computations=3, clock=lambda: self.now)
        self.arrived = asyncio.Semaphore(0)
        self.go.set()

    async def ask(self, key: bytes, reads: Reads = MUG, answer: Answer | None = None) -> StoredAnswer | Computed:
        async def compute() -> Computed:
            self.computed.append(key)
            self.arrived.release()
            await self.go.wait()
            return Computed(answer or answer_of({"data": {}}), reads)

        return await self.cache.answer(key, compute)

    async def begun(self, key: bytes, reads: Reads = MUG) -> "asyncio.Task[StoredAnswer | Computed]":
        """Asks, and answers once the computation waits."""
        self.go.clear()
        self.arrived = asyncio.Semaphore(0)
        task = asyncio.create_task(self.ask(key, reads))
        await self.arrived.acquire()
        return task

    async def is_stored(self, key: bytes) -> bool:
        """Tells whether it is answered without computing; it is stored afterwards at the latest."""
        asked = len(self.computed)
        await self.ask(key)
        return len(self.computed) == asked


@pytest.fixture
def kitchen() -> Kitchen:
    return Kitchen()


async def test_an_answer_is_computed_once(kitchen: Kitchen) -> None:
    """What was answered is answered again without computing, and keys are told apart."""
    first = await kitchen.ask(b"a")
    assert isinstance(first, StoredAnswer)
    assert await kitchen.ask(b"a") is first
    await kitchen.ask(b"b")
    assert kitchen.computed == [b"a", b"b"]


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda cache: cache.product_changed("mug"), {"bowl"}),
        (lambda cache: cache.product_changed("bowl"), {"mug"}),
        (lambda cache: cache.product_changed("cup"), {"mug", "bowl", "page"}),
        (lambda cache: cache.membership_changed("mug"), {"bowl"}),
        (lambda cache: cache.membership_changed("cup"), {"mug", "bowl"}),
        (lambda cache: cache.everything_changed(), set()),
    ],
)
async def test_a_change_drops_what_it_concerns(
    kitchen: Kitchen, change: Callable[[CatalogueCache], None], left: set[str]
) -> None:
    """An update drops what shows the product and every search; a creation or deletion drops every page as well."""
    answers = {"mug": MUG, "bowl": Reads({"bowl"}), "page": PAGE, "search": SEARCH}
    for name, reads in answers.items():
        await kitchen.ask(name.encode(), reads)
    change(kitchen.cache)
    assert {name for name in answers if await kitchen.is_stored(name.encode())} == left


@pytest.mark.parametrize(
    ("reads", "answer"),
    [
        (MUG, answer_of({"errors": [{"extensions": {"code": "UNAVAILABLE"}}], "data": None})),
        (MUG, answer_of({"data": "x" * MAX_ANSWER})),
        (Reads({"mug"}, personal=True), None),
    ],
    ids=["an error", "too large", "personal"],
)
async def test_some_answers_are_not_stored(kitchen: Kitchen, reads: Reads, answer: Answer | None) -> None:
    """An answer with an error, a very large one, and one that shows more than the catalogue are given and not kept."""
    given = await kitchen.ask(b"a", reads, answer)
    assert isinstance(given, Computed)
    assert answer is None or given.answer is answer
    assert not await kitchen.is_stored(b"a")


async def test_nothing_is_stored_when_the_events_stop_meanwhile(kitchen: Kitchen) -> None:
    """An answer that was computed while the events stopped is given and not kept."""
    asked = await kitchen.begun(b"a")
    kitchen.events.live = False
    kitchen.go.set()
    assert isinstance(await asked, Computed)


async def test_a_request_is_recalled_by_its_bytes(kitchen: Kitchen) -> None:
    """A remembered request finds its answer without a look into it, while the events are live and no change came."""
    await kitchen.ask(b"key")
    assert kitchen.cache.recall(b"body") is None
    kitchen.cache.remember(b"body", b"key")
    assert kitchen.cache.recall(b"body") == (b"key", await kitchen.ask(b"key"))
    kitchen.events.live = False
    assert kitchen.cache.recall(b"body") is None
    kitchen.events.live = True
    kitchen.cache.product_changed("mug")
    assert kitchen.cache.recall(b"body") is None


async def test_a_search_waits_for_the_index(kitchen: Kitchen) -> None:
    """What searched is not kept when the index was behind at the start, even if it no longer is; all else is kept."""
    kitchen.events.indexed = False
    search, product = await kitchen.begun(b"search", SEARCH), await kitchen.begun(b"mug", MUG)
    kitchen.events.indexed = True
    kitchen.go.set()
    assert isinstance(await search, Computed)
    assert isinstance(await product, StoredAnswer)


async def test_many_share_one_computation(kitchen: Kitchen) -> None:
    """All who ask while one computes get its answer; one who goes away takes nothing from the others."""
    first = await kitchen.begun(b"a")
    others = [asyncio.create_task(kitchen.ask(b"a")) for _ in range(50)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    kitchen.go.set()
    answers = await asyncio.gather(*others)
    assert first.cancelled()
    assert len(set(map(id, answers))) == 1
    assert kitchen.computed == [b"a"]


async def test_an_old_computation_is_not_joined(kitchen: Kitchen) -> None:
    """Who asks long after a computation began starts another: what it reads may have been read long ago."""
    first = await kitchen.begun(b"a")
    kitchen.now = JOINED_SECONDS + 0.01
    second = await kitchen.begun(b"a")
    kitchen.go.set()
    await asyncio.gather(first, second)
    assert kitchen.computed == [b"a", b"a"]


@pytest.mark.parametrize(
    "change",
    [
        lambda cache: cache.product_changed("mug"),
        lambda cache: cache.membership_changed("mug"),
        lambda cache: cache.everything_changed(),
    ],
)
async def test_a_change_meanwhile_is_not_missed(kitchen: Kitchen, change: Callable[[CatalogueCache], None]) -> None:
    """Those who waited are answered, nothing is kept of it, and who asks after the change gets a computation of now."""
    before = await kitchen.begun(b"a")
    change(kitchen.cache)
    after = await kitchen.begun(b"a")
    kitchen.go.set()
    assert isinstance(await before, Computed)
    stored = await after
    assert isinstance(stored, StoredAnswer)
    assert await kitchen.ask(b"a") is stored
    assert kitchen.computed == [b"a", b"a"]


async def test_a_change_of_something_else_does_no_harm(kitchen: Kitchen) -> None:
    """A computation that a change does not concern is stored all the same."""
    asked = await kitchen.begun(b"a")
    kitchen.cache.membership_changed("bowl")
    kitchen.go.set()
    assert isinstance(await asked, StoredAnswer)


async def test_computations_are_bounded(kitchen: Kitchen) -> None:
    """Beyond the bound a read is told to come back; those under way end, and there is room again."""
    tasks = [await kitchen.begun(key) for key in (b"a", b"b", b"c")]
    with pytest.raises(RateLimitedError):
        await kitchen.ask(b"d")
    kitchen.go.set()
    await asyncio.gather(*tasks)
    await kitchen.ask(b"d")


async def test_a_failed_computation_leaves_nothing(kitchen: Kitchen) -> None:
    """One that raises tells those who wait, and is no longer in anyone's way."""

    async def fail() -> Computed:
        raise KeyError

    with pytest.raises(KeyError):
        await kitchen.cache.answer(b"a", fail)
    await kitchen.ask(b"a")
    assert kitchen.computed == [b"a"]


def test_a_size_of_zero_keeps_nothing() -> None:
    """Without memory there are no answers and no remembered requests."""

    async def asked_twice() -> list[bytes]:
        kitchen = Kitchen(max_bytes=0)
        for _ in range(2):
            await kitchen.ask(b"a")
            kitchen.cache.remember(b"body", b"a")
        assert kitchen.cache.recall(b"body") is None
        return kitchen.computed

    assert asyncio.run(asked_twice()) == [b"a", b"a"]


@pytest.mark.parametrize("reads", [MUG, PAGE, SEARCH])
def test_very_many_changes_concern_everything(reads: Reads) -> None:
    """Changes are told apart up to a bound; beyond it they concern whatever was read."""
    changes = Changes()
    for number in range(MAX_CHANGES):
        changes.updated(f"cup {number}")
    assert changes.concern(reads) is reads.searches
    changes.updated("one more")
    assert changes.concern(reads)
    assert not changes._updated
