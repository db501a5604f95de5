"""What every HTTP address of the platform answers alike: JSON with the headers that protect it, and probes.

/healthz answers while the process is alive, whatever else is not. /readyz answers 200 when requests can be served and
503 otherwise, with the names of what is missing either way; it turns to 503 as soon as the process is about to stop,
so that balancers send nothing new here (see serving.py).
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, Protocol

import msgspec
from litestar import Response, get

from services.serving import Drain

# Nothing is taken for another type than was said, framed by someone else's page, or named to where a link leads.
SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


class Readiness(Protocol):
    """Knows what the process lacks; asked by every probe, so it keeps its answer for a moment."""

    async def missing(self) -> list[str]:
        """Answers the names of what does not answer; never raises."""

    def is_ready(self, missing: Collection[str], /) -> bool:
        """Answers whether requests can be served without these."""


def json_answer(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """Answers `body` as JSON that nobody keeps, unless `headers` say otherwise."""
    sent = {**SECURITY_HEADERS, "Cache-Control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json", headers=sent)


@get("/healthz", sync_to_thread=False)
def healthz() -> Response[bytes]:
    """Answers while the process is alive, whatever else is not."""
    return json_answer({"status": "alive"})


def readyz(readiness: Readiness, drain: Drain) -> Any:
    """Answers the handler of /readyz."""

    @get("/readyz")
    async def handler() -> Response[bytes]:
        if drain.started:
            return json_answer({"status": "stopping", "missing": []}, status=503)
        missing = await readiness.missing()
        if not readiness.is_ready(missing):
            return json_answer({"status": "not ready", "missing": missing}, status=503)
        return json_answer({"status": "ready", "missing": missing})

    return handler
