"""The server of constant bytes, as a process of its own."""

from pathlib import Path

import httpx
import psutil

from tests.bench.constant import ConstantServer


async def test_constant_bytes(tmp_path: Path) -> None:
    """It answers its bytes to whatever is asked, read to the end, until it is stopped; then nothing listens there."""
    body = b'{"data":{"product":[]}}' * 100
    async with ConstantServer(tmp_path, body) as server, httpx.AsyncClient(timeout=10) as client:
        for sent in (b"{}", b"x" * 300_000):
            answer = await client.post(server.url, content=sent)
            assert (answer.status_code, answer.content) == (200, body)
            assert answer.headers["content-type"] == "application/json"
        pid = server.pid
    assert not psutil.pid_exists(pid)
