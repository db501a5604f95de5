"""The key ring: signs tokens with the current key, answers the public ones, and sees to it that keys follow.

Keys live in the database, for all replicas. Each replica keeps what it read and reads again every half minute, so that
signing in costs no query for it. Every change is decided and made inside one exclusive transaction: of several replicas
that find a rotation due, one makes it and the others find it made. What was read too long ago is not used any more, as
a key that has since been withdrawn could be among it.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import structlog

from services.account import rotation
from services.account.rotation import RotationRules, SigningKey
from services.errors import UnavailableError
from services.loops import first_of
from services.tokens import PublicJwk, Role, Signer, TokenPolicy

log = structlog.get_logger(__name__)

# How often a replica reads the keys: a fraction of the time that a new key waits, and next to no load.
READ_EVERY: Final = timedelta(seconds=30)
# For how long they are good when the database does not answer: half of the time that a new key waits.
GOOD_FOR: Final = rotation.PROPAGATION / 2


class UnreadableKeyError(Exception):
    """A stored private key does not open with the encryption key that was given."""


class KeyStore(Protocol):
    """Where keys are kept. Both raise UnavailableError, and UnreadableKeyError when a key does not open."""

    async def read(self) -> list[SigningKey]:
        """Answers all keys, in no particular order."""

    async def change(self, decide: Callable[[list[SigningKey]], list[SigningKey]]) -> list[SigningKey]:
        """Makes the keys what `decide` answers for those that are there, while nobody else can; answers them."""


class KeyRing:
    """The ports `Tokens` and `ServiceTokens`, and the source of public keys. A loop with run and run_once."""

    def __init__(
        self,
        store: KeyStore,
        rules: RotationRules,
        policy: TokenPolicy,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
    ) -> None:
        self._store = store
        self._rules = rules
        self._policy = policy
        self._clock = clock
        self._ids = ids
        self._keys: list[SigningKey] = []
        self._read_at: datetime | None = None
        self._reading = asyncio.Lock()

    async def issue(self, account_id: int, role: Role) -> tuple[str, datetime]:
        """Answers a token of the current key and when it expires; raises UnavailableError when there is no key."""
        token, expires = (await self._signer()).sign(account_id, role, self._ids())
        return token, datetime.fromtimestamp(expires, UTC)

    async def issue_for_service(self, service: str) -> tuple[str, datetime]:
        """Answers a service's token, as `issue` does an account's."""
        token, expires = (await self._signer()).sign_service(service, self._ids())
        return token, datetime.fromtimestamp(expires, UTC)

    async def public_keys(self) -> list[PublicJwk]:
        """Answers every public key whose tokens are accepted, or soon will be; raises UnavailableError."""
        return [key.public_jwk for key in rotation.published(await self._fresh(), self._clock())]

    async def rotate(self) -> SigningKey:
        """Has the current key followed by a new one now; answers the one that will sign, if it waits already too."""
        keys = await self._change(at_once=True)
        return rotation.published(keys, self._clock())[-1]

    async def run_once(self) -> None:
        """Reads the keys and makes the change that is due, if any."""
        keys = await self._store.read()
        if rotation.is_due(keys, self._clock(), self._rules):
            keys = await self._change()
        self._keep(keys)

    async def run(self, stop: asyncio.Event) -> None:
        """Does so every half minute until it is told to stop."""
        while not stop.is_set():
            try:
                await self.run_once()
            except UnavailableError:
                log.warning("signing keys not read", read_at=self._read_at)
            await first_of(READ_EVERY.total_seconds(), stop)

    async def _signer(self) -> Signer:
        now = self._clock()
        key = rotation.current(await self._fresh(), now)
        if key is None:
            raise UnavailableError("Nobody can be signed in now.")
        return Signer(key.id, key.private_pem, self._policy, now.timestamp)

    async def _fresh(self) -> list[SigningKey]:
        """Answers the keys in memory; reads them first when that was too long ago, once for all who wait."""
        if self._is_stale:
            async with self._reading:
                if self._is_stale:
                    await self.run_once()
        return self._keys

    @property
    def _is_stale(self) -> bool:
        return self._read_at is None or self._clock() - self._read_at > GOOD_FOR

    def _keep(self, keys: Sequence[SigningKey]) -> None:
        self._keys, self._read_at = list(keys), self._clock()

    async def _change(self, *, at_once: bool = False) -> list[SigningKey]:
        def decide(keys: list[SigningKey]) -> list[SigningKey]:
            return rotation.planned(keys, self._clock(), self._rules, at_once=at_once)

        keys = await self._store.change(decide)
        log.info("signing keys changed", key_ids=[key.id for key in keys])
        return keys
