"""Events: what they are, which topics they travel on, and their form on Kafka.

An event is a message of protos/events.proto with an id, a time, a source, the topic, and the key that keeps the events
of one product, order or account in order. On Kafka it is a CloudEvent in binary mode (CloudEvents 1.0, Kafka protocol
binding): attributes in the record's headers, the message's bytes as its value. The CloudEvents type is the full name
of the message. `traceparent` (W3C Trace Context) says in which call the event arose.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)
from betterproto2 import Message

from services import codec, telemetry
from services.errors import UnavailableError

DEAD_LETTER_SUFFIX: Final = ".dlq"
# The only messages that are events; others of the platform's are as unreadable on a topic as strangers are.
EVENT_PACKAGE: Final = "ecommerce.events.v1."
REQUEST_SECONDS: Final = 5.0
# Answered before it is looked whether the topic exists: in a cluster where someone else creates topics, it may well.
_NOT_OURS_TO_CREATE: Final = (ClusterAuthorizationFailedError, TopicAuthorizationFailedError)
_DAY_MS: Final = 24 * 60 * 60 * 1000

Header = tuple[str, bytes]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Topic:
    """How a topic is created; the number of replicas is the cluster's default."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


# 12 partitions are the most consumers of one group that can share the work, and divide by 2, 3, 4 and 6.
_EVENT_TOPICS: Final = (
    # Compacted: the newest event of every product stays for ever, so that an index can be built from the topic alone.
    Topic("product_events", 12, {"cleanup.policy": "compact", "retention.ms": "-1"}),
    # Kept for ever: a consumer that is added later learns of every order.
    Topic("order_events", 12, {"cleanup.policy": "delete", "retention.ms": "-1"}),
    # Recommendations learn from a year; older views tell little and would grow without bound.
    Topic("interaction_events", 12, {"cleanup.policy": "delete", "retention.ms": str(365 * _DAY_MS)}),
)
# One partition: dead letters are few, and are read in the order in which they died. Three months to act on one. Larger
# records than elsewhere, because a letter is a record with more headers.
_DEAD_LETTER_CONFIG: Final = {
    "cleanup.policy": "delete",
    "retention.ms": str(90 * _DAY_MS),
    "max.message.bytes": str(2 * 1024 * 1024),
}
TOPICS: Final[Mapping[str, Topic]] = {
    topic.name: topic
    for live in _EVENT_TOPICS
    for topic in (live, Topic(live.name + DEAD_LETTER_SUFFIX, 1, _DEAD_LETTER_CONFIG))
}


class UnreadableEventError(Exception):
    """A record that is no event of ours; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `time` is aware and in UTC; `source` names the service, such as "/product"."""

    id: str
    time: datetime
    source: str
    topic: str
    key: str
    message: Message
    traceparent: str | None = None


class Record(Protocol):
    """What is needed of a record that was read from Kafka."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


def new_event(  # noqa: PLR0913, PLR0917 these are its attributes
    topic: str, key: str, message: Message, source: str, clock: Callable[[], datetime], ids: Callable[[], str]
) -> Event:
    """Answers the event that `message` has happened now, as part of the current trace."""
    moment = clock().astimezone(UTC)
    return Event(ids(), moment, source, topic, key, message, telemetry.inject().get("traceparent"))


def to_record(event: Event) -> tuple[list[Header], bytes]:
    """Answers the headers and the value of the event's record; topic and key are the event's own."""
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_type": codec.full_name(type(event.message)),
        "ce_time": event.time.isoformat(),
        "ce_source": event.source,
        "content-type": "application/protobuf",
    }
    if event.traceparent:
        attributes["traceparent"] = event.traceparent
    return [(name, value.encode()) for name, value in attributes.items()], codec.encode(event.message)


def from_record(record: Record) -> Event:
    """Answers the event in a record; raises UnreadableEventError where there is none."""
    attributes = _attributes(record)
    if attributes.get("ce_specversion") != "1.0":
        raise UnreadableEventError("The record is not a CloudEvent of version 1.0 in binary mode.")
    missing = [name for name in ("ce_id", "ce_type", "ce_time", "ce_source") if not attributes.get(name)]
    if missing:
        raise UnreadableEventError(f"Missing: {', '.join(missing)}.")
    return Event(
        id=attributes["ce_id"],
        time=_time(attributes["ce_time"]),
        source=attributes["ce_source"],
        topic=record.topic,
        key=_text(record.key or b"", "key"),
        message=_message(attributes["ce_type"], record.value),
        traceparent=_traceparent(record),
    )


def _attributes(record: Record) -> dict[str, str]:
    return {name: _text(value, name) for name, value in record.headers if name.startswith("ce_")}


def _traceparent(record: Record) -> str | None:
    """Answers what the header says, valid or not: no event is refused for its trace."""
    # Whatever its type says, a header that is read may have no value.
    found = ((value or b"").decode(errors="replace") for name, value in record.headers if name == "traceparent")
    return next(found, None)


def _text(value: bytes | None, name: str) -> str:
    try:
        return (value or b"").decode()
    except UnicodeDecodeError:
        raise UnreadableEventError(f"Not UTF-8: {name}.") from None


def _time(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise UnreadableEventError("Not a time with its zone: ce_time.")


def _message(name: str, value: bytes | None) -> Message:
    if not name.startswith(EVENT_PACKAGE):
        raise UnreadableEventError(f"Not an event: {name[:100]}.")
    if value is None:
        raise UnreadableEventError("The record has no value.")
    try:
        return codec.decode(codec.message_class(name), value)
    except LookupError:
        raise UnreadableEventError(f"Unknown event: {name[:100]}.") from None
    except codec.DecodeError as error:
        raise UnreadableEventError(f"Not a {name}: {error}") from None


# Topics. --------------------------------------------------------------------------------------------------------------


async def ensure_topics(bootstrap_servers: str, names: Collection[str], wait: float = 60.0) -> None:
    """Creates the topics that do not exist; those that do are left as they are.

    Waits at most `wait` seconds for Kafka, then raises UnavailableError. Raises KeyError for a name not in TOPICS.
    """
    await create_topics(bootstrap_servers, [TOPICS[name] for name in names], wait)


async def create_topics(bootstrap_servers: str, topics: Sequence[Topic], wait: float) -> None:
    """The same for topics that are not in TOPICS."""
    deadline = time.monotonic() + wait
    while True:
        try:
            return await _create_topics(bootstrap_servers, topics)
        except (KafkaError, TimeoutError, OSError) as error:
            if time.monotonic() > deadline:
                raise UnavailableError("Kafka does not answer now. Try again later.") from error
            log.info("Waiting for Kafka to create topics.", error=repr(error))
        await asyncio.sleep(0.5)


async def _create_topics(bootstrap_servers: str, topics: Sequence[Topic]) -> None:
    milliseconds = int(REQUEST_SECONDS * 1000)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=milliseconds)
    try:
        # Twice the time of a request: to find the controller, and to ask it.
        async with asyncio.timeout(2 * REQUEST_SECONDS):
            await admin.start()
            answer: Any = await admin.create_topics([_new_topic(topic) for topic in topics])
            await _until_known(admin, _created(answer))
    except AttributeError as error:
        # What the client makes of a cluster that has just started and has no controller yet.
        raise KafkaError("There is no controller.") from error
    finally:
        await admin.close()


def _created(answer: Any) -> list[str]:
    """Answers the topics that exist now; raises the error of one that could not be created."""
    names: list[str] = []
    for name, code, *detail in answer.topic_errors:
        refusal = for_code(code)
        if refusal in _NOT_OURS_TO_CREATE:
            log.warning("Topics are left to those who may create them.", topic=name)
        elif code and refusal is not TopicAlreadyExistsError:
            raise refusal(f"{name}: {detail}")
        else:
            names.append(name)
    return names


async def _until_known(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Waits until the brokers know the topics as well, which the controller tells them of a moment later.

    A consumer that subscribed before would be given no partition, and would not look again for minutes.
    """
    while names and not all(map(_is_known, await admin.describe_topics(list(names)))):  # noqa: ASYNC110 Kafka has no event for it
        await asyncio.sleep(0.05)


def _is_known(topic: Mapping[str, Any]) -> bool:
    partitions = topic["partitions"]
    return not topic["error_code"] and bool(partitions) and not any(each["error_code"] for each in partitions)


def _new_topic(topic: Topic) -> NewTopic:
    # -1 replicas are the cluster's default (KIP-464); the client accepts them only beside an assignment, even if empty.
    return NewTopic(topic.name, topic.partitions, -1, replica_assignments={}, topic_configs=dict(topic.config))
