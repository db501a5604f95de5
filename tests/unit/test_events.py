"""Events and their form on Kafka."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from protos.gen.ecommerce.events import v1
from services import events
from services.events import TOPICS, Event, Header, UnreadableEventError, from_record, new_event, to_record

MOMENT = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=UTC)
TRACE_ID, SPAN_ID = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Read:
    """A record as Kafka's client answers it."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]


def event(traceparent: str | None = None) -> Event:
    return Event("1", MOMENT, "/product", "product_events", "p1", v1.ProductDeleted(id="p1", version=3), traceparent)


def record(**changes: bytes | None) -> Read:
    """Answers the event's record with other headers; None leaves one out."""
    headers, value = to_record(event())
    merged = {**dict(headers), **changes}
    return Read("product_events", b"p1", value, [(name, text) for name, text in merged.items() if text is not None])


def test_the_form_is_that_of_cloudevents() -> None:
    """Attributes travel as `ce_` headers of the Kafka binding's binary mode, the message alone as the value."""
    headers, value = to_record(event(TRACEPARENT))
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"1",
        "ce_type": b"ecommerce.events.v1.ProductDeleted",
        "ce_time": b"2026-05-04T03:02:01.123456+00:00",
        "ce_source": b"/product",
        "content-type": b"application/protobuf",
        "traceparent": TRACEPARENT.encode(),
    }
    assert value == bytes(v1.ProductDeleted(id="p1", version=3))


@given(
    st.builds(
        Event,
        id=st.uuids().map(str),
        time=st.datetimes(timezones=st.just(UTC)),
        source=st.text(min_size=1, max_size=20),
        topic=st.just("order_events"),
        key=st.text(max_size=20),
        message=st.one_of(
            st.builds(v1.ProductDeleted, id=st.text(max_size=9), version=st.integers(0, 2**63 - 1)),
            st.builds(v1.ProductRetrieved, product_id=st.text(max_size=9), account_id=st.none() | st.integers(0, 9)),
        ),
        traceparent=st.none() | st.just(TRACEPARENT),
    )
)
def test_an_event_survives_the_way(sent: Event) -> None:
    """What is read is what was written, for every text and time."""
    headers, value = to_record(sent)
    assert from_record(Read(sent.topic, sent.key.encode(), value, headers)) == sent


def test_a_time_of_another_zone_is_read_as_utc() -> None:
    """Producers in other languages may write any offset, or Z."""
    assert from_record(record(ce_time=b"2026-05-04T05:02:01.123456+02:00")).time == MOMENT
    assert from_record(record(ce_time=b"2026-05-04T03:02:01.123456Z")).time == MOMENT
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=9)))
    made = new_event("product_events", "p1", event().message, "/product", lambda: elsewhere, lambda: "1")
    assert made.time.tzinfo is UTC


def test_strange_headers_do_not_matter() -> None:
    """Headers that are not ours may hold anything."""
    strange = record()
    strange.headers = [*strange.headers, ("dlq-reason", b"\xff"), ("x", cast("bytes", None))]
    assert from_record(strange) == event()
    assert from_record(record(traceparent=b"\xff")).message == event().message


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (Read("t", None, b"hello", []), "not a CloudEvent"),
        (record(ce_specversion=b"0.3"), "not a CloudEvent"),
        (record(ce_id=None), "Missing: ce_id"),
        (record(ce_source=b""), "Missing: ce_source"),
        (record(ce_time=b"yesterday"), "ce_time"),
        (record(ce_time=b"2026-05-04T03:02:01"), "zone"),
        (record(ce_time=b"9999-12-31T23:59:59-14:00"), "ce_time"),
        (record(ce_id=b"\xff"), "Not UTF-8: ce_id"),
        (Read("t", b"\xff", b"", record().headers), "Not UTF-8: key"),
        (record(ce_type=b"ecommerce.account.v1.Account"), "Not an event"),
        (record(ce_type=b"os.system"), "Not an event"),
        (record(ce_type=b"ecommerce.events.v1.Nothing"), "Unknown event"),
        (Read("t", b"p1", None, record().headers), "no value"),
        (Read("t", b"p1", b"\xff\xff", record().headers), "Not a ecommerce.events.v1.ProductDeleted"),
    ],
)
def test_what_is_no_event_is_told_with_the_reason(read: Read, reason: str) -> None:
    """Each kind of unreadable record has a reason that names what is wrong."""
    with pytest.raises(UnreadableEventError, match=reason) as unreadable:
        from_record(read)
    assert unreadable.value.reason == str(unreadable.value)


_TYPE = b"ecommerce.events.v1.OrderPlaced"
_names = st.sampled_from(["ce_specversion", "ce_id", "ce_type", "ce_time", "ce_source", "traceparent", "other"])


@given(
    st.binary(max_size=20) | st.none(),
    st.binary(max_size=50) | st.none(),
    st.lists(st.tuples(_names, st.sampled_from([b"1.0", _TYPE, cast("bytes", None)]) | st.binary(max_size=30))),
)
def test_nothing_but_unreadable_is_ever_raised(key: bytes | None, value: bytes | None, headers: list[Header]) -> None:
    """Whatever is on a topic, reading answers an event or says why not."""
    with contextlib.suppress(UnreadableEventError):
        assert from_record(Read("t", key, value, headers)).id


def test_an_event_belongs_to_the_call_in_which_it_arose() -> None:
    """A new event carries the current trace; outside of any call it carries none."""

    def made() -> Event:
        return new_event("product_events", "p1", event().message, "/product", lambda: MOMENT, lambda: "1")

    span = NonRecordingSpan(SpanContext(TRACE_ID, SPAN_ID, is_remote=False, trace_flags=TraceFlags(1)))
    with trace.use_span(span):
        assert made().traceparent == TRACEPARENT
    assert made().traceparent is None


def test_every_topic_has_its_dead_letters() -> None:
    """Each topic of the contract exists with a dead-letter topic beside it; products are compacted, none expires."""
    names = {"product_events", "order_events", "interaction_events"}
    assert set(TOPICS) == names | {name + events.DEAD_LETTER_SUFFIX for name in names}
    assert TOPICS["product_events"].config == {"cleanup.policy": "compact", "retention.ms": "-1"}
    assert TOPICS["order_events"].config["retention.ms"] == "-1"


async def test_a_topic_that_nobody_described_is_not_created() -> None:
    """A misspelt name is an error at once, not a topic."""
    with pytest.raises(KeyError):
        await events.ensure_topics("127.0.0.1:9", ["product_event"], wait=0)
