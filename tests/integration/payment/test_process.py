"""The commands of the payment service, as someone at a terminal sees them."""

import asyncio
import os
import socket
import sys

import pytest

from local.service_process import CHECKOUT

SECRET = "whsec_c2VjcmV0LW9mLXRoaXJ0eS10d28tYnl0ZXMtbG9uZyE="
ENOUGH = {
    "DATABASE_URL": "postgresql://user:hidden@127.0.0.1:1/none",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "ACCOUNT_ADDRESS": "127.0.0.1:1",
    "ORDER_ADDRESS": "127.0.0.1:1",
    "GRPC_HOST": "127.0.0.1",
    "GRPC_PORT": "0",
    "HTTP_HOST": "127.0.0.1",
    "SERVICE_SECRET": "hidden-secret-of-a-service",
    "WEBHOOK_SECRETS": SECRET,
}


async def command(verb: str, settings: dict[str, str]) -> list[str]:
    """Runs a command to its end, which has to be a fault; answers the lines that it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.payment", verb),
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], "METRICS_PORT": "0", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1, output
    assert b"Traceback" not in output
    assert b"hidden" not in output
    return output.decode().splitlines()


async def test_missing_settings_stop_the_start_with_their_names() -> None:
    """All of them at once, in one line."""
    (line,) = await command("serve", {"DATABASE_URL": ENOUGH["DATABASE_URL"]})
    missing = ("KAFKA_BOOTSTRAP_SERVERS", "ACCOUNT_ADDRESS", "ORDER_ADDRESS", "SERVICE_SECRET", "WEBHOOK_SECRETS")
    assert line.startswith("payment: ")
    assert all(name in line for name in missing)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"WEBHOOK_SECRETS": "hidden"}, "WEBHOOK_SECRETS"),
        ({"PAYMENT_PROVIDER": "stripe"}, "PROVIDER_API_KEY"),
        ({"PUBLIC_URL": "shop.example.com"}, "PUBLIC_URL"),
        ({"DATABASE_URL": "mysql://user:hidden@127.0.0.1/none"}, "postgresql://"),
    ],
)
async def test_a_wrong_setting_is_one_line(wrong: dict[str, str], named: str) -> None:
    """The person who starts it is told what to mend, and no secret."""
    (line,) = await command("serve", {**ENOUGH, **wrong})
    assert line.startswith("payment: ")
    assert named in line


@pytest.mark.parametrize("port", ["GRPC_PORT", "HTTP_PORT"])
async def test_a_port_in_use_is_told(port: str) -> None:
    """Either of the two ends the process, and nothing of it stays behind."""
    listening = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with listening:
        taken = str(listening.sockets[0].getsockname()[1])
        lines = await command("serve", {**ENOUGH, "HTTP_PORT": str(_free()), port: taken})
    assert lines[-1].startswith("payment: ")
    assert taken in lines[-1]


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
