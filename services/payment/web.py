"""The payment service's HTTP address: webhooks, the provider's own pages where it has some here, and probes.

Nothing here needs a sign-in of the platform: a webhook is signed, and a page's address is its key.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from litestar import Litestar, Request, Response, Router, asgi, get
from litestar.exceptions import HTTPException
from litestar.types import Receive, Scope, Send

from services.errors import EcommerceError, ForbiddenError, NotFoundError, RateLimitedError, UnavailableError
from services.payment.webhook import Webhooks
from services.serving import Drain

# Pages set stricter ones of their own.
SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_STATUS: Final[dict[type[EcommerceError], int]] = {
    ForbiddenError: 403,
    NotFoundError: 404,
    RateLimitedError: 429,
    UnavailableError: 503,
}


def create_app(
    webhooks: Webhooks, pages: Sequence[Router], *, missing: Callable[[], Awaitable[list[str]]], drain: Drain
) -> Litestar:
    """Answers the ASGI application; `missing` names what keeps the service from its work."""
    return Litestar(
        [_webhook(webhooks), _healthz, _readyz(missing, drain), *pages],
        response_headers=SECURITY_HEADERS,
        exception_handlers={Exception: _refuse},
        openapi_config=None,
        logging_config=None,
    )


def _webhook(webhooks: Webhooks) -> Any:
    @asgi("/webhook/payment", copy_scope=False)
    async def webhook(scope: Scope, receive: Receive, send: Send) -> None:
        await webhooks(scope, receive, send)

    return webhook


@get("/healthz", sync_to_thread=False)
def _healthz() -> dict[str, str]:
    """Answers while the process is alive, whatever else is not."""
    return {"status": "alive"}


def _readyz(missing: Callable[[], Awaitable[list[str]]], drain: Drain) -> Any:
    @get("/readyz")
    async def readyz() -> Response[dict[str, Any]]:
        """Answers 200 when webhooks can be taken, and 503 with what is missing otherwise."""
        if drain.started:
            return Response({"status": "stopping", "missing": []}, status_code=503)
        names = await missing()
        return Response(
            {"status": "not ready" if names else "ready", "missing": names}, status_code=503 if names else 200
        )

    return readyz


def _refuse(_: Request[Any, Any, Any], error: Exception) -> Response[dict[str, str]]:
    """Answers an error as JSON; what is nobody's business is told as nothing."""
    if isinstance(error, HTTPException):
        return Response(
            {"error": error.detail if error.status_code < 500 else "Internal error."}, status_code=error.status_code
        )
    status = _STATUS.get(type(error), 400) if isinstance(error, EcommerceError) else 500
    return Response(
        {"error": error.message if isinstance(error, EcommerceError) else "Internal error."}, status_code=status
    )
