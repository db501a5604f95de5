"""Dead letters, looked at and sent again by a person: `python -m services.deadletters list|replay <topic>`.

A letter is a record on `<topic>.dlq` (see consumer.py); its id is its place there, "partition-offset". Replaying sends
the record as it once was to its topic, where every group reads it again, and then puts a marker on the dead-letter
topic that names the letter. Marked letters are neither listed nor replayed. A replay that dies between the two has sent
a letter without marking it, so the next one sends it again: twice at worst, never not at all.
"""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from pydantic import Field
from pydantic_settings import BaseSettings

from services import runtime
from services.consumer import DEAD_LETTER_HEADER
from services.errors import EcommerceError, InvalidError, NotFoundError, UnavailableError
from services.events import DEAD_LETTER_SUFFIX, REQUEST_SECONDS, Header
from services.loops import within
from services.publisher import Outgoing, Publisher

MARKER: Final = DEAD_LETTER_HEADER + "replayed"
# Letters that are sent before they are marked: so many may be sent twice.
BATCH: Final = 100
# Seconds without a record before the end of the topic, after which Kafka counts as gone.
READ_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter and, from its headers, what became of it."""

    id: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]

    def header(self, name: str) -> str:
        """Answers the text of a header, empty where there is none."""
        return next(((value or b"").decode(errors="replace") for header, value in self.headers if header == name), "")

    def original(self, topic: str) -> Outgoing:
        """Answers the record as it was before it died."""
        headers = [header for header in self.headers if not header[0].startswith(DEAD_LETTER_HEADER)]
        return Outgoing(topic, self.key, self.value, headers)

    def __str__(self) -> str:
        told = {name: self.header(DEAD_LETTER_HEADER + name) for name in ("time", "group", "partition", "offset")}
        event = f"{self.header('ce_type') or 'no event'} {self.header('ce_id')}".strip()
        place = f"partition {told['partition']} offset {told['offset']}"
        reason = self.header(DEAD_LETTER_HEADER + "reason")
        return "  ".join([self.id, told["time"], told["group"], place, event, _on_one_line(reason)])


async def waiting(bootstrap_servers: str, topic: str, limit: int) -> list[Letter]:
    """Answers the oldest letters of `topic` that were not replayed, at most `limit`."""
    ids = await _waiting_ids(bootstrap_servers, topic)
    found: list[Letter] = []
    async with contextlib.aclosing(_records(bootstrap_servers, topic)) as letters:
        async for letter in letters:
            if letter.id in ids:
                found.append(letter)
            if len(found) == limit:
                break
    return found


async def replay(bootstrap_servers: str, topic: str, ids: Collection[str] = ()) -> int:
    """Replays the letters with these ids, or all that wait, in the order of their deaths; answers how many.

    Letters that arrive meanwhile, perhaps because the same ones died again, wait for the next time. Raises
    NotFoundError before anything is sent when a letter of `ids` does not wait, and UnavailableError when Kafka does not
    answer.
    """
    chosen = await _waiting_ids(bootstrap_servers, topic)
    if ids:
        unknown = set(ids) - chosen
        if unknown:
            raise NotFoundError(f"No such letters wait: {', '.join(sorted(unknown))}.")
        chosen = set(ids)
    publisher = Publisher(bootstrap_servers, client_id="deadletters")
    sent, batch = 0, list[Letter]()
    try:
        async with contextlib.aclosing(_records(bootstrap_servers, topic)) as letters:
            async for letter in letters:
                if letter.id in chosen:
                    batch.append(letter)
                if len(batch) == BATCH:
                    sent += await _send_again(publisher, topic, batch)
                    batch = []
        return sent + await _send_again(publisher, topic, batch)
    finally:
        await publisher.close()


async def _send_again(publisher: Publisher, topic: str, letters: Sequence[Letter]) -> int:
    outcomes = await publisher.publish([letter.original(topic) for letter in letters])
    sent = [letter for letter, outcome in zip(letters, outcomes, strict=True) if outcome is None]
    markers = [Outgoing(topic + DEAD_LETTER_SUFFIX, None, b"", [(MARKER, letter.id.encode())]) for letter in sent]
    failures = [failure for failure in [*outcomes, *await publisher.publish(markers)] if failure is not None]
    if failures:
        raise UnavailableError(f"{len(sent)} of {len(letters)} letters were sent again, then: {failures[0]}")
    return len(sent)


async def _waiting_ids(bootstrap_servers: str, topic: str) -> set[str]:
    """Answers the letters without a marker; in memory there are only their ids, however large they are."""
    letters, marked = set[str](), set[str]()
    async with contextlib.aclosing(_records(bootstrap_servers, topic)) as records:
        async for record in records:
            marker = record.header(MARKER)
            if marker:
                marked.add(marker)
            else:
                letters.add(record.id)
    return letters - marked


async def _records(bootstrap_servers: str, topic: str) -> AsyncGenerator[Letter, None]:
    """Answers everything that is on the dead-letter topic now, markers included."""
    # Of no group, so it is given every partition.
    kafka = AIOKafkaConsumer(
        topic + DEAD_LETTER_SUFFIX,
        bootstrap_servers=bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=int(REQUEST_SECONDS * 1000),
    )
    try:
        async with asyncio.timeout(READ_SECONDS):
            await kafka.start()
            ends = await kafka.end_offsets(kafka.assignment())
        async for record in _until(kafka, ends):
            yield Letter(f"{record.partition}-{record.offset}", record.key, record.value, record.headers)
    except UnknownTopicOrPartitionError:
        raise NotFoundError(f"There is no topic {topic}{DEAD_LETTER_SUFFIX}.") from None
    except (KafkaError, TimeoutError, OSError) as error:
        raise UnavailableError("Kafka does not answer now. Try again later.") from error
    finally:
        await within(READ_SECONDS, kafka.stop())


async def _until(kafka: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> AsyncIterator[Any]:
    starts = await kafka.beginning_offsets(list(ends))
    unread = {partition for partition, end in ends.items() if end > starts[partition]}
    while unread:
        polled = await kafka.getmany(*unread, timeout_ms=int(READ_SECONDS * 1000), max_records=500)
        if not polled:
            raise TimeoutError
        for partition, records in polled.items():
            for record in records:
                if record.offset < ends[partition]:
                    yield record
            if records[-1].offset + 1 >= ends[partition]:
                unread.discard(partition)


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


# The command. ---------------------------------------------------------------------------------------------------------


class Settings(BaseSettings):
    """Read from the environment."""

    kafka_bootstrap_servers: str = Field(min_length=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and answers its exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        asyncio.run(_run(chosen, runtime.read_settings(Settings, "deadletters").kafka_bootstrap_servers))
    except EcommerceError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.deadletters", description="Dead letters of a topic.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="show the letters that wait, oldest first")
    listing.add_argument("--limit", type=int, default=50, help="how many at most (default 50)")
    replaying = commands.add_parser("replay", help="send letters to their topic again")
    replaying.add_argument("--id", dest="ids", nargs="+", default=[], help="only these (default: all that wait)")
    for command in (listing, replaying):
        command.add_argument("topic", help="such as product_events")
    return parser


async def _run(chosen: argparse.Namespace, bootstrap_servers: str) -> None:
    if chosen.command == "replay":
        count = await replay(bootstrap_servers, chosen.topic, chosen.ids)
        sys.stdout.write(f"{count} replayed\n")
        return
    if chosen.limit < 1:
        raise InvalidError("--limit must be at least 1.")
    for letter in await waiting(bootstrap_servers, chosen.topic, chosen.limit):
        sys.stdout.write(f"{letter}\n")


if __name__ == "__main__":
    sys.exit(main())
