"""The account service as a process of its own, on a database of its own."""

import asyncio
import os
import sys
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.ports import free_ports
from local.service_process import CHECKOUT, ServiceProcess
from local.topology import row_of
from protos.gen.ecommerce.account.v1 import AccountServiceStub
from services import rpc
from services.account.encryption import KeyCipher

ENCRYPTION_KEY = urlsafe_b64encode(bytes(range(32))).decode()
CIPHER = KeyCipher([ENCRYPTION_KEY])


@dataclass(frozen=True)
class Running:
    """A replica, and the stub of a channel to it."""

    process: ServiceProcess
    channel: rpc.Channel
    stub: AccountServiceStub = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stub", self.channel.stub(AccountServiceStub))


Start = Callable[..., Awaitable[Running]]


@pytest.fixture(scope="module")
async def start(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Start]:
    """Starts a replica, on a database that is migrated first unless it was before; settings are given by keyword."""
    async with AsyncExitStack() as running:

        async def start(database_url: str, *, migrate: bool = True, **settings: str) -> Running:
            process = replica(database_url, tmp_path_factory.mktemp("account"), settings)
            if migrate:
                await process.migrate()
            await process.start()
            running.push_async_callback(process.stop)
            # Twenty passwords at once take their time to be hashed on a busy machine.
            channel = rpc.Channel(f"127.0.0.1:{process.port}", timeout=30)
            running.push_async_callback(channel.close)
            return Running(process, channel)

        yield start


@pytest.fixture(scope="module")
async def database_url(new_database: Callable[[str], Awaitable[str]]) -> str:
    """The database of the module."""
    return await new_database("account")


@pytest.fixture(scope="module")
async def account(start: Start, database_url: str) -> Running:
    """The replica that most tests of the module share."""
    return await start(database_url)


def replica(database_url: str, folder: Path, settings: Mapping[str, str]) -> ServiceProcess:
    ports = free_ports(["grpc", "metrics"])
    environment = {
        "DATABASE_URL": database_url,
        "KEY_ENCRYPTION_KEY": ENCRYPTION_KEY,
        "GRPC_HOST": "127.0.0.1",
        "GRPC_PORT": str(ports["grpc"]),
        "METRICS_HOST": "127.0.0.1",
        "METRICS_PORT": str(ports["metrics"]),
        **settings,
    }
    return ServiceProcess(row_of("account"), "account", folder / "account.log", environment)


async def command(verb: str, **settings: str) -> tuple[int, str]:
    """Runs a command of the service to its end; answers its exit status and all that it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.account", verb),
        cwd=CHECKOUT,
        env={**os.environ, "KEY_ENCRYPTION_KEY": ENCRYPTION_KEY, "METRICS_PORT": "0", "GRPC_PORT": "0", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, output.decode()
