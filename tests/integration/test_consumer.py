"""The consumer on a real Kafka: at least once, nothing skipped, what is poisonous put aside."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from uuid import uuid4

from local.datastores import Datastores
from services.consumer import Consumer, Handler
from services.errors import UnavailableError
from services.events import Event
from services.publisher import Outgoing
from tests.integration.kafka import PATIENCE, count, new_event, new_topic, outgoing, read, send, version_of


class Recorder:
    """A handler that remembers, and raises what it is told to."""

    def __init__(self, changed: asyncio.Event | None = None) -> None:
        self.handled: list[int] = []
        self.calls = 0
        self.poison: set[int] = set()
        self.unavailable = False
        self.hang = asyncio.Event()
        self.hang.set()
        self.changed = changed or asyncio.Event()

    async def __call__(self, batch: Sequence[Event]) -> None:
        self.calls += 1
        self.changed.set()
        await self.hang.wait()
        if self.unavailable:
            raise UnavailableError("The index does not answer.")
        for event in batch:
            if version_of(event) in self.poison:
                raise ValueError("poison")
        self.handled += [version_of(event) for event in batch]
        self.changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits until something holds of what was handled."""
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def running(consumer: Consumer) -> AsyncIterator[None]:
    """Runs the consumer beside the block, and stops it gracefully."""
    stop = asyncio.Event()
    task = asyncio.create_task(consumer.run(stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await task


def new_consumer(datastores: Datastores, topic: str, handler: Handler, group: str | None = None) -> Consumer:
    return Consumer(datastores.kafka.bootstrap_servers, group or f"group-{uuid4().hex[:8]}", [topic], handler)


async def test_handles_from_the_earliest_event_in_order_by_key(datastores: Datastores) -> None:
    """A new group begins with the earliest event and sees those of one key in their order."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    await send(servers, [outgoing(new_event(topic, "one", version)) for version in range(300)])
    recorder = Recorder()
    async with running(new_consumer(datastores, topic, recorder)):
        await recorder.until(lambda: len(recorder.handled) >= 300)
    assert recorder.handled == list(range(300))


async def test_a_member_that_comes_back_goes_on_where_it_committed(datastores: Datastores) -> None:
    """What was handled before a stop is not handled again after it."""
    servers = datastores.kafka.bootstrap_servers
    topic, group = await new_topic(servers), f"group-{uuid4().hex[:8]}"
    await send(servers, [outgoing(new_event(topic, "one", version)) for version in range(5)])
    first, second = Recorder(), Recorder()
    async with running(new_consumer(datastores, topic, first, group)):
        await first.until(lambda: len(first.handled) == 5)
    await send(servers, [outgoing(new_event(topic, "one", 5))])
    async with running(new_consumer(datastores, topic, second, group)):
        await second.until(lambda: bool(second.handled))
    assert second.handled == [5]


async def test_what_was_not_committed_is_handled_again(datastores: Datastores) -> None:
    """A consumer that ends before its handler is done leaves the events to the next."""
    servers = datastores.kafka.bootstrap_servers
    topic, group = await new_topic(servers), f"group-{uuid4().hex[:8]}"
    await send(servers, [outgoing(new_event(topic, "one", version)) for version in range(5)])
    first, second = Recorder(), Recorder()
    first.hang.clear()
    async with running(new_consumer(datastores, topic, first, group)):
        await first.until(lambda: first.calls > 0)
    assert first.handled == []
    async with running(new_consumer(datastores, topic, second, group)):
        await second.until(lambda: len(second.handled) == 5)
    assert second.handled == list(range(5))


async def test_a_poisonous_record_becomes_a_dead_letter_and_the_rest_goes_on(datastores: Datastores) -> None:
    """A record that is no event is on the dead-letter topic as it was, with the circumstances; others are handled."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    good = outgoing(new_event(topic, "one", 1))
    poison = Outgoing(topic, b"one", b"\xff\xff\xff", good.headers)
    stranger = Outgoing(topic, None, b"hello", [("greeting", b"yes")])
    await send(servers, [good, poison, stranger, outgoing(new_event(topic, "one", 2))])
    recorder = Recorder()
    async with running(new_consumer(datastores, topic, recorder, "reader-of-poison")):
        letters = await read(servers, f"{topic}.dlq", 2)
        await recorder.until(lambda: recorder.handled == [1, 2])
    assert {(letter.key, letter.value) for letter in letters} == {(b"one", b"\xff\xff\xff"), (None, b"hello")}
    told = dict(next(letter for letter in letters if letter.key).headers)
    assert dict(good.headers).items() <= told.items()
    assert told["dlq-topic"] == topic.encode()
    assert told["dlq-group"] == b"reader-of-poison"
    assert told["dlq-partition"].isdigit()
    assert told["dlq-offset"] == b"1"
    assert b"ecommerce.events.v1.ProductUpdated" in told["dlq-reason"]


async def test_only_the_event_that_the_handler_cannot_take_becomes_a_dead_letter(datastores: Datastores) -> None:
    """One event at fault in a batch costs no other its effect, nor the order of the others."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    await send(servers, [outgoing(new_event(topic, "one", version)) for version in range(50)])
    recorder = Recorder()
    recorder.poison = {13}
    async with running(new_consumer(datastores, topic, recorder)):
        letters = await read(servers, f"{topic}.dlq", 1)
        await recorder.until(lambda: len(recorder.handled) == 49)
    assert recorder.handled == [version for version in range(50) if version != 13]
    assert len(letters) == 1
    assert dict(letters[0].headers)["dlq-reason"] == b"ValueError: poison"


async def test_waits_for_what_is_unavailable_and_skips_nothing(datastores: Datastores) -> None:
    """While the handler's datastore is away the same events are tried again; afterwards each has its effect."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    await send(servers, [outgoing(new_event(topic, "one", version)) for version in range(3)])
    recorder = Recorder()
    recorder.unavailable = True
    async with running(new_consumer(datastores, topic, recorder)):
        await recorder.until(lambda: recorder.calls > 3)
        await send(servers, [outgoing(new_event(topic, "one", 3))])
        recorder.unavailable = False
        await recorder.until(lambda: len(recorder.handled) >= 4)
    assert recorder.handled == [0, 1, 2, 3]
    assert await count(servers, f"{topic}.dlq") == 0


async def test_a_handler_that_hangs_is_cut_off_and_tried_again(datastores: Datastores) -> None:
    """A call over its time limit counts as unavailable: the same events come again."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    await send(servers, [outgoing(new_event(topic, "one", 0))])
    recorder = Recorder()
    recorder.hang.clear()
    consumer = Consumer(servers, f"group-{uuid4().hex[:8]}", [topic], recorder, handler_timeout=0.2)
    async with running(consumer):
        await recorder.until(lambda: recorder.calls >= 2)
        recorder.hang.set()
        await recorder.until(lambda: bool(recorder.handled))
    assert recorder.handled == [0]


async def test_a_share_that_changes_hands_while_it_waits_is_not_skipped(datastores: Datastores) -> None:
    """Events that wait for what is unavailable when the group is shared out anew are handled by their next owner."""
    servers = datastores.kafka.bootstrap_servers
    topic, group = await new_topic(servers, partitions=4), f"group-{uuid4().hex[:8]}"
    await send(servers, [outgoing(new_event(topic, f"key-{number}", number)) for number in range(40)])
    first = Recorder()
    second = Recorder(first.changed)
    first.unavailable = True
    async with running(new_consumer(datastores, topic, first, group)):
        await first.until(lambda: first.calls > 1)
        async with running(new_consumer(datastores, topic, second, group)):
            await first.until(lambda: bool(second.handled))
            assert first.handled == []
            first.unavailable = False
            await first.until(lambda: {*first.handled, *second.handled} == set(range(40)))


async def test_stops_in_time_while_it_waits(datastores: Datastores) -> None:
    """A consumer whose handler finds nothing available ends within ten seconds and leaves its events uncommitted."""
    servers = datastores.kafka.bootstrap_servers
    topic, group = await new_topic(servers), f"group-{uuid4().hex[:8]}"
    await send(servers, [outgoing(new_event(topic, "one", 0))])
    waiting, next_one = Recorder(), Recorder()
    waiting.unavailable = True
    stop = asyncio.Event()
    task = asyncio.create_task(new_consumer(datastores, topic, waiting, group).run(stop))
    await waiting.until(lambda: waiting.calls > 1)
    stop.set()
    async with asyncio.timeout(10):
        await task
    async with running(new_consumer(datastores, topic, next_one, group)):
        await next_one.until(lambda: next_one.handled == [0])


async def test_goes_on_when_kafka_comes_back(datastores: Datastores) -> None:
    """A Kafka that is killed and started again costs no event and no restart of the consumer."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    await send(servers, [outgoing(new_event(topic, "one", version)) for version in range(3)])
    recorder = Recorder()
    async with running(new_consumer(datastores, topic, recorder)):
        await recorder.until(lambda: len(recorder.handled) == 3)
        await datastores.kafka.kill()
        await datastores.kafka.start()
        await send(servers, [outgoing(new_event(topic, "one", version)) for version in range(3, 6)])
        await recorder.until(lambda: {3, 4, 5} <= set(recorder.handled))


async def test_members_share_the_work(datastores: Datastores) -> None:
    """Two members of a group handle every event between them, also those of partitions that change hands."""
    servers = datastores.kafka.bootstrap_servers
    topic, group = await new_topic(servers, partitions=6), f"group-{uuid4().hex[:8]}"
    first = Recorder()
    second = Recorder(first.changed)
    async with running(new_consumer(datastores, topic, first, group)):
        await send(servers, [outgoing(new_event(topic, f"k{n}", n)) for n in range(50)])
        await first.until(lambda: len(first.handled) == 50)
        async with running(new_consumer(datastores, topic, second, group)):
            sent = 50
            while not second.handled:
                await send(servers, [outgoing(new_event(topic, f"k{n % 50}", n)) for n in range(sent, sent + 50)])
                sent += 50
            everything = set(range(sent))
            await first.until(lambda: {*first.handled, *second.handled} >= everything)
    assert second.handled
