"""The product service's ports in memory; tests/contract/product holds each of them against the real thing."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.errors import ConflictError, NotFoundError, UnavailableError
from services.events import Event
from services.product.events import Announcer
from services.product.folding import fold
from services.product.index import ALIAS, building_alias
from services.product.service import Product


class FakeProducts:
    """Keeps products in a dictionary, and the events that would be in the outbox in a list."""

    def __init__(self, announcer: Announcer, committed: Callable[[], None] = lambda: None) -> None:
        self._announcer = announcer
        self._committed = committed
        self._locked = False
        self.rows: dict[str, Product] = {}
        self.staged: list[Event] = []
        # Called before each batch that `after` answers: what others do while a rebuild goes on.
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def add(self, product: Product) -> None:
        self._write(product, self._announcer.created(product))

    async def get(self, product_id: str) -> Product | None:
        return self.rows.get(product_id)

    async def get_many(self, ids: Sequence[str]) -> list[Product]:
        return [self.rows[product_id] for product_id in sorted(set(ids)) if product_id in self.rows]

    async def page(self, skip: int, take: int) -> list[Product]:
        return [self.rows[product_id] for product_id in sorted(self.rows)][skip : skip + take]

    async def after(self, product_id: str | None, take: int) -> list[Product]:
        if self.meanwhile:
            await self.meanwhile()
        return [self.rows[other] for other in sorted(self.rows) if other > (product_id or "")][:take]

    async def change(self, product_id: str, decide: Callable[[Product], Product]) -> Product:
        current = self._existing(product_id)
        changed = decide(current)
        if changed is not current:
            self._write(changed, self._announcer.updated(changed))
        return changed

    async def remove(self, product_id: str, allow: Callable[[Product], None]) -> None:
        current = self._existing(product_id)
        allow(current)
        del self.rows[product_id]
        self._tell(self._announcer.deleted(current))

    @asynccontextmanager
    async def reindexing(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        if self._locked:
            raise ConflictError("Another process is building the search index.")
        self._locked = True
        try:
            yield self._still_held
        finally:
            self._locked = False

    async def _still_held(self) -> None:
        if not self._locked:
            raise UnavailableError("The lock was lost.")

    def _existing(self, product_id: str) -> Product:
        if product_id not in self.rows:
            raise NotFoundError("There is no such product.")
        return self.rows[product_id]

    def _write(self, product: Product, event: Event) -> None:
        self.rows[product.id] = product
        self._tell(event)

    def _tell(self, event: Event) -> None:
        self.staged.append(event)
        self._committed()


@dataclass
class _Index:
    aliases: set[str]
    documents: dict[str, Product] = field(default_factory=dict)
    # Also of what was removed: an older version never comes back.
    versions: dict[str, int] = field(default_factory=dict)


class FakeSearchIndex:
    """An index in dictionaries. It finds what the contract demands, and ranks names above descriptions, no finer."""

    def __init__(self) -> None:
        self.by_name: dict[str, _Index] = {}
        self.available = True
        self._made = 0
        # Called at the end of each write, with the alias: what others do in the meantime.
        self.after_write: Callable[[str], Awaitable[None]] | None = None

    @property
    def documents(self) -> dict[str, Product]:
        """What searchers can find."""
        return self._behind(ALIAS).documents

    async def search(self, words: str, skip: int, take: int) -> list[Product]:
        self._require_available()
        wanted = fold(words).split()
        ranked = sorted(
            (-rank, product.id, product)
            for product in self.documents.values()
            if (rank := min((_rank(product, word) for word in wanted), default=0))
        )
        return [product for _, _, product in ranked][skip : skip + take]

    async def write(
        self, alias: str, products: Sequence[Product], gone: Mapping[str, int], *, wait_until_visible: bool = False
    ) -> None:
        # A write to a dictionary is visible at once.
        del wait_until_visible
        self._require_available()
        index = self._behind(alias)
        for product in products:
            if product.version >= index.versions.get(product.id, 0):
                index.versions[product.id] = product.version
                index.documents[product.id] = product
        for product_id, version in gone.items():
            if version >= index.versions.get(product_id, 0):
                index.versions[product_id] = version
                index.documents.pop(product_id, None)
        if self.after_write:
            await self.after_write(alias)

    async def create(self) -> str:
        self._require_available()
        self._made += 1
        name = f"{ALIAS}-{self._made:016d}"
        self.by_name[name] = _Index({building_alias(name)})
        return name

    async def promote(self, index: str) -> None:
        promoted = self._existing(index)
        for other in self.by_name.values():
            other.aliases.discard(ALIAS)
        promoted.aliases.add(ALIAS)

    async def finish(self, index: str) -> None:
        self._existing(index).aliases.discard(building_alias(index))

    async def indices(self) -> dict[str, set[str]]:
        self._require_available()
        return {name: set(index.aliases) for name, index in self.by_name.items()}

    async def drop(self, index: str) -> None:
        self._require_available()
        self.by_name.pop(index, None)

    def _behind(self, alias: str) -> _Index:
        for index in self.by_name.values():
            if alias in index.aliases:
                return index
        raise UnavailableError("There is no index behind this alias.")

    def _existing(self, index: str) -> _Index:
        self._require_available()
        if index not in self.by_name:
            raise ConflictError("The index that was being built has been deleted.")
        return self.by_name[index]

    def _require_available(self) -> None:
        if not self.available:
            raise UnavailableError("The search index does not answer now.")


def _rank(product: Product, word: str) -> int:
    """How well a word is found: 3 in the name, 2 in the description, 1 with a mistake forgiven, 0 not."""
    in_name, in_description = fold(product.name).split(), fold(product.description).split()
    if any(other.startswith(word) for other in in_name):
        return 3
    if any(other.startswith(word) for other in in_description):
        return 2
    allowed = 0 if len(word) < 3 else 1 if len(word) < 6 else 2
    return int(any(_edits(word, other) <= allowed for other in in_name + in_description))


def _edits(one: str, other: str) -> int:
    """The edit distance of two words, in which two letters that have changed places are one edit."""
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            edits = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                edits = min(edits, rows[-2][j - 2] + 1)
            row.append(edits)
        rows.append(row)
    return rows[-1][-1]


class FakeTail:
    """product_events as one partition: what was staged so far."""

    def __init__(self, staged: list[Event]) -> None:
        self._staged = staged
        # Called before offsets are answered: what others do in the meantime.
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator["FakeTail"]:
        yield self

    async def ends(self) -> dict[int, int]:
        if self.meanwhile:
            await self.meanwhile()
        return {0: len(self._staged)}

    async def read(self, start: Mapping[int, int], until: Mapping[int, int]) -> AsyncIterator[list[Event]]:
        for offset in range(start.get(0, 0), until.get(0, 0)):
            yield [self._staged[offset]]
