"""Who a service is when it does something by itself: a token of its own, had from account for a shared secret.

The token is kept until a minute before it expires. However many ask for it, it is fetched by one call at a time, which
belongs to none of them: it has no deadline but the channel's, so a caller in a hurry does not spoil it for the others,
and when it fails, all who wait for it learn so at once.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from protos.gen.ecommerce.account import v1 as account_v1
from services import rpc
from services.errors import EcommerceError, UnavailableError

log = structlog.get_logger(__name__)

# A token with less to live than this is not used any more: calls on their way and clocks that differ need some of it.
MARGIN: Final = timedelta(minutes=1)


class ServiceToken:
    """The token of `service`; `channel` leads to account, `clock` answers the present as an aware datetime."""

    def __init__(
        self,
        channel: rpc.Channel,
        service: str,
        secret: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._stub = channel.stub(account_v1.AccountServiceStub)
        self._service = service
        self._secret = secret
        self._clock = clock
        self._token = ""
        self._good_until = datetime.min.replace(tzinfo=UTC)
        self._fetching: asyncio.Task[str] | None = None

    async def current(self) -> str:
        """Answers a token that is good for a minute at least; raises UnavailableError when none can be had now."""
        if self._clock() < self._good_until:
            return self._token
        if self._fetching is None or self._fetching.done():
            # An empty context: neither the token nor the deadline of whoever happens to ask first.
            self._fetching = asyncio.get_running_loop().create_task(self._fetch(), context=Context())
        return await asyncio.shield(self._fetching)

    def forget(self, token: str) -> None:
        """Has another token fetched next time, if this is the one that is kept: for who saw it refused."""
        if token == self._token:
            self._good_until = datetime.min.replace(tzinfo=UTC)

    async def _fetch(self) -> str:
        request = account_v1.IssueServiceTokenRequest(service=self._service, secret=self._secret)
        try:
            issued = await self._stub.issue_service_token(request)
        except EcommerceError as error:
            # A wrong secret is for the operator to mend, and no fault of the person whose request is being handled.
            log.warning("account does not sign this service in", service=self._service, reason=error.message)
            raise UnavailableError("The service cannot sign in now.") from error
        if issued.expires_at is None:
            raise UnavailableError("The service cannot sign in now.")
        self._token, self._good_until = issued.token, issued.expires_at - MARGIN
        return self._token
