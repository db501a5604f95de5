"""Questions that only a serving process answers, one for each protocol spoken here."""

import asyncio
import struct

import grpc

_API_VERSIONS = 18  # the one Kafka request that every version answers without a handshake
_SERVING = b"\x08\x01"  # HealthCheckResponse(status=SERVING)
_OK = 200


async def kafka_answers(port: int) -> bool:
    """Tell whether a Kafka broker answers an ApiVersions request without an error."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        request = struct.pack(">hhih", _API_VERSIONS, 0, 1, -1)
        writer.write(struct.pack(">i", len(request)) + request)
        (length,) = struct.unpack(">i", await reader.readexactly(4))
        _, error = struct.unpack(">ih", (await reader.readexactly(length))[:6])
        return bool(error == 0)
    finally:
        writer.close()


async def http_answers(port: int, path: str) -> bool:
    """Tell whether GET of a path on 127.0.0.1 answers 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        words = (await reader.readline()).split()
        return len(words) > 1 and int(words[1]) == _OK
    finally:
        writer.close()


async def grpc_serves(port: int) -> bool:
    """Tell whether the server's overall state in the gRPC health protocol is SERVING."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            return bool(await check(b"", timeout=2) == _SERVING)
        except grpc.aio.AioRpcError:
            return False
