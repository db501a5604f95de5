"""Claims about how much is told in events."""

from collections.abc import Mapping
from typing import Any, cast

from ecommerce_operator.cluster import Cluster
from ecommerce_operator.errors import UnreachableError
from ecommerce_operator.events import BURST, Events

BODY = {"metadata": {"name": "shop", "namespace": "here", "uid": "u"}}


class Posted:
    """Takes events as the cluster does, or loses them."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []
        self.away = False

    async def post_event(self, namespace: str, event: Mapping[str, Any]) -> None:
        if self.away:
            raise UnreachableError(namespace)
        self.events.append(event)


async def test_the_same_is_told_once_in_a_while() -> None:
    """A repeated sentence is told again only after ten minutes; another one at once."""
    posted, now = Posted(), [0.0]
    events = Events(cast("Cluster", posted), lambda: now[0])
    for _ in range(3):
        await events.tell(BODY, "Ready", "It works.")
    await events.tell(BODY, "Ready", "It works again.", warning=True)
    assert [event["message"] for event in posted.events] == ["It works.", "It works again."]
    assert [event["type"] for event in posted.events] == ["Normal", "Warning"]
    now[0] = 601.0
    await events.tell(BODY, "Ready", "It works.")
    assert len(posted.events) == 3


async def test_a_flood_is_bounded() -> None:
    """However much happens, a platform tells only so much in a minute, and nothing longer than the API takes."""
    posted = Posted()
    events = Events(cast("Cluster", posted), lambda: 0.0)
    for number in range(100):
        await events.tell(BODY, "Failed", f"{number} " + "x" * 5000)
    assert len(posted.events) == BURST
    assert max(len(event["message"]) for event in posted.events) <= 1024


async def test_a_lost_event_stops_nothing() -> None:
    """An event that cannot be posted is lost."""
    posted = Posted()
    posted.away = True
    await Events(cast("Cluster", posted), lambda: 0.0).tell(BODY, "Ready", "It works.")
    assert posted.events == []
