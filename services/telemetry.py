"""Logs, traces and metrics: one call at start, the same for every deployable.

Logs are structured lines on standard error: JSON for machines, or aligned text for a person at a terminal. Each line
carries the trace that it belongs to. A trace's id always travels with calls and events; spans are recorded, and leave
the process, only when a collector is named (traces.py). Metrics are Prometheus's, served over HTTP on a port of their
own.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, Literal

import structlog
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from prometheus_client import start_http_server
from pydantic import Field
from pydantic_settings import BaseSettings

from services.traces import PassedOn, Tracer, passed_on

_TRACEPARENT: Final = "traceparent"
_TRACESTATE: Final = "tracestate"

tracer: Final = Tracer()


class TelemetrySettings(BaseSettings):
    """Read from the environment at the composition root."""

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    metrics_host: str = "0.0.0.0"  # noqa: S104 a pod's metrics are scraped from outside of it
    # 0 serves none.
    metrics_port: int = Field(default=9090, ge=0, le=65535)
    # The collector, in the OpenTelemetry SDK's own variable; empty keeps traces inside the process.
    otel_exporter_otlp_endpoint: str = ""


def start(service: str, settings: TelemetrySettings, *, metrics: bool = True) -> None:
    """Sets up all three for this process; called once, before anything is logged.

    `metrics` is False for commands that end by themselves: nobody scrapes them, and the port may be the service's.
    """
    _start_logs(service, settings)
    _start_traces(service, settings)
    if metrics and settings.metrics_port:
        start_http_server(settings.metrics_port, settings.metrics_host)


def inject() -> dict[str, str]:
    """Answers the current trace as headers (W3C Trace Context); empty outside of any span."""
    span = trace.get_current_span()
    if isinstance(span, PassedOn):
        return {_TRACEPARENT: span.header}
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


def extract(carrier: Mapping[str, str]) -> Context:
    """Answers the context that such headers tell of; an empty one where they tell of none."""
    header = carrier.get(_TRACEPARENT)
    span = None if header is None or _TRACESTATE in carrier else passed_on(header)
    # What the short way does not know goes the library's way.
    return propagate.extract(carrier) if span is None else trace.set_span_in_context(span, Context())


def _start_logs(service: str, settings: TelemetrySettings) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_trace,
            *_renderers(settings),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    # Libraries log through the standard library: their lines join ours, and only what is worth waking up for.
    logging.basicConfig(handlers=[_StructlogHandler()], level=logging.WARNING, force=True)
    # Dozens of lines a second while Kafka is away; who uses the client says so once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def _renderers(settings: TelemetrySettings) -> list[Any]:
    if settings.log_format == "console":
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    # Without the frames' variables: a password or a token may be among them.
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer()]


def _start_traces(service: str, settings: TelemetrySettings) -> None:
    if not settings.otel_exporter_otlp_endpoint:
        # Nor does a library that would like to be traced record anything.
        return
    # Imported here: without a collector nobody pays for their start-up time.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider, sampling  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(sampling.DEFAULT_ON, Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    tracer.recorder = trace.get_tracer("ecommerce-platform")


def _add_trace(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = trace.format_trace_id(span.trace_id)
    return event


class _StructlogHandler(logging.Handler):
    """Passes the standard library's records to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger(record.name).log(
            record.levelno, record.getMessage(), exc_info=record.exc_info or None, logger=record.name
        )
