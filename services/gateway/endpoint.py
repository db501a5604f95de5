"""`/graphql`: one HTTP request in, one JSON answer out.

This is a plain ASGI handler, because it is the path that every client takes. Headers and body are read under the
limits; a read of the catalogue that was answered before is answered from the cache at once; for all else the document
comes prepared from documents.py and is run. Whatever happens, the answer is GraphQL's JSON with a code for every error.
The HTTP status is 200 for whatever GraphQL could make out; other statuses say what HTTP itself has to say: 304 for what
the client has already, 400 for what is no GraphQL request, 405 for a method that does not do it, 413 for a request that
is too large, 429 and 503 for one that may be repeated later.
"""

import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

import strawberry
from litestar.types import HTTPScope, Receive, Scope, Send
from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Histogram

from services import telemetry
from services.body import TooLargeError, linger, receive_body
from services.errors import RateLimitedError
from services.gateway.answers import Answer, MethodError, answer_of, refusal
from services.gateway.catalogue_cache import CatalogueCache
from services.gateway.catalogue_reads import CatalogueReads
from services.gateway.context import Context, Platform
from services.gateway.deadlines import Deadlines
from services.gateway.documents import Documents, Operation, RequestError
from services.gateway.failures import Failures
from services.gateway.identity import Caller, token_of
from services.gateway.limits import Limits, check_variables
from services.gateway.request import (
    GraphQLRequest,
    Headers,
    check_headers,
    read_body,
    read_headers,
    read_query_string,
)
from services.gateway.running import Runner, in_time
from services.serving import Drain
from services.tokens import Verifier

_requests = Counter("gateway_requests", "GraphQL requests by operation and first error.", ("operation", "code"))
_seconds = Histogram("gateway_request_seconds", "Time to answer a GraphQL request.", ("operation",))


@dataclass(frozen=True, slots=True)
class Rules:
    """What the endpoint allows; with `introspection` off, error messages suggest no names either."""

    limits: Limits = field(default_factory=Limits)
    introspection: bool = True


class Endpoint:
    """Answers GraphQL requests; an ASGI application of its own."""

    def __init__(
        self, schema: strawberry.Schema, platform: Platform, verifier: Verifier, drain: Drain, rules: Rules
    ) -> None:
        # Strawberry has no public name for the graphql-core schema that it builds.
        graphql_schema = schema._schema  # noqa: SLF001
        self._platform = platform
        self._verifier = verifier
        self._limits = rules.limits
        self._documents = Documents(graphql_schema, rules.limits, introspection=rules.introspection)
        self._failures = Failures(rules.limits.errors, suggestions=rules.introspection)
        self._runner = Runner(
            graphql_schema,
            schema.execution_context_class,
            rules.limits,
            self._failures,
            hide_suggestions=not rules.introspection,
        )
        cache = platform.catalogue_cache
        self._reads = CatalogueReads(cache, platform, verifier, self._runner) if cache else None
        self._deadlines = Deadlines(rules.limits.seconds)
        self._drain = drain
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; never raises for what a client sends."""
        started = time.perf_counter()
        self._running += 1
        try:
            self._admit()
            answer = await self._answer(cast("HTTPScope", scope), receive, started)
        except Exception as error:  # noqa: BLE001 the edge: every error becomes an answer
            answer = refusal(error)
        finally:
            self._running -= 1
        await answer.send(send, closing=self._drain.started)
        _count(answer, time.perf_counter() - started)
        if answer.status == 413:
            await linger(receive)

    def _admit(self) -> None:
        if self._running > self._limits.concurrent:
            raise RateLimitedError("Too many requests at once: try again in a moment.")

    async def _answer(self, scope: HTTPScope, receive: Receive, started: float) -> Answer:
        method, headers = scope["method"], read_headers(scope["headers"])
        if method == "POST":
            check_headers(headers)
            reading = receive_body(headers.content_length, receive, self._limits.body)
            body = bytes(await self._deadlines.wait(reading))
        else:
            body = self._query(scope)
        anonymous = headers.authorization is None and not (headers.cookies and token_of(headers))
        if anonymous and self._reads:
            answer = self._reads.recalled(body, method, headers)
            if answer:
                return answer
        left = self._limits.seconds - (time.perf_counter() - started)
        return await in_time(self._traced(body, method, headers, anonymous=anonymous), left)

    async def _traced(self, body: bytes, method: str, headers: Headers, *, anonymous: bool) -> Answer:
        with telemetry.tracer.start_as_current_span(
            f"{method} /graphql", context=_trace(headers), kind=SpanKind.SERVER
        ) as span:
            try:
                request = read_query_string(body[1:]) if method == "GET" else read_body(body)
                check_variables(request.variables, self._limits)
                operation = self._documents.operation(request.query, request.operation_name)
            except RequestError as error:
                return answer_of({"errors": self._failures.tell(error.errors)})
            span.update_name(operation.kind)
            if method == "GET" and operation.kind != "query":
                raise MethodError("Only queries are answered by GET: send this by POST.", allowed="POST")
            if operation.key and self._reads and self._may_share(self._reads, anonymous=anonymous):
                return await self._reads.answer(body, request, operation, method, headers)
            return await self._run(request, operation, headers, method)

    def _query(self, scope: HTTPScope) -> bytes:
        """Answers what stands for a GET's body: its query string behind a question mark."""
        if scope["method"] != "GET":
            raise MethodError("Send the request by POST, or a query by GET.", allowed="GET, POST")
        if len(scope["query_string"]) > self._limits.body:
            raise TooLargeError(f"The request is larger than {self._limits.body} bytes.")
        # No JSON starts so: the two kinds of requests are never taken for one another.
        return b"?" + scope["query_string"]

    @staticmethod
    def _may_share(reads: CatalogueReads, *, anonymous: bool) -> bool:
        if anonymous and reads.serving():
            return True
        CatalogueCache.passed_by()
        return False

    async def _run(self, request: GraphQLRequest, operation: Operation, headers: Headers, method: str) -> Answer:
        # Any page can send its visitors here by a link, cookies and all: a GET acts as whoever it names itself.
        token = token_of(headers) if method == "POST" or headers.authorization is not None else None
        caller = Caller(token, self._verifier)
        context = Context(self._platform, caller, headers, objects_left=self._limits.objects)
        return await self._runner.run(request, operation, context)


@lru_cache(maxsize=256)
def _counters(operation: str, code: str) -> tuple[Counter, Histogram]:
    """Looking a label up costs more than counting by it; there are as many as codes."""
    return _requests.labels(operation, code), _seconds.labels(operation)


def _count(answer: Answer, seconds: float) -> None:
    requests, times = _counters(answer.operation, answer.code)
    requests.inc()
    times.observe(seconds)


def _trace(headers: Headers) -> Any:
    return telemetry.extract({"traceparent": headers.traceparent}) if headers.traceparent else None
