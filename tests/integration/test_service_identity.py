"""Claims about the token of a service, over gRPC, with an account service that the test has in hand."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from protos.gen.ecommerce.account import v1 as account_v1
from services import rpc
from services.errors import UnauthenticatedError, UnavailableError
from services.rpc import context
from services.service_identity import MARGIN, ServiceToken
from services.tokens import Identity

SECRET = "the secret of the payment service"
LIFETIME = timedelta(minutes=10)


@dataclass
class Hands(account_v1.AccountServiceBase):
    """Issues numbered tokens while it is open."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    open: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    issued: int = 0
    callers: list[str | None] = field(default_factory=list)

    def clock(self) -> datetime:
        return self.now

    async def issue_service_token(
        self, message: account_v1.IssueServiceTokenRequest
    ) -> account_v1.IssueServiceTokenResponse:
        self.callers.append(caller.token if (caller := rpc.caller()) else None)
        self.asked.release()
        await self.open.wait()
        if (message.service, message.secret) != ("payment", SECRET):
            raise UnauthenticatedError("The service or its secret is wrong.")
        self.issued += 1
        return account_v1.IssueServiceTokenResponse(token=f"token-{self.issued}", expires_at=self.now + LIFETIME)


@dataclass
class World:
    """The account service and a channel to it."""

    account: Hands
    server: rpc.Server
    channel: rpc.Channel

    def token(self, secret: str = SECRET) -> ServiceToken:
        return ServiceToken(self.channel, "payment", secret, self.account.clock)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    account = Hands()
    account.open.set()
    settings = rpc.ServerSettings("127.0.0.1", 0, drain_seconds=0)
    server = rpc.Server(settings, account, verifier=None)
    await server.start()
    async with rpc.Channel(f"127.0.0.1:{server.port}") as channel:
        yield World(account, server, channel)
    account.open.set()
    await server.stop()


async def test_a_token_is_kept_until_a_minute_before_its_end(world: World) -> None:
    """It is fetched once, and again when less than a minute of it is left."""
    token = world.token()
    assert [await token.current() for _ in range(3)] == ["token-1"] * 3
    world.account.now += LIFETIME - MARGIN - timedelta(seconds=1)
    assert await token.current() == "token-1"
    world.account.now += timedelta(seconds=1)
    assert await token.current() == "token-2"
    assert world.account.issued == 2


async def test_all_who_ask_at_once_share_one_call(world: World) -> None:
    """A hundred callers, one request."""
    world.account.open.clear()
    token = world.token()
    asking = [asyncio.create_task(token.current()) for _ in range(100)]
    await world.account.asked.acquire()
    world.account.open.set()
    assert set(await asyncio.gather(*asking)) == {"token-1"}
    assert len(world.account.callers) == 1


async def test_a_caller_who_goes_away_takes_the_token_from_nobody(world: World) -> None:
    """The first one to ask is cancelled; the second is answered by the same call."""
    world.account.open.clear()
    token = world.token()
    first = asyncio.create_task(token.current())
    await world.account.asked.acquire()
    second = asyncio.create_task(token.current())
    first.cancel()
    await asyncio.wait([first])
    world.account.open.set()
    assert await second == "token-1"
    assert len(world.account.callers) == 1


async def test_the_call_is_nobodys(world: World) -> None:
    """It carries neither the token of the person whose request is being handled, nor what is left of its time."""

    async def handle() -> str:
        loop = asyncio.get_running_loop()
        context.enter(Identity(7, "customer", "a-persons-token"), loop.time() - 1)
        return await world.token().current()

    assert await asyncio.create_task(handle()) == "token-1"
    assert world.account.callers == [None]


async def test_a_wrong_secret_is_no_persons_fault(world: World) -> None:
    """It is UnavailableError, so that nobody is told to sign in again; it heals when account learns the secret."""
    with pytest.raises(UnavailableError, match="cannot sign in now"):
        await world.token("another secret").current()


async def test_without_account_a_kept_token_goes_on(world: World) -> None:
    """With account away, a good token is used and a spent one is UnavailableError for all who wait; later it heals."""
    token = world.token()
    await token.current()
    await world.server.stop()
    assert await token.current() == "token-1"
    world.account.now += LIFETIME
    failures = await asyncio.gather(*(token.current() for _ in range(10)), return_exceptions=True)
    assert {type(failure) for failure in failures} == {UnavailableError}


async def test_a_refused_token_is_forgotten(world: World) -> None:
    """Who saw the kept token refused gets another; who saw an older one refused changes nothing."""
    token = world.token()
    await token.current()
    token.forget("token-0")
    assert await token.current() == "token-1"
    token.forget("token-1")
    assert await token.current() == "token-2"
