"""What of the outbox needs no server: which rows are done with."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from services.errors import UnavailableError
from services.outbox import _settled
from services.publisher import Outcome, RefusedError


@dataclass
class Row:
    id: int
    topic: str
    key: str


def rows(keys: str) -> list[Row]:
    return [Row(number, "t", key) for number, key in enumerate(keys)]


def test_after_a_failure_the_rest_of_its_key_is_sent_again() -> None:
    """Events of a key that came after one to be sent again are kept, so that the last to arrive is the last staged."""
    outcomes: list[Outcome] = [None, UnavailableError(""), None, None, RefusedError("")]
    assert _settled(rows("abbab"), outcomes) == ([0, 3], {})


def test_a_refusal_holds_nobody_up() -> None:
    """A refused event is put aside with its reason; those after it of the same key are done with."""
    assert _settled(rows("aa"), [RefusedError("too large"), None]) == ([1], {0: "too large"})


_outcomes = st.sampled_from([None, UnavailableError(""), RefusedError("no")])


@given(st.lists(st.tuples(st.sampled_from("abc"), _outcomes)))
def test_what_is_kept_of_a_key_is_its_end(sent: list[tuple[str, Outcome]]) -> None:
    """Of each key a beginning is done with and the rest kept; nothing is done with that was not taken or refused."""
    table = rows("".join(key for key, _ in sent))
    acknowledged, refused = _settled(table, [outcome for _, outcome in sent])
    done = {*acknowledged, *refused}
    for row, (_, outcome) in zip(table, sent, strict=True):
        if row.id in done:
            assert not isinstance(outcome, UnavailableError)
            assert all(before.id in done for before in table[: row.id] if before.key == row.key)
        else:
            assert any(isinstance(sent[before.id][1], UnavailableError) for before in table[: row.id + 1])
