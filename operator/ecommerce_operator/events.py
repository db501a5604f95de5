"""What happened, told in the resource's events (`kubectl describe`), where the status shows only what is.

The same sentence is told once in ten minutes, and at most so many a minute for a platform: events are written to etcd,
and a component that fails again and again must not fill it. An event that cannot be posted is lost.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from ecommerce_operator.cluster import Cluster
from ecommerce_operator.errors import OperatorError
from ecommerce_operator.model import GROUP, KIND, VERSION

REPEATED: Final = 600.0  # seconds before the same sentence is told again
BURST: Final = 20  # events a minute for one platform
_REMEMBERED: Final = 1000
_LONGEST: Final = 1000  # characters; the API takes 1024

log = structlog.get_logger(__name__)


class Events:
    """Posts events on platforms."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._clock = clock
        self._told: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._lately: OrderedDict[str, deque[float]] = OrderedDict()

    async def tell(self, body: Mapping[str, Any], reason: str, message: str, *, warning: bool = False) -> None:
        """Posts an event unless it was told lately."""
        meta = body["metadata"]
        if not self._may(meta["uid"], reason, message):
            return
        log.info(message, reason=reason, namespace=meta["namespace"], platform=meta["name"])
        try:
            await self._cluster.post_event(meta["namespace"], _event(meta, reason, message, warning=warning))
        except OperatorError as error:
            log.info("An event is lost.", reason=reason, detail=str(error))

    def _may(self, uid: str, reason: str, message: str) -> bool:
        now, what = self._clock(), (uid, reason, message)
        lately = self._lately.setdefault(uid, deque(maxlen=BURST))
        if now - self._told.get(what, -REPEATED) < REPEATED or (len(lately) == BURST and now - lately[0] < 60):
            return False
        lately.append(now)
        self._told[what] = now
        self._told.move_to_end(what)
        for memory in (self._told, self._lately):
            while len(memory) > _REMEMBERED:
                memory.popitem(last=False)
        return True


def _event(meta: Mapping[str, Any], reason: str, message: str, *, warning: bool) -> dict[str, Any]:
    now = datetime.now(UTC)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": meta["namespace"], "name": f"{meta['name']}.{int(now.timestamp() * 1e6):x}"},
        "involvedObject": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
        },
        "reason": reason,
        "message": message[:_LONGEST],
        "type": "Warning" if warning else "Normal",
        "source": {"component": "ecommerce-operator"},
        "reportingComponent": "ecommerce-operator",
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
