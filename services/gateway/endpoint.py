"""`POST /graphql`: one HTTP request in, one JSON answer out.

This is a plain ASGI handler, because it is the path that every client takes: headers and body are read under the
limits, the document comes prepared from documents.py, graphql-core runs it with Strawberry's resolvers, and one
compiled library writes the answer. Whatever happens, the answer is GraphQL's JSON with a code for every error. The
HTTP status is 200 for whatever GraphQL could make out; other statuses say what HTTP itself has to say: 400 for what
is no GraphQL request, 413 for one that is too large, 429 and 503 for one that may be repeated later.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard, cast

import msgspec
import strawberry
from graphql import ExecutionResult, GraphQLError, execute
from litestar.types import HTTPScope, Receive, Scope, Send
from opentelemetry.trace import SpanKind
from prometheus_client import Counter, Histogram
from strawberry.execution import optimized_is_awaitable

from services import telemetry
from services.body import TooLargeError, linger, receive_body
from services.errors import EcommerceError, InvalidError, RateLimitedError, UnavailableError
from services.gateway.context import Context, Platform
from services.gateway.documents import Documents, Operation, RequestError
from services.gateway.failures import Failures, tell_alone
from services.gateway.identity import Caller, SignIns, token_of
from services.gateway.limits import Limits, check_variables
from services.gateway.request import GraphQLRequest, Headers, check_headers, read_body, read_headers
from services.serving import Drain

Header = tuple[bytes, bytes]

HEADERS: Final[tuple[Header, ...]] = (
    (b"content-type", b"application/json; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_requests = Counter("gateway_requests", "GraphQL requests by operation and first error.", ("operation", "code"))
_seconds = Histogram("gateway_request_seconds", "Time to answer a GraphQL request.", ("operation",))
_encode = msgspec.json.Encoder().encode


class MethodError(InvalidError):
    """The request is not a POST."""

    status = 405


class Answer:
    """What goes back: a status, `data` unless nothing ran, `errors` where there are any, cookies."""

    def __init__(self, body: dict[str, Any], *, status: int = 200, operation: str = "none") -> None:
        self.body = body
        self.status = status
        self.operation = operation
        self.set_cookies: Sequence[str] = ()

    @property
    def code(self) -> str:
        """The first error's code, or OK."""
        errors = self.body.get("errors")
        return cast("str", errors[0]["extensions"]["code"]) if errors else "OK"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the endpoint allows; with `introspection` off, error messages suggest no names either."""

    limits: Limits = field(default_factory=Limits)
    introspection: bool = True


class Endpoint:
    """Answers GraphQL requests; an ASGI application of its own."""

    def __init__(
        self, schema: strawberry.Schema, platform: Platform, sign_ins: SignIns, drain: Drain, rules: Rules
    ) -> None:
        # Strawberry has no public name for the graphql-core schema that it builds.
        self._graphql_schema = schema._schema  # noqa: SLF001
        self._executor = schema.execution_context_class
        self._platform = platform
        self._sign_ins = sign_ins
        self._limits = rules.limits
        self._hide_suggestions = not rules.introspection
        self._documents = Documents(self._graphql_schema, rules.limits, introspection=rules.introspection)
        self._failures = Failures(rules.limits.errors, suggestions=rules.introspection)
        self._drain = drain
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; never raises for what a client sends."""
        started = time.perf_counter()
        self._running += 1
        try:
            if self._running > self._limits.concurrent:
                answer = _refusal(RateLimitedError("Too many requests at once: try again in a moment."))
            else:
                answer = await self._answer_in_time(cast("HTTPScope", scope), receive)
        finally:
            self._running -= 1
        await self._send(answer, send)
        _requests.labels(answer.operation, answer.code).inc()
        _seconds.labels(answer.operation).observe(time.perf_counter() - started)
        if answer.status == 413:
            await linger(receive)

    async def _answer_in_time(self, scope: HTTPScope, receive: Receive) -> Answer:
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await self._answer(scope, receive)
        except TimeoutError:
            return _refusal(UnavailableError("The request took too long. Try again later."))
        except Exception as error:  # noqa: BLE001 the edge: every error becomes an answer
            return _refusal(error)

    async def _answer(self, scope: HTTPScope, receive: Receive) -> Answer:
        if scope["method"] != "POST":
            raise MethodError("Send the request by POST.")
        headers = read_headers(scope["headers"])
        check_headers(headers)
        body = await receive_body(headers.content_length, receive, self._limits.body)
        with telemetry.tracer.start_as_current_span(
            "POST /graphql", context=_trace(headers), kind=SpanKind.SERVER
        ) as span:
            try:
                request = read_body(body)
                check_variables(request.variables, self._limits)
                operation = self._documents.operation(request.query, request.operation_name)
            except RequestError as error:
                return Answer({"errors": self._failures.tell(error.errors)})
            span.update_name(operation.kind)
            return await self._run(request, operation, headers)

    async def _run(self, request: GraphQLRequest, operation: Operation, headers: Headers) -> Answer:
        context = Context(self._platform, Caller(token_of(headers), self._sign_ins), headers)
        context.objects_left = self._limits.objects
        result = execute(
            self._graphql_schema,
            operation.document,
            variable_values=request.variables,
            operation_name=request.operation_name,
            context_value=context,
            executor_class=self._executor,
            is_awaitable=cast("Callable[[Any], TypeGuard[Awaitable[Any]]]", optimized_is_awaitable),
            max_coercion_errors=self._limits.errors,
            hide_suggestions=self._hide_suggestions,
        )
        if not isinstance(result, ExecutionResult):
            result = await result
        answer = Answer(self._body(result.data, result.errors), operation=operation.kind)
        answer.set_cookies = context.set_cookies
        return answer

    def _body(self, data: dict[str, Any] | None, errors: Sequence[GraphQLError] | None) -> dict[str, Any]:
        if not errors:
            return {"data": data}
        told = self._failures.tell(errors)
        # Where no field was reached, the variables did not fit: a request error, which has no data at all.
        if data is None and all(error.path is None for error in errors):
            return {"errors": told}
        return {"errors": told, "data": data}

    async def _send(self, answer: Answer, send: Send) -> None:
        body = _encode(answer.body)
        headers = [*HEADERS, (b"content-length", str(len(body)).encode())]
        headers += [(b"set-cookie", cookie.encode()) for cookie in answer.set_cookies]
        if answer.status in (429, 503):
            headers.append((b"retry-after", b"1"))
        if answer.status == 405:
            headers.append((b"allow", b"POST"))
        if self._drain.started or answer.status == 413:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def _refusal(error: Exception) -> Answer:
    """The answer to a request that did not get as far as GraphQL."""
    told = tell_alone(error)
    code = error.code if isinstance(error, EcommerceError) else "INTERNAL"
    status = {"INVALID": 400, "RATE_LIMITED": 429, "UNAVAILABLE": 503}.get(code, 500)
    if isinstance(error, TooLargeError | MethodError):
        status = error.status
    return Answer({"errors": [told]}, status=status)


def _trace(headers: Headers) -> Any:
    return telemetry.extract({"traceparent": headers.traceparent}) if headers.traceparent else None
