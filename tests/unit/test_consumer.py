"""What of the consumer needs no server: the dead letter, and the links to the calls that events arose in."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from opentelemetry import trace

from protos.gen.ecommerce.events import v1
from services.consumer import _dead_letter, _links
from services.events import Event, Header

MOMENT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


@dataclass
class Read:
    """A record as Kafka's client answers it."""

    topic: str = "product_events"
    partition: int = 3
    offset: int = 42
    key: bytes | None = b"p1"
    value: bytes | None = b"\xff"
    headers: list[Header] = field(default_factory=lambda: [("ce_id", b"1"), ("other", b"\xfe")])


def test_a_dead_letter_is_the_record_with_its_circumstances() -> None:
    """Key, value and headers are as they were; added are the reason, the place, the reader and the time."""
    letter = _dead_letter(Read(), "ValueError: no", "index", MOMENT)
    assert (letter.topic, letter.key, letter.value) == ("product_events.dlq", b"p1", b"\xff")
    assert dict(letter.headers) == {
        "ce_id": b"1",
        "other": b"\xfe",
        "dlq-reason": b"ValueError: no",
        "dlq-topic": b"product_events",
        "dlq-partition": b"3",
        "dlq-offset": b"42",
        "dlq-group": b"index",
        "dlq-time": b"2026-05-04T03:02:01+00:00",
    }


def test_a_letter_that_dies_again_tells_of_its_last_death() -> None:
    """The circumstances of an earlier death are replaced, not added to."""
    again = _dead_letter(Read(headers=[("dlq-reason", b"first")]), "second", "index", MOMENT)
    assert [value for name, value in again.headers if name == "dlq-reason"] == [b"second"]


def test_any_reason_and_any_record_fit() -> None:
    """A reason is cut to a bound and may hold what UTF-8 cannot; a record of nothing becomes one that Kafka takes."""
    letter = _dead_letter(Read(key=None, value=None, headers=[]), "\ud800" + "x" * 10_000, "index", MOMENT)
    assert len(dict(letter.headers)["dlq-reason"]) <= 4000
    assert (letter.key, letter.value) == (None, b"")
    assert _dead_letter(Read(value=None), "no", "index", MOMENT).value is None


def test_a_batch_is_linked_to_the_calls_its_events_arose_in() -> None:
    """Each call is linked once, however many of its events are handled together; at most as many as a span takes."""

    def event(traceparent: str | None) -> Event:
        return Event("1", MOMENT, "/test", "t", "k", v1.ProductDeleted(), traceparent)

    traceparents = [f"00-{number:032x}-{number:016x}-01" for number in range(1, 200)]
    links = _links([event(traceparents[0]), event(None), event(traceparents[0]), event(traceparents[1])])
    assert [trace.format_trace_id(link.context.trace_id)[-1] for link in links] == ["1", "2"]
    assert len(_links([event(traceparent) for traceparent in traceparents])) == 128
