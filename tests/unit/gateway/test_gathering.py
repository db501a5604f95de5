"""Gathering: what many ask for at once is one call, and nobody's trouble is another's."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from services.errors import RateLimitedError, UnavailableError
from services.gateway import gathering
from services.gateway.gathering import CALLS, Gatherer


class Source:
    """Knows every key but those that begin with "no"; answers when it is let, and raises what it is told to."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.open = asyncio.Event()
        self.error: Exception | None = None

    async def fetch(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.calls.append(list(keys))
        await self.open.wait()
        if self.error:
            raise self.error
        return {key: key.upper() for key in keys if not key.startswith("no")}


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def _busy(gatherer: Gatherer[str]) -> list[asyncio.Task[str | None]]:
    """Keeps as many calls under way as there can be."""
    tasks = []
    for number in range(CALLS):
        tasks.append(asyncio.create_task(gatherer.get(f"busy{number}")))
        await _turns()
    return tasks


async def test_who_asks_alone_waits_for_nobody() -> None:
    """A key is asked for at once, by itself; one that does not exist is None."""
    source = Source()
    source.open.set()
    gatherer = Gatherer(source.fetch, 10)
    assert await gatherer.get("a") == "A"
    assert await gatherer.get("none") is None
    assert source.calls == [["a"], ["none"]]


async def test_what_gathers_meanwhile_is_one_call() -> None:
    """While calls are under way further keys wait for the next one, each once, and no call is larger than allowed."""
    source = Source()
    gatherer = Gatherer(source.fetch, 3)
    busy = await _busy(gatherer)
    asked = [asyncio.create_task(gatherer.get(key)) for key in ("a", "b", "a", "none", "c")]
    await _turns()
    assert len(source.calls) == CALLS
    source.open.set()
    assert await asyncio.gather(*asked) == ["A", "B", "A", None, "C"]
    await asyncio.gather(*busy)
    assert source.calls[CALLS:] == [["a", "b", "none"], ["c"]]


async def test_a_key_never_joins_a_call_that_was_sent() -> None:
    """Who asks after a change gets what was looked up after it, though the same key is under way already."""
    source = Source()
    gatherer = Gatherer(source.fetch, 10)
    first = asyncio.create_task(gatherer.get("a"))
    await _turns()
    second = asyncio.create_task(gatherer.get("a"))
    await _turns()
    source.open.set()
    assert await first == await second == "A"
    assert source.calls == [["a"], ["a"]]


async def test_an_error_is_told_to_those_it_concerns() -> None:
    """A call that fails fails for its keys; the next one is made all the same."""
    source = Source()
    gatherer = Gatherer(source.fetch, 10)
    source.error = UnavailableError("away")
    asked = [asyncio.create_task(gatherer.get(key)) for key in ("a", "b")]
    await _turns()
    source.open.set()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [UnavailableError, UnavailableError]
    source.error = None
    assert await gatherer.get("a") == "A"


async def test_a_cancelled_asker_harms_nobody() -> None:
    """Of two who wait for one key, one may leave."""
    source = Source()
    gatherer = Gatherer(source.fetch, 10)
    busy = await _busy(gatherer)
    leaving, staying = (asyncio.create_task(gatherer.get("a")) for _ in range(2))
    await _turns()
    leaving.cancel()
    source.open.set()
    assert await staying == "A"
    assert leaving.cancelled()
    await asyncio.gather(*busy)


async def test_waiting_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where too many keys wait already, one more is refused at once."""
    monkeypatch.setattr(gathering, "MAX_WAITING", 2)
    source = Source()
    gatherer = Gatherer(source.fetch, 10)
    busy = await _busy(gatherer)
    asked = [asyncio.create_task(gatherer.get(key)) for key in ("a", "b")]
    await _turns()
    with pytest.raises(RateLimitedError):
        await gatherer.get("c")
    source.open.set()
    assert await asyncio.gather(*asked) == ["A", "B"]
    await asyncio.gather(*busy)
