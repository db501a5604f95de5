"""`python -m local.kubernetes.node.supervisor FOLDER NAME`: runs the cluster inside the node and answers the host."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from local.errors import LocalError, StartFailedError
from local.kubernetes.node import containers
from local.kubernetes.node.cluster import Cluster
from local.kubernetes.node.control import Answer, serve
from local.kubernetes.node.following import Progress
from local.kubernetes.node.layout import Layout, Record

_RESTART_WITHIN = 120.0


class Supervisor:
    """What can be asked of a running node."""

    def __init__(self, cluster: Cluster, progress: Progress) -> None:
        self._cluster, self._progress = cluster, progress

    async def answer(self, request: Answer) -> AsyncIterator[Answer]:
        """Answer one request; `follow` goes on until the node is ready."""
        match request.get("verb"):
            case "follow":
                async for line in self._progress.follow(self._cluster.ready):
                    yield {"line": line}
                yield {"ready": True}
            case "status":
                yield self._status()
            case "restart":
                await self._restart(str(request["daemon"]), kill=bool(request["kill"]))
                yield {"restarted": request["daemon"]}
            case "kill-containers":
                yield {"killed": containers.kill_all()}
            case other:
                raise StartFailedError(f"the node does not know how to {other}")

    def _status(self) -> Answer:
        daemons = [
            {
                "name": kept.name,
                "serves": kept.serves,
                "pid": kept.process.pid if kept.process.running else None,
                "starts": kept.starts,
            }
            for kept in self._cluster.daemons.values()
        ]
        return {"ready": self._cluster.ready.is_set(), "daemons": daemons}

    async def _restart(self, name: str, *, kill: bool) -> None:
        daemon = self._cluster.daemons.get(name)
        if daemon is None:
            raise StartFailedError(f"there is no daemon {name}; there are: {', '.join(self._cluster.daemons)}")
        try:
            await asyncio.wait_for(daemon.restart(kill=kill), _RESTART_WITHIN)
        except TimeoutError:
            raise StartFailedError(f"{name} did not serve again within {_RESTART_WITHIN:.0f} s") from None


async def main(folder: str, name: str) -> None:
    """Run the cluster until this process is killed."""
    layout = Layout(Path(folder))
    record = Record.read(layout.record)
    if record is None:
        raise StartFailedError(f"{layout.record} is missing")
    progress = Progress()
    cluster = Cluster(layout, name, record.address, progress)
    async with await serve(layout.socket, Supervisor(cluster, progress).answer):
        await cluster.run()


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except LocalError as error:
        sys.exit(str(error))
