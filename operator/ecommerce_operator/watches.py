"""One watch for each kind that the operator owns, in the namespaces that it looks after.

The selector is the server's: only what carries a platform's label is sent. A watch lists once, follows from there by
resourceVersion, goes on after an interruption where it was, and lists again when the server has forgotten that place
(410) or is silent about it. It proves that it lives: bookmarks come every minute, a silent watch is replaced, and
`stalled` names the watches that did neither, for the liveness probe.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog

from ecommerce_operator.api import JSON, Api
from ecommerce_operator.errors import GoneError, NotFoundError, OperatorError, RefusedError
from ecommerce_operator.kinds import Kind
from ecommerce_operator.model import PLATFORM_LABEL
from ecommerce_operator.store import Seen, Store

PAGE: Final = "250"
# Seconds. The server sends a bookmark each minute; without one for longer it may not know our place, and a list tells.
INACTIVITY: Final = 90.0
# Each watch ends by itself after a while, so that not all of them end together.
DURATION: Final = (300, 600)
PAUSE: Final = (0.2, 15.0)  # first and longest, after a failure
ABSENT_PAUSE: Final = 60.0  # before a kind is looked for again that the server did not know
# Seconds without a sign of life after which the operator as a whole is taken to hang.
STALLED: Final = 300.0
_METADATA: Final = f"application/json;as=PartialObjectMetadata{{}};g=meta.k8s.io;v=v1,{JSON}"

log = structlog.get_logger(__name__)


class Watch:
    """Keeps the store's picture of one kind in one namespace (None: in all)."""

    def __init__(  # noqa: PLR0913 what is watched, and what for
        self,
        api: Api,
        store: Store,
        kind: Kind,
        namespace: str | None,
        clock: Callable[[], float],
        *,
        selector: str = PLATFORM_LABEL,
        inactivity: float = INACTIVITY,
    ) -> None:
        self._inactivity = inactivity
        self._selector = {"labelSelector": selector} if selector else {}
        self.kind = kind
        self.namespace = namespace
        self.synced = asyncio.Event()
        self.alive_at = clock()
        self._api = api
        self._store = store
        self._clock = clock
        self._version = ""

    async def run(self) -> None:
        """Lists and follows for ever."""
        failures = 0
        while True:
            try:
                await self.run_once()
                failures = 0
            except NotFoundError:
                self._absent()
                await self._pause(ABSENT_PAUSE)
            except GoneError:
                self._version = ""
            except OperatorError as error:
                failures += 1
                # Now and then from the start: a server that was restored from a backup may know less than we do.
                self._version = "" if isinstance(error, RefusedError) or failures % 5 == 0 else self._version
                level = log.info if failures < 3 else log.warning
                level("A watch is interrupted.", kind=self.kind.name, namespace=self.namespace, detail=str(error))
                await self._pause(min(PAUSE[0] * 2 ** min(failures, 10), PAUSE[1]))

    async def run_once(self) -> None:
        """Lists if it has no place to go on from, and follows until the server ends the watch."""
        if not self._version:
            await self._list()
            self.synced.set()
        query = {
            **self._selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(random.randint(*DURATION)),
        }
        async for event in self._api.stream(self.kind.path(self.namespace), query, self._accept(""), self._inactivity):
            self._take(event)
        self._beat()

    def _take(self, event: dict[str, Any]) -> None:
        self._beat()
        what, obj = event["type"], event["object"]
        if what == "ERROR":
            raise GoneError(str(obj.get("message", "The watch ended with an error.")))
        if what != "BOOKMARK":
            seen = Seen.of(self.kind, obj)
            self._store.remove(seen) if what == "DELETED" else self._store.put(seen)
        self._version = obj["metadata"]["resourceVersion"]

    async def _list(self) -> None:
        items: list[Seen] = []
        query, more = {**self._selector, "limit": PAGE}, ""
        while True:
            page = await self._api.request(
                "GET", self.kind.path(self.namespace), {**query, **({"continue": more} if more else {})},
                accept=self._accept("List"),
            )  # fmt: skip
            items += (Seen.of(self.kind, item) for item in page.get("items") or ())
            more = page["metadata"].get("continue", "")
            if not more:
                break
        self._beat()
        self._version = page["metadata"]["resourceVersion"]
        self._store.replace(self.kind, self.namespace, items, int(self._version))
        log.debug("A kind was listed.", kind=self.kind.name, namespace=self.namespace, count=len(items))

    def _absent(self) -> None:
        """The server does not know the kind: there is none of it, and that is known too."""
        self._version = ""
        self._store.replace(self.kind, self.namespace, (), 2**63)
        if self.kind.optional:
            self.synced.set()
        else:
            log.warning("The API server does not know a kind.", kind=self.kind.name)

    async def _pause(self, seconds: float) -> None:
        self._beat()
        await asyncio.sleep(seconds * random.uniform(0.8, 1.2))
        self._beat()

    def _accept(self, suffix: str) -> str:
        return JSON if self.kind.whole else _METADATA.format(suffix)

    def _beat(self) -> None:
        self.alive_at = self._clock()


class Watches:
    """All of them together."""

    def __init__(  # noqa: PLR0913 what is watched, and what for
        self,
        api: Api,
        store: Store,
        kinds: Iterable[Kind],
        namespaces: Iterable[str],
        clock: Callable[[], float],
        *,
        selector: str = PLATFORM_LABEL,
    ) -> None:
        places = tuple(namespaces) or (None,)
        self._clock = clock
        self._watches = [Watch(api, store, kind, place, clock, selector=selector) for kind in kinds for place in places]

    async def run(self) -> None:
        """Runs them for ever; raises what one of them raises, because without it the picture would be wrong."""
        async with asyncio.TaskGroup() as group:
            for watch in self._watches:
                group.create_task(watch.run())

    async def synced(self) -> None:
        """Waits until every watch has listed once: before that nothing can be told missing."""
        for watch in self._watches:
            await watch.synced.wait()

    def stalled(self) -> list[str]:
        """Answers the kinds whose watch shows no sign of life."""
        limit = self._clock() - STALLED
        return [watch.kind.name for watch in self._watches if watch.alive_at < limit]
