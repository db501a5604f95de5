"""Answers kept in memory under a bound on bytes, and found again by what they show.

The answer that was not used for longest goes first. Beside the answers themselves there is an index from each product
to the answers that show it, and the sets of those that are pages and searches: an invalidation touches what it
concerns and nothing else.

A stored answer has everything ready that HTTP wants of it: a strong entity tag (RFC 9110, section 8.8.3), and its
compressed form, made when the first client takes one. The two forms have different tags, as strong ones must.
"""

import gzip
import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Final

from services.gateway.answers import Answer, Header
from services.gateway.reads import Reads

# Bodies smaller than this gain nothing from compression: they fit a packet or two as they are.
MIN_COMPRESSED: Final = 1_024
# A longer Accept-Encoding is no browser's; it is not looked at.
MAX_ACCEPTED: Final = 200
# The fastest level: JSON of a catalogue shrinks to a fifth by it, at a quarter of the default's time.
_LEVEL: Final = 1
# What an entry takes beside its body and for each product that it shows (measured with tracemalloc, rounded up).
ENTRY_BYTES: Final = 1_500
PRODUCT_BYTES: Final = 400

_JSON: Final[Header] = (b"content-type", b"application/json; charset=utf-8")
_HEADERS: Final[tuple[Header, ...]] = (
    # Kept by whoever likes, and asked about each time.
    (b"cache-control", b"no-cache"),
    (b"vary", b"Authorization, Cookie, Accept-Encoding"),
    (b"x-content-type-options", b"nosniff"),
)


class Form:
    """A body as it travels, and the answer that a client gets who has it already."""

    __slots__ = ("answer", "tag", "unchanged")

    def __init__(self, body: bytes, tag: str, *more: Header) -> None:
        self.tag = tag
        headers = (*_HEADERS, (b"etag", tag.encode()))
        length = (b"content-length", str(len(body)).encode())
        self.answer = Answer(200, (*headers, _JSON, *more, length), body, "query")
        # Without what describes a body (RFC 9110, section 15.4.5).
        self.unchanged = Answer(304, headers, b"", "query")


class StoredAnswer:
    """An answer's body and what it was made from."""

    __slots__ = ("_compressed", "_digest", "pages", "plain", "products", "searches", "viewed")

    def __init__(self, body: bytes, reads: Reads) -> None:
        self._digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        self._compressed: Form | None = None
        self.plain = Form(body, f'"{self._digest}"')
        self.products = tuple(reads.products)
        self.viewed = tuple(reads.viewed)
        self.pages = reads.pages
        self.searches = reads.searches

    @property
    def size(self) -> int:
        """What it takes, in bytes; more once it is compressed."""
        compressed = len(self._compressed.answer.body) if self._compressed else 0
        return len(self.plain.answer.body) + compressed + ENTRY_BYTES + PRODUCT_BYTES * len(self.products)

    def form(self, accept_encoding: str) -> tuple[Form, bool]:
        """Answers the form for a client that accepts these encodings, and whether it was made just now."""
        if len(self.plain.answer.body) < MIN_COMPRESSED or not 0 < len(accept_encoding) <= MAX_ACCEPTED:
            return self.plain, False
        if not accepts_gzip(accept_encoding):
            return self.plain, False
        if self._compressed is not None:
            return self._compressed, False
        body = gzip.compress(self.plain.answer.body, _LEVEL, mtime=0)
        self._compressed = Form(body, f'"{self._digest}-gzip"', (b"content-encoding", b"gzip"))
        return self._compressed, True


@lru_cache(maxsize=256)
def accepts_gzip(accept_encoding: str) -> bool:
    """Answers whether the header's value allows gzip (RFC 9110, section 12.5.3)."""
    weights: dict[str, bool] = {}
    for member in accept_encoding.lower().split(","):
        coding, *parameters = (part.strip() for part in member.split(";"))
        weights[coding] = not any(_is_zero(parameter) for parameter in parameters)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


def _is_zero(parameter: str) -> bool:
    name, _, weight = parameter.partition("=")
    return name.strip() == "q" and not weight.strip().strip("0.")


def names_tag(if_none_match: str, tag: str) -> bool:
    """Answers whether the header's value names the tag, or any (RFC 9110, section 13.1.2: compared as weak ones)."""
    return any(each.strip().removeprefix("W/") in (tag, "*") for each in if_none_match.split(","))


class StoredAnswers:
    """At most `max_bytes` of answers by their keys."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._answers: OrderedDict[bytes, tuple[StoredAnswer, int]] = OrderedDict()
        self._of_product: defaultdict[str, set[bytes]] = defaultdict(set)
        self._pages: set[bytes] = set()
        self._searches: set[bytes] = set()
        self.size = 0

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: bytes) -> StoredAnswer | None:
        """Answers the one of that key, which then is the last to go."""
        found = self._answers.get(key)
        if found is None:
            return None
        self._answers.move_to_end(key)
        return found[0]

    def put(self, key: bytes, answer: StoredAnswer) -> None:
        """Keeps the answer, in place of an older one, where it fits at all, and lets go of what is in its way."""
        self._drop(key)
        size = answer.size + len(key)
        if size > self._max_bytes:
            return
        self._answers[key] = (answer, size)
        self.size += size
        for product_id in answer.products:
            self._of_product[product_id].add(key)
        if answer.pages:
            self._pages.add(key)
        if answer.searches:
            self._searches.add(key)
        self._make_room()

    def measure(self, key: bytes) -> None:
        """Counts an answer again that has grown."""
        found = self._answers.get(key)
        if found is not None:
            size = found[0].size + len(key)
            self.size += size - found[1]
            self._answers[key] = (found[0], size)
            self._make_room()

    def drop_product(self, product_id: str) -> int:
        """Lets go of all that show the product; answers how many."""
        return self._drop_all(self._of_product.get(product_id, ()))

    def drop_pages(self) -> int:
        """Lets go of all pages; answers how many."""
        return self._drop_all(self._pages)

    def drop_searches(self) -> int:
        """Lets go of all searches; answers how many."""
        return self._drop_all(self._searches)

    def clear(self) -> int:
        """Lets go of everything; answers how many that was."""
        return self._drop_all(self._answers)

    def _drop_all(self, keys: Collection[bytes]) -> int:
        return sum(self._drop(key) for key in list(keys))

    def _drop(self, key: bytes) -> bool:
        answer, size = self._answers.pop(key, (None, 0))
        if answer is None:
            return False
        self.size -= size
        self._pages.discard(key)
        self._searches.discard(key)
        self._forget(key, answer.products)
        return True

    def _forget(self, key: bytes, products: Iterable[str]) -> None:
        for product_id in products:
            keys = self._of_product[product_id]
            keys.discard(key)
            if not keys:
                del self._of_product[product_id]

    def _make_room(self) -> None:
        while self.size > self._max_bytes:
            self._drop(next(iter(self._answers)))
