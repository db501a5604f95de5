"""How the node is spoken to from the host: one line of JSON asks, lines of JSON answer, over a socket in its folder.

The path of a socket may hold 107 bytes only, so both ends name it by way of the open folder.
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from local.errors import LocalError, StartFailedError

Answer = dict[str, Any]
Handler = Callable[[Answer], AsyncIterator[Answer]]
_LIMIT = 65536  # bytes of one request


async def serve(path: Path, handler: Handler) -> asyncio.Server:
    """Answer requests on a socket; a LocalError becomes an answer with `error`."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ValueError):  # whoever asked has gone, or asked nonsense
            async for answer in _answers(handler, json.loads(await reader.readline())):
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(converse, sock=_listening(path), limit=_LIMIT)


def _listening(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    with _short(path) as short:
        listener.bind(short)
    return listener


async def _answers(handler: Handler, request: Answer) -> AsyncIterator[Answer]:
    try:
        async for answer in handler(request):
            yield answer
    except LocalError as error:
        yield {"error": str(error)}


def ask(path: Path, request: Mapping[str, Any], deadline: float) -> Iterator[Answer]:
    """Yield the answers as they come; raises StartFailedError where an answer is late, or is an error."""
    with socket.socket(socket.AF_UNIX) as connection, _short(path) as short:
        connection.settimeout(deadline)
        try:
            connection.connect(short)
            connection.sendall(json.dumps(request).encode() + b"\n")
            yield from map(_checked, connection.makefile())
        except TimeoutError:
            raise StartFailedError(f"the node did not answer within {deadline:.0f} s") from None
        except OSError as error:
            raise StartFailedError(f"the node's supervisor cannot be reached: {error}") from None


def _checked(line: str) -> Answer:
    answer: Answer = json.loads(line)
    if "error" in answer:
        raise StartFailedError(answer["error"])
    return answer


@contextmanager
def _short(path: Path) -> Iterator[str]:
    handle = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{path.name}"
    finally:
        os.close(handle)
