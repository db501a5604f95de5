"""Claims about traces that nobody records: their ids go on, and what is no trace does not."""

import pytest
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from services import telemetry
from services.traces import PassedOn, Tracer

HEADER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _current() -> SpanContext:
    return trace.get_current_span().get_span_context()


def test_a_new_trace_has_ids_of_its_own() -> None:
    """Where no trace is, one begins: with ids that the library reads back, random, recorded by nobody, ended after."""
    tracer, seen = Tracer(), set()
    for _ in range(2):
        with tracer.start_as_current_span("work") as span:
            carrier = telemetry.inject()
            read = trace.get_current_span(propagate.extract(carrier)).get_span_context()
            assert (read.trace_id, read.span_id, read.trace_flags) == (
                _current().trace_id,
                _current().span_id,
                _current().trace_flags,
            )
            assert read.is_valid
            assert not read.trace_flags.sampled
            assert not span.is_recording()
            seen.add(read.trace_id)
        assert not _current().is_valid
        assert telemetry.inject() == {}
    assert len(seen) == 2


def test_what_came_is_passed_on() -> None:
    """Work under a trace that came from elsewhere, and work within that work, go out under the very same header."""
    with Tracer().start_as_current_span("work", telemetry.extract({"traceparent": HEADER})):
        assert _current() == SpanContext(
            0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, is_remote=True, trace_flags=TraceFlags(1)
        )
        with Tracer().start_as_current_span("part") as part:
            assert telemetry.inject() == {"traceparent": HEADER}
            assert repr(part) == f"PassedOn({HEADER!r})"
        assert telemetry.inject() == {"traceparent": HEADER}
    assert not _current().is_valid


def test_a_span_of_the_librarys_own_goes_on() -> None:
    """A span that is already there, whoever made it, is the parent of what follows."""
    mine = NonRecordingSpan(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)))
    with trace.use_span(mine), Tracer().start_as_current_span("work"):
        assert telemetry.inject() == {"traceparent": f"00-{1:032x}-{2:016x}-01"}


def test_the_end_comes_with_an_error_too() -> None:
    """A trace does not outlive what failed in it, and the error goes on."""
    with pytest.raises(ValueError, match="mine"), Tracer().start_as_current_span("work"):
        raise ValueError("mine")
    assert not _current().is_valid


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        HEADER.upper(),
        HEADER + "\n",
        HEADER + "-more",
        HEADER.replace("00-", "ff-", 1),
        HEADER.replace("a", "\N{ARABIC-INDIC DIGIT ONE}"),
        f"00-{0:032x}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{0:016x}-01",
        HEADER * 100,
    ],
)
def test_what_is_no_header_begins_a_new_trace(header: str) -> None:
    """A header against the specification is as good as none; it is never sent on."""
    with Tracer().start_as_current_span("work", telemetry.extract({"traceparent": header})):
        assert _current().is_valid
        assert telemetry.inject()["traceparent"] != header


def test_a_later_version_and_a_state_are_the_librarys() -> None:
    """What the short way does not know is read as the library reads it, and goes on."""
    later = HEADER.replace("00-", "01-", 1) + "-more"
    assert trace.get_current_span(telemetry.extract({"traceparent": later})).get_span_context().is_valid
    stated = {"traceparent": HEADER, "tracestate": "vendor=value"}
    with Tracer().start_as_current_span("work", telemetry.extract(stated)):
        assert telemetry.inject() == stated
    assert telemetry.extract({}) == Context()


def test_a_recorder_records() -> None:
    """With a recorder there are spans, each under the one above it, and the first under the one that came."""
    recorded, tracer = InMemorySpanExporter(), Tracer()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(recorded))
    tracer.recorder = provider.get_tracer("test")
    with (
        tracer.start_as_current_span("outer", telemetry.extract({"traceparent": HEADER})),
        tracer.start_as_current_span("inner", attributes={"number": 1}),
    ):
        assert not isinstance(trace.get_current_span(), PassedOn)
    inner, outer = recorded.get_finished_spans()
    assert (inner.name, outer.name, inner.attributes) == ("inner", "outer", {"number": 1})
    assert inner.parent is not None
    assert outer.parent is not None
    assert outer.parent.span_id == 0xB7AD6B7169203331
    assert (inner.parent.span_id, inner.context.trace_id) == (outer.context.span_id, outer.parent.trace_id)
    provider.shutdown()
