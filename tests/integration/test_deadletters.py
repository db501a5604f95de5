"""Dead letters on a real Kafka: listed, replayed once, and none lost."""

import asyncio
import os
import sys

import pytest

from local.datastores import Datastores
from services import deadletters
from services.consumer import DEAD_LETTER_HEADER
from services.errors import NotFoundError
from services.publisher import Outgoing, Publisher
from tests.integration.kafka import new_event, new_topic, outgoing, read, send, versions_by_key


def letter(topic: str, key: str, version: int, reason: str = "ValueError: poison") -> Outgoing:
    """Answers a dead letter as the consumer makes it, of an event on `topic`."""
    record = outgoing(new_event(topic, key, version))
    told = {"reason": reason, "topic": topic, "partition": "0", "offset": "7", "group": "index", "time": "2026-01-01"}
    headers = [*record.headers, *((DEAD_LETTER_HEADER + name, text.encode()) for name, text in told.items())]
    return Outgoing(f"{topic}.dlq", record.key, record.value, headers)


async def test_lists_what_waits_oldest_first(datastores: Datastores) -> None:
    """The list names each letter with who could not handle it, where it was, and why, on one line."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    await send(servers, [letter(topic, "one", version, f"ValueError: no\n{version}") for version in range(3)])
    lines = [str(found) for found in await deadletters.waiting(servers, topic, limit=2)]
    assert [line.split()[0] for line in lines] == ["0-0", "0-1"]
    assert "index" in lines[0]
    assert "partition 0 offset 7" in lines[0]
    assert lines[0].endswith("ValueError: no 0")


async def test_replays_each_letter_once_as_it_was(datastores: Datastores) -> None:
    """A replayed letter is on its topic with its own key, headers and value, waits no more, and is not sent again."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    await send(servers, [letter(topic, "one", version) for version in range(3)])
    assert await deadletters.replay(servers, topic) == 3
    assert await deadletters.waiting(servers, topic, limit=10) == []
    assert await deadletters.replay(servers, topic) == 0
    await send(servers, [letter(topic, "one", 3)])
    assert await deadletters.replay(servers, topic) == 1
    records = await read(servers, topic, 4)
    assert versions_by_key(records) == {"one": [0, 1, 2, 3]}
    assert not [name for record in records for name, _ in record.headers if name.startswith(DEAD_LETTER_HEADER)]


async def test_replays_only_what_is_chosen(datastores: Datastores) -> None:
    """With ids only those letters go; an id that does not wait is refused before anything is sent."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    await send(servers, [letter(topic, "one", version) for version in range(3)])
    with pytest.raises(NotFoundError, match="0-9"):
        await deadletters.replay(servers, topic, ["0-1", "0-9"])
    assert await deadletters.replay(servers, topic, ["0-1"]) == 1
    assert [found.id for found in await deadletters.waiting(servers, topic, limit=10)] == ["0-0", "0-2"]
    assert versions_by_key(await read(servers, topic, 1)) == {"one": [1]}


async def test_a_letter_that_was_sent_but_not_marked_is_sent_again(
    datastores: Datastores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay that dies before its markers are written loses nothing: the next one sends the letters again."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    await send(servers, [letter(topic, "one", version) for version in range(2)])

    class Killed(BaseException):
        pass

    publish = Publisher.publish
    calls = 0

    async def die_at_the_markers(self: Publisher, records: list[Outgoing]) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Killed
        return await publish(self, records)

    monkeypatch.setattr(Publisher, "publish", die_at_the_markers)
    with pytest.raises(Killed):
        await deadletters.replay(servers, topic)
    monkeypatch.undo()
    assert await deadletters.replay(servers, topic) == 2
    assert versions_by_key(await read(servers, topic, 4)) == {"one": [0, 1, 0, 1]}


async def command(servers: str, *arguments: str) -> tuple[int | None, str, str]:
    """Runs the command as a person would; answers its exit code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.deadletters",
        *arguments,
        env={**os.environ, "KAFKA_BOOTSTRAP_SERVERS": servers},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def test_the_command_lists_and_replays(datastores: Datastores) -> None:
    """`list` prints a line a letter, `replay` the number; what is wrong is said in a sentence, with exit code 1."""
    servers = datastores.kafka.bootstrap_servers
    topic = await new_topic(servers)
    await send(servers, [letter(topic, "one", version) for version in range(2)])
    code, output, _ = await command(servers, "list", topic, "--limit", "1")
    assert (code, len(output.splitlines())) == (0, 1)
    assert output.startswith("0-0  ")
    assert await command(servers, "replay", topic, "--id", "0-0", "0-1") == (0, "2 replayed\n", "")
    assert await command(servers, "list", topic) == (0, "", "")
    code, output, errors = await command(servers, "list", "no_such_topic")
    assert (code, output) == (1, "")
    assert errors.endswith("There is no topic no_such_topic.dlq.\n")
