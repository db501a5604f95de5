"""How signing keys follow one another."""

import dataclasses
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.account import rotation
from services.account.rotation import PROPAGATION, RotationRules, SigningKey
from services.tokens import KEYS_LIFETIME
from tests.factories.account import NOW

DAY = timedelta(days=1)
RULES = RotationRules(period=30 * DAY, token_lifetime=DAY)


def test_the_first_key_signs_at_once() -> None:
    """There is no verifier yet that could not know it."""
    (key,) = rotation.planned([], NOW, RULES)
    assert key.signs_from == NOW
    assert rotation.current([key], NOW) == key


def test_a_key_is_left_alone_until_its_period_is_over() -> None:
    """Nothing is due a moment before."""
    keys = rotation.planned([], NOW, RULES)
    assert not rotation.is_due(keys, NOW + RULES.period - timedelta(microseconds=1), RULES)
    assert rotation.is_due(keys, NOW + RULES.period, RULES)


def test_a_new_key_is_published_before_it_signs() -> None:
    """It waits for longer than any verifier keeps what it has read."""
    due = NOW + RULES.period
    old, new = rotation.planned(rotation.planned([], NOW, RULES), due, RULES)
    assert new.signs_from - due > timedelta(seconds=KEYS_LIFETIME)
    assert rotation.published([old, new], due) == [old, new]
    assert rotation.current([old, new], new.signs_from - timedelta(microseconds=1)) == old
    assert rotation.current([old, new], new.signs_from) == new


def test_one_successor_is_enough() -> None:
    """While a key waits to sign, no other is made, also when it is asked for."""
    keys = rotation.planned(rotation.planned([], NOW, RULES), NOW, RULES, at_once=True)
    assert rotation.planned(keys, NOW + PROPAGATION / 2, RULES, at_once=True) == keys


def test_an_old_key_goes_when_its_last_token_has_expired() -> None:
    """It is published for as long as a token may live that it signed at its last moment."""
    old, new = rotation.planned(rotation.planned([], NOW, RULES), NOW, RULES, at_once=True)
    last_token_expires = new.signs_from + RULES.token_lifetime
    assert rotation.planned([old, new], last_token_expires, RULES) == [old, new]
    assert rotation.planned([old, new], last_token_expires + timedelta(minutes=1), RULES) == [new]
    assert rotation.published([old, new], last_token_expires + timedelta(minutes=1)) == [new]


def test_a_shorter_token_lifetime_withdraws_no_key_early() -> None:
    """Tokens signed under the longer one are still out there."""
    shorter = dataclasses.replace(RULES, token_lifetime=timedelta(hours=1))
    old, new = rotation.planned(rotation.planned([], NOW, RULES), NOW, shorter, at_once=True)
    assert rotation.planned([old, new], new.signs_from + DAY, shorter) == [old, new]


def test_a_longer_token_lifetime_keeps_the_signing_key_longer() -> None:
    """The key that signs takes over the longer lifetime; one that signs no more keeps its own."""
    longer = dataclasses.replace(RULES, token_lifetime=7 * DAY)
    old, new = rotation.planned(rotation.planned([], NOW, RULES), NOW, RULES, at_once=True)
    adjusted = rotation.planned([old, new], new.signs_from, longer)
    assert [key.token_lifetime for key in adjusted] == [DAY, 7 * DAY]


def test_a_key_of_a_faster_clock_signs() -> None:
    """A replica whose clock is behind that of the one which made the first key signs with it all the same."""
    keys = rotation.planned([], NOW, RULES)
    assert rotation.current(keys, NOW - timedelta(seconds=5)) == keys[0]
    assert not rotation.is_due(keys, NOW - timedelta(seconds=5), RULES)


def test_key_ids_are_random() -> None:
    """No two keys share an id."""
    assert len({rotation.planned([], NOW, RULES)[0].id for _ in range(20)}) == 20


def test_a_key_does_not_show_its_secret() -> None:
    """Neither its text form nor its public half has the private key in it."""
    (key,) = rotation.planned([], NOW, RULES)
    assert "PRIVATE" not in repr(key)
    assert set(key.public_jwk) == {"kty", "crv", "x", "y", "kid"}
    assert (key.public_jwk["kty"], key.public_jwk["crv"], key.public_jwk["kid"]) == ("EC", "P-256", key.id)


@settings(deadline=None)
@given(st.lists(st.tuples(st.timedeltas(timedelta(0), 3 * DAY), st.booleans()), max_size=60))
def test_no_token_outlives_its_key(steps: list[tuple[timedelta, bool]]) -> None:
    """Through any history of rotations there is a key to sign with, and every live token's key is published."""
    rules = RotationRules(period=5 * DAY, token_lifetime=2 * DAY)
    now, keys = NOW, list[SigningKey]()
    signed: list[tuple[datetime, SigningKey]] = []
    for passed, at_once in steps:
        now += passed
        keys = rotation.planned(keys, now, rules, at_once=at_once)
        signer = rotation.current(keys, now)
        assert signer is not None
        signed.append((now + rules.token_lifetime, signer))
        published = {key.id for key in rotation.published(keys, now)}
        assert {key.id for expires, key in signed if expires > now} <= published
        assert len([key for key in keys if key.signs_from > now]) <= 1


@pytest.mark.parametrize("wait", [timedelta(0), PROPAGATION, DAY])
def test_planning_twice_changes_nothing(wait: timedelta) -> None:
    """What was planned is not due again at the same moment."""
    now = NOW + RULES.period + wait
    keys = rotation.planned(rotation.planned([], NOW, RULES), now, RULES)
    assert not rotation.is_due(keys, now, RULES)
