"""Traces whose ids travel, and which only a collector makes anyone record.

Without a collector a span is worth nothing but the id of its trace, which log lines and events name. Then none is
opened: the `traceparent` that came is passed on as it is (W3C Trace Context allows that to whoever records nothing)
and is taken apart when somebody asks for its ids. Where none came, a new one is drawn.
"""

import random
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextvars import Token
from typing import Final

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags
from opentelemetry.util.types import Attributes

# The one version there is, written as its specification wants it; anything else is for the library to judge.
_PLAIN: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
# The trace's id is random (level 2 of the specification), and nobody recorded what led here.
_RANDOM: Final = "02"


class PassedOn(NonRecordingSpan):
    """Stands for the span that a `traceparent` names; `header` goes out with whatever is done under it."""

    def __init__(self, header: str, *, remote: bool) -> None:
        self.header = header
        self._remote = remote

    def get_span_context(self) -> SpanContext:
        """Answers the ids in the header."""
        _, trace_id, span_id, flags = self.header.split("-")
        return SpanContext(int(trace_id, 16), int(span_id, 16), self._remote, TraceFlags(int(flags, 16)))

    def __repr__(self) -> str:
        return f"PassedOn({self.header!r})"


def passed_on(header: str) -> PassedOn | None:
    """Answers the span that such a header names, or None for one that is not plainly well-formed."""
    return PassedOn(header, remote=True) if _PLAIN.fullmatch(header) else None


class Tracer:
    """Opens spans with the recorder, once there is one; until then it passes on the trace that is there.

    What it does is what the methods of the same name of OpenTelemetry's tracers do.
    """

    def __init__(self) -> None:
        self.recorder: trace.Tracer | None = None

    def start_as_current_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = None,
    ) -> AbstractContextManager[Span]:
        """Makes a span the current one while the answer is entered: a child of `context`'s, or of the current one."""
        if self.recorder is not None:
            return self.recorder.start_as_current_span(name, context, kind, attributes, links)
        return _Current(_unrecorded(context))


class _Current(AbstractContextManager[Span]):
    """A span that is the current one inside; a class, as a generator's frame would cost more than all else here."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._token: Token[Context] | None = None

    def __enter__(self) -> Span:
        if trace.get_current_span() is not self._span:
            self._token = context.attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            context.detach(self._token)


def _unrecorded(parent: Context | None) -> Span:
    span = trace.get_current_span(parent)
    if isinstance(span, PassedOn) or span.get_span_context().is_valid:
        return span
    # Ids that are unlikely to meet, not secrets; zero is the specification's word for none.
    trace_id, span_id = random.getrandbits(128) or 1, random.getrandbits(64) or 1
    return PassedOn(f"00-{trace_id:032x}-{span_id:016x}-{_RANDOM}", remote=False)
