"""Claims about stored answers: memory is bounded and counted, nothing is left behind, and each form has its own tag."""

import gzip
import random
import string

import pytest

from services.gateway.reads import Reads
from services.gateway.stored_answers import (
    ENTRY_BYTES,
    MIN_COMPRESSED,
    StoredAnswer,
    StoredAnswers,
    accepts_gzip,
    names_tag,
)


def _answer(size: int = 0, *products: str) -> StoredAnswer:
    return StoredAnswer(b"x" * size, Reads(set(products)))


def test_the_one_not_used_for_longest_goes_first() -> None:
    """Beyond the bound the answer that nobody asked for longest goes, and its size with it."""
    kept = StoredAnswers(2 * (ENTRY_BYTES + 101))
    for key in (b"a", b"b"):
        kept.put(key, _answer(100))
    assert kept.get(b"a")
    kept.put(b"c", _answer(100))
    assert [key for key in (b"a", b"b", b"c") if kept.get(key)] == [b"a", b"c"]
    assert kept.size == 2 * (ENTRY_BYTES + 101)


def test_an_answer_without_room_is_not_kept() -> None:
    """One that is larger than all the room there is does not push the others out."""
    kept = StoredAnswers(10_000)
    kept.put(b"a", _answer(100, "mug"))
    kept.put(b"b", _answer(20_000, "mug"))
    assert kept.get(b"a")
    assert len(kept) == 1


def test_what_is_dropped_leaves_nothing_behind() -> None:
    """After any sequence of changes the indexes hold what the answers show, and the size is the sum of the answers."""
    dice = random.Random(7)
    kept = StoredAnswers(20 * ENTRY_BYTES)
    names = string.ascii_lowercase[:8]
    for _ in range(2_000):
        key, product = dice.choice("abcdefghijklmnop").encode(), dice.choice(names)
        shown = Reads(set(dice.sample(names, 3)), pages=dice.random() < 0.3, searches=dice.random() < 0.3)
        match dice.choices(range(6), [20, 1, 1, 1, 5, 5])[0]:
            case 0:
                kept.put(key, StoredAnswer(b"x" * dice.randrange(3_000), shown))
            case 1:
                kept.drop_product(product)
            case 2:
                kept.drop_pages()
            case 3:
                kept.drop_searches()
            case 4:
                kept.get(key)
            case 5:
                kept.measure(key)
        answers = {key: answer for key, (answer, _) in kept._answers.items()}
        assert kept.size == sum(answer.size + len(key) for key, answer in answers.items()) <= 20 * ENTRY_BYTES
        assert kept._pages == {key for key, answer in answers.items() if answer.pages}
        assert kept._searches == {key for key, answer in answers.items() if answer.searches}
        assert dict(kept._of_product) == {
            product: {key for key, answer in answers.items() if product in answer.products}
            for product in {product for answer in answers.values() for product in answer.products}
        }
    kept.clear()
    assert (len(kept), kept.size, len(kept._of_product)) == (0, 0, 0)


def test_a_change_drops_and_counts() -> None:
    """Dropping answers how many there were."""
    kept = StoredAnswers(1_000_000)
    for number in range(3):
        kept.put(b"%d" % number, _answer(1, "mug", f"cup {number}"))
    assert (kept.drop_product("cup 1"), kept.drop_product("cup 1"), kept.drop_product("mug")) == (1, 0, 2)


def test_the_compressed_form_is_made_once_and_counted() -> None:
    """A large body is compressed when somebody takes it; that is its own form with its own tag, and takes room."""
    kept, answer = StoredAnswers(1_000_000), _answer(5_000)
    kept.put(b"a", answer)
    before = kept.size
    assert answer.form("br, identity") == (answer.plain, False)
    (form, made), again = answer.form("gzip, br"), answer.form("gzip")
    kept.measure(b"a")
    assert made
    assert again == (form, False)
    assert gzip.decompress(form.answer.body) == b"x" * 5_000
    assert kept.size == before + len(form.answer.body)
    assert (b"content-encoding", b"gzip") in form.answer.headers
    assert form.tag != answer.plain.tag
    assert (b"vary", b"Authorization, Cookie, Accept-Encoding") in form.unchanged.headers


def test_a_small_body_is_not_compressed() -> None:
    """Below the bound compression gains nothing."""
    small, large = _answer(MIN_COMPRESSED - 1), _answer(MIN_COMPRESSED)
    assert small.form("gzip")[0] is small.plain
    assert large.form("gzip")[0] is not large.plain
    assert large.form("gzip," + " " * 1_000)[0] is large.plain


def test_the_tag_stands_for_the_body() -> None:
    """The same body has the same tag on every replica, and another body another one."""
    assert _answer(5).plain.tag == _answer(5).plain.tag != _answer(6).plain.tag


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("*;q=0.1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("br", False),
        ("identity", False),
        ("gzipped", False),
        (",;=", False),
    ],
)
def test_gzip_is_sent_to_those_who_accept_it(header: str, *, accepted: bool) -> None:
    """Codings, weights and the star are read as RFC 9110 has them."""
    assert accepts_gzip(header) is accepted


@pytest.mark.parametrize(
    ("header", "named"),
    [('"a"', True), ('"b", "a"', True), ('W/"a"', True), ("*", True), ('"b"', False), ("a", False), ('"a', False)],
)
def test_tags_are_compared_as_weak_ones(header: str, *, named: bool) -> None:
    """If-None-Match may name several tags, weak ones, or any."""
    assert names_tag(header, '"a"') is named
