"""Requests to the API server: each with a deadline, repeated a few times where that is safe, and typed errors.

kubernetes.aio brings the configuration (kubeconfig, service account, its rotating token) and the transport; models and
discovery are left out, because objects are plain dicts here and the kinds are a table (`kinds.py`).
"""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from ecommerce_operator.errors import (
    ConflictError,
    GoneError,
    NotFoundError,
    RefusedError,
    TerminatingError,
    UnreachableError,
)
from ecommerce_operator.metrics import API_REQUESTS

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"

DEADLINE: Final = 15.0  # seconds for one request; the API server itself gives up admission webhooks after 10
# Seconds before the second, third … attempt; after the last the whole pass is tried again later.
PAUSES: Final = (0.2, 0.5, 1.0)
LONGEST_PAUSE: Final = 5.0  # seconds, whatever Retry-After says
_BUSY: Final = frozenset({429, 500, 502, 503, 504})
_REPEATABLE: Final = frozenset({"GET", "PATCH", "DELETE", "PUT"})
_ERRORS: Final = {404: NotFoundError, 409: ConflictError, 410: GoneError}
_LINE_LIMIT: Final = 8 * 1024 * 1024  # bytes; etcd takes objects of 1.5 MB at most


async def connect(kubeconfig: str) -> ApiClient:
    """Answers a client for the cluster of that file; without one, for that of this pod or of the user's own file."""
    configuration: Any = type.__call__(Configuration)
    if kubeconfig or not in_cluster():
        await config.load_kube_config(  # type: ignore[no-untyped-call]  # the package types only a part of itself
            config_file=kubeconfig or None, client_configuration=configuration, persist_config=False
        )
    else:
        loader = config.incluster_config.InClusterConfigLoader(  # type: ignore[no-untyped-call]
            config.incluster_config.SERVICE_TOKEN_FILENAME, config.incluster_config.SERVICE_CERT_FILENAME
        )
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
    # Every watch holds a connection for as long as it runs.
    configuration.connection_pool_maxsize = 128
    return ApiClient(configuration=configuration)


def in_cluster() -> bool:
    """Answers whether this process has a pod's service account."""
    return Path(config.incluster_config.SERVICE_TOKEN_FILENAME).exists()


class Api:
    """The API server behind `client`."""

    def __init__(self, client: ApiClient, pauses: Sequence[float] = PAUSES) -> None:
        self._client = client
        self._pauses = pauses

    async def request(  # noqa: PLR0913 the parts of an HTTP request
        self,
        verb: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        *,
        content: str = JSON,
        accept: str = JSON,
    ) -> Any:
        """Answers what the server did, parsed if it is JSON; raises UnreachableError or a RefusedError.

        Except for POST the request is repeated while the server is busy or away.
        """
        request = _Request(verb, path, query or {}, body, content, accept)
        for pause in (*(self._pauses if verb in _REPEATABLE else ()), None):
            try:
                return await self._once(request)
            except _BusyError as error:
                if pause is None:
                    raise UnreachableError(str(error)) from None
                await asyncio.sleep(min(max(pause, error.retry_after), LONGEST_PAUSE) * random.uniform(0.8, 1.2))
        raise AssertionError  # the last pause is None

    async def stream(
        self, path: str, query: Mapping[str, str], accept: str, inactivity: float
    ) -> AsyncIterator[dict[str, Any]]:
        """Yields a watch's events until the server ends it; raises GoneError after `inactivity` seconds of silence."""
        limits = aiohttp.ClientTimeout(total=None, sock_connect=DEADLINE, sock_read=inactivity)
        response = await self._send(_Request("WATCH", path, query, None, JSON, accept), limits)
        try:
            if response.status >= 400:
                raise _error(response.status, await response.read())
            async with aclosing(_lines(response.content)) as lines:
                async for line in lines:
                    yield json.loads(line)
        except TimeoutError:
            raise GoneError("A watch was silent for too long.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(f"A watch broke off: {type(error).__name__}.") from None
        finally:
            response.close()

    async def close(self) -> None:
        """Closes every connection."""
        await self._client.close()  # type: ignore[no-untyped-call]  # the package types only a part of itself

    async def _once(self, request: "_Request") -> Any:
        try:
            response = await self._send(request, aiohttp.ClientTimeout(total=DEADLINE))
            data = await response.read()
        except UnreachableError as error:
            raise _BusyError(str(error)) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _BusyError(f"The API server does not answer: {type(error).__name__}.") from None
        if response.status in _BUSY and not _is_terminating(data):
            raise _BusyError(f"The API server is busy: {_message(data)}", response.headers.get("Retry-After", "0"))
        if response.status >= 400:
            raise _error(response.status, data)
        return json.loads(data) if "json" in response.content_type else data.decode(errors="replace")

    async def _send(self, request: "_Request", limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        client: Any = self._client
        prepared = await client.param_serialize(
            "GET" if request.verb == "WATCH" else request.verb,
            request.path,
            query_params=list(request.query.items()),
            header_params={"Accept": request.accept, "Content-Type": request.content},
            body=request.body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = await client.call_api(*prepared, _request_timeout=limits)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            API_REQUESTS.labels(request.verb, "0").inc()
            raise UnreachableError(f"The API server does not answer: {type(error).__name__}.") from None
        API_REQUESTS.labels(request.verb, str(answer.status)).inc()
        response: aiohttp.ClientResponse = answer.response
        return response


@dataclass(frozen=True, slots=True)
class _Request:
    """One request; WATCH is a GET that does not end."""

    verb: str
    path: str
    query: Mapping[str, str]
    body: object
    content: str
    accept: str


class _BusyError(Exception):
    """The same request may pass later."""

    def __init__(self, message: str, retry_after: str = "0") -> None:
        super().__init__(message)
        self.retry_after = float(retry_after) if retry_after.isdigit() else 0.0


def _error(status: int, data: bytes) -> RefusedError:
    answer = _parsed(data)
    message, reason = _message(data), str(answer.get("reason", ""))
    if _is_terminating(data):
        return TerminatingError(message, status, reason)
    return _ERRORS.get(status, RefusedError)(message, status, reason)


def _is_terminating(data: bytes) -> bool:
    causes = (_parsed(data).get("details") or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def _message(data: bytes) -> str:
    return str(_parsed(data).get("message") or data[:300].decode(errors="replace") or "no answer")


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(data)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


async def _lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    """Yields the lines of a stream; aiohttp's own way refuses those that are longer than its buffer."""
    rest = b""
    async for chunk in content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
        if len(rest) > _LINE_LIMIT:
            raise UnreachableError("A watch sent an event that is too long.")
