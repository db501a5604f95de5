"""The commands of the order service, as someone at a terminal sees them."""

import asyncio
import os
import sys

import pytest

from local.service_process import CHECKOUT


async def command(*arguments: str, **settings: str) -> tuple[int | None, str]:
    """Runs a command to its end; answers its exit status and all that it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.order", *arguments),
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], "METRICS_PORT": "0", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, output.decode()


async def test_a_missing_setting_stops_the_start_with_its_name() -> None:
    """All of them at once, in one line."""
    status, output = await command("serve", DATABASE_URL="postgresql://user:secret@127.0.0.1:1/none")
    assert status == 1
    (line,) = output.splitlines()
    assert all(name in line for name in ("KAFKA_BOOTSTRAP_SERVERS", "ACCOUNT_ADDRESS", "PRODUCT_ADDRESS"))
    assert "DATABASE_URL" not in line


@pytest.mark.parametrize("verb", ["serve", "migrate"])
async def test_a_wrong_address_is_one_line_without_the_password(verb: str) -> None:
    """The person who starts it is told what to mend, and no traceback."""
    status, output = await command(
        verb,
        DATABASE_URL="mysql://user:secret@127.0.0.1/none",
        KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1",
        ACCOUNT_ADDRESS="127.0.0.1:1",
        PRODUCT_ADDRESS="127.0.0.1:1",
        GRPC_PORT="0",
    )
    assert status == 1
    assert output.strip().startswith("order: ")
    assert "postgresql://" in output
    assert "secret" not in output
    assert "Traceback" not in output


async def test_a_port_in_use_is_one_line() -> None:
    """As when it is started twice."""
    listening = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        status, output = await command(
            "serve",
            DATABASE_URL="postgresql://user:secret@127.0.0.1:1/none",
            KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1",
            ACCOUNT_ADDRESS="127.0.0.1:1",
            PRODUCT_ADDRESS="127.0.0.1:1",
            GRPC_HOST="127.0.0.1",
            GRPC_PORT=str(port),
        )
    assert status == 1
    assert output.splitlines()[-1].startswith("order: ")
    assert str(port) in output.splitlines()[-1]
    assert "Traceback" not in output
