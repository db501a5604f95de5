"""A second, smaller watch on the platforms, which proves that kopf's still delivers.

It sees only their metadata. When it knows a version of a platform for a while that kopf has not handed over, kopf's
watch is dead although its connection looks alive.
"""

from collections.abc import Callable, Iterable
from typing import Final

from ecommerce_operator.api import Api
from ecommerce_operator.kinds import PLATFORM, Key
from ecommerce_operator.store import Store
from ecommerce_operator.watches import Watches

LAG: Final = 120.0  # seconds that a version may take from the one watch to the other


class Canary:
    """Compares what it sees with `version_of`, which answers what kopf has handed over."""

    def __init__(
        self,
        api: Api,
        namespaces: Iterable[str],
        version_of: Callable[[str, str], int],
        clock: Callable[[], float],
    ) -> None:
        self._store = Store(lambda *_: None)
        self._watches = Watches(api, self._store, (PLATFORM,), namespaces, clock, selector="")
        self._version_of = version_of
        self._clock = clock
        self._late: dict[Key, float] = {}

    async def run(self) -> None:
        """Watches for ever."""
        await self._watches.run()

    def late(self) -> list[str]:
        """Answers the platforms of which kopf has not handed over what was seen here some time ago."""
        now = self._clock()
        waiting: dict[Key, float] = {}
        for seen in self._store.everything():
            if self._version_of(seen.key.namespace, seen.key.name) < seen.version:
                waiting[seen.key] = self._late.get(seen.key, now)
        self._late = waiting
        behind = [key for key, since in waiting.items() if now - since > LAG]
        found = [f"kopf is behind on {key.namespace}/{key.name}" for key in behind]
        return found + [f"the watch on {name} is silent" for name in self._watches.stalled()]
