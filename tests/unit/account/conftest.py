"""The verbs of accounts on fakes, with a real key ring over keys in memory."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from services.account.keyring import KeyRing
from services.account.rotation import RotationRules
from services.account.service import Accounts
from services.tokens import TokenPolicy
from tests.fakes.account import FakeAccounts, FakeClock, FakeKeys, FakePasswords

POLICY = TokenPolicy(lifetime=3600)
RULES = RotationRules(period=timedelta(days=30), token_lifetime=timedelta(seconds=POLICY.lifetime))


@dataclass
class World:
    """Everything that a test may look at or break."""

    clock: FakeClock
    store: FakeAccounts
    passwords: FakePasswords
    keys: FakeKeys
    ring: KeyRing
    accounts: Accounts


def key_ring(keys: FakeKeys, clock: FakeClock) -> KeyRing:
    """Another replica's ring over the same keys."""
    numbers = count(1)
    return KeyRing(keys, RULES, POLICY, clock, lambda: f"token-{next(numbers)}")


@pytest.fixture
def world() -> World:
    # The library that checks tokens knows the real time only, so the fake one starts there.
    clock = FakeClock(datetime.now(UTC))
    store, passwords, keys = FakeAccounts(), FakePasswords(), FakeKeys()
    ring = key_ring(keys, clock)
    return World(clock, store, passwords, keys, ring, Accounts(store, passwords, ring, clock))
