"""The shop's mix: what is drawn, how often, and how a right answer is told."""

import json
import random
from collections import Counter

from tests.bench.catalogue import Catalogue
from tests.bench.mix import SHARES, Popularity, Visitors, contains

_VISITORS = Visitors("127.0.0.1", 80, Catalogue(500, 100, [1, 2, 3]), ["first", "second", "third"])


def _kind(sent: bytes) -> str:
    variables = json.loads(sent.partition(b"\r\n\r\n")[2])["variables"]
    signed_in = b"Authorization: Bearer" in sent
    names = {("id",): "product by id", ("p",): "page", ("p", "q"): "search", ("o",): "createOrder", ("a",): "login"}
    kind = names[tuple(sorted(variables))]
    if kind == "page" and signed_in:
        return "update" if "price" in variables["p"] else "own orders"
    return kind


def test_shares() -> None:
    """Each kind of request comes about as often as is stated, and writes bear a token."""
    draw = _VISITORS.draw()
    counts = Counter(_kind(draw().sent) for _ in range(20_000))
    assert sum(SHARES.values()) == 1_000
    for kind, share in SHARES.items():
        assert abs(counts[kind] - 20 * share) < 5 * (20 * share) ** 0.5


def test_same_at_every_run() -> None:
    """The same seed draws the same requests."""
    one, two = _VISITORS.draw(3), _VISITORS.draw(3)
    assert [one().sent for _ in range(200)] == [two().sent for _ in range(200)]


def test_popularity() -> None:
    """The first of a hundred is drawn about twice as often as the second, and each can be drawn."""
    dice, popular = random.Random(1), Popularity(100)
    counts = Counter(popular.draw(dice) for _ in range(50_000))
    assert set(counts) == set(range(100))
    assert 1.8 < counts[0] / counts[1] < 2.2


def test_right() -> None:
    """A body is right when it has what is wanted so often and no error."""
    right = contains('"id":', 2)
    assert right(b'{"data":{"product":[{"id":"a"},{"id":"b"}]}}')
    assert not right(b'{"data":{"product":[{"id":"a"}]}}')
    assert not right(b'{"data":{"product":[{"id":"a"},{"id":"b"}]},"errors":[]}')
    assert not right(b"")
