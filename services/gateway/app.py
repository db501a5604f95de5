"""The gateway's HTTP address: GraphQL, its playground, the public keys, and what operators and probes ask for."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from litestar import Litestar, Request, Response, asgi, get
from litestar.config.cors import CORSConfig
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Receive, Scope, Send
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from services import web
from services.errors import EcommerceError, InvalidError, NotFoundError, UnavailableError
from services.gateway.endpoint import Endpoint
from services.gateway.failures import tell_alone
from services.gateway.playground import asset, playground
from services.serving import Drain
from services.tokens import Verifier

# The playground shares its window with no page that opened it.
SECURITY_HEADERS: Final = {**web.SECURITY_HEADERS, "Cross-Origin-Opener-Policy": "same-origin"}


def create_app(  # noqa: PLR0913 the parts of the address
    endpoint: Endpoint,
    *,
    readiness: web.Readiness,
    drain: Drain,
    verifier: Verifier,
    registry: Callable[[], CollectorRegistry],
    cors_origins: list[str],
    with_playground: bool = True,
) -> ASGIApp:
    """Answers the ASGI application; `cors_origins` are the other origins whose pages may call it, with cookies."""
    handlers = [_graphql(endpoint), _jwks(verifier), web.healthz, web.readyz(readiness, drain), _metrics(registry)]
    app = Litestar(
        [*handlers, *((playground, asset) if with_playground else ())],
        cors_config=_cors(cors_origins) if cors_origins else None,
        response_headers=SECURITY_HEADERS,
        exception_handlers={Exception: _refuse},
        openapi_config=None,
        logging_config=None,
    )
    return app if cors_origins else _straight(endpoint, app)


def _straight(endpoint: Endpoint, app: Litestar) -> ASGIApp:
    """Answers an application that saves GraphQL the way through `app`'s routes, which only CORS has a use for."""

    def either(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == ScopeType.HTTP and scope["path"] == "/graphql":
            return endpoint(scope, receive, send)
        return app(scope, receive, send)

    return either


def _graphql(endpoint: Endpoint) -> Any:
    @asgi("/graphql", copy_scope=False)
    async def graphql(scope: Scope, receive: Receive, send: Send) -> None:
        await endpoint(scope, receive, send)

    return graphql


def _jwks(verifier: Verifier) -> Any:
    @get("/.well-known/jwks.json")
    async def jwks() -> Response[bytes]:
        """Answers the public keys of every token that is still accepted (RFC 7517)."""
        keys = [{**key, "use": "sig", "alg": "ES256"} for key in await verifier.keys()]
        # A new key is published long before it signs, so five minutes are never too old.
        return web.json_answer({"keys": keys}, headers={"Cache-Control": "public, max-age=300"})

    return jwks


def _metrics(registry: Callable[[], CollectorRegistry]) -> Any:
    @get("/metrics", sync_to_thread=False)
    def metrics() -> Response[bytes]:
        """Answers Prometheus's text format."""
        return Response(generate_latest(registry()), media_type=CONTENT_TYPE_LATEST)

    return metrics


def _refuse(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answers what GraphQL answers for an error, for every other path as well."""
    status = 500
    if isinstance(error, HTTPException):
        status, error = error.status_code, _told(error)
    elif isinstance(error, UnavailableError):
        status = 503
    return web.json_answer({"errors": [tell_alone(error)]}, status=status)


def _told(error: HTTPException) -> EcommerceError | HTTPException:
    if error.status_code == 404:
        return NotFoundError("There is nothing here.")
    return InvalidError(error.detail) if error.status_code < 500 else error


def _cors(origins: list[str]) -> CORSConfig:
    return CORSConfig(
        allow_origins=origins,
        allow_methods=["GET", "POST"],
        allow_headers=["content-type", "authorization", "idempotency-key", "if-none-match", "traceparent"],
        allow_credentials=True,
        max_age=600,
    )
