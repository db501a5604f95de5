"""PostgreSQL, Kafka and Elasticsearch together: one object to start, stop and break them.

    async with Datastores(Layout.temporary(folder)) as datastores:
        await datastores.postgres.create_database("order")
        await datastores.kafka.kill()
        await datastores.kafka.start()

The data stays in the layout's folder; starting again on it finds everything there.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import Self

from local import artifacts
from local.elasticsearch import Elasticsearch
from local.kafka import Kafka
from local.ports import free_ports
from local.postgres import Postgres
from local.processes import Process, all_at_once
from local.progress import Report, silent

# Not the ports people know by heart: those are often taken by a server of the host's own.
PORTS: Mapping[str, int] = {
    "postgres": 15432,
    "kafka": 19092,
    "kafka-controller": 19093,
    "elasticsearch": 19200,
    "elasticsearch-transport": 19300,
}


@dataclass(frozen=True)
class Layout:
    """Where data and logs are, which port each listener has, and whether commits must survive a power cut."""

    folder: Path
    ports: Mapping[str, int] = field(default_factory=lambda: dict(PORTS))
    durable: bool = True

    @classmethod
    def temporary(cls, folder: Path) -> Self:
        """Answer a layout for tests: free ports, and no waiting for the disk."""
        return cls(folder, free_ports(PORTS), durable=False)

    @property
    def logs(self) -> Path:
        """The folder of the log files."""
        return self.folder / "logs"


async def started(process: Process, report: Report) -> None:
    """Start a process and report how long it took."""
    began = monotonic()
    await process.start()
    report(f"  {process.name:<28} ready    {monotonic() - began:5.1f} s")


class Datastores:
    """The three datastores of one layout. The first use fetches what the cache lacks."""

    def __init__(self, layout: Layout, report: Report = silent) -> None:
        """Describe them; nothing runs yet."""
        self.layout = layout
        self._report = report

    @cached_property
    def postgres(self) -> Postgres:
        """The PostgreSQL server."""
        layout = self.layout
        binaries = artifacts.postgres(self._report)
        log = layout.logs / "postgres.log"
        return Postgres(binaries, layout.folder / "postgres", log, layout.ports["postgres"], durable=layout.durable)

    @cached_property
    def kafka(self) -> Kafka:
        """The Kafka broker."""
        layout = self.layout
        ports = layout.ports["kafka"], layout.ports["kafka-controller"]
        java, jars = artifacts.java(self._report), artifacts.kafka(self._report)
        return Kafka(java, jars, layout.folder / "kafka", layout.logs / "kafka.log", ports)

    @cached_property
    def elasticsearch(self) -> Elasticsearch:
        """The Elasticsearch node."""
        layout = self.layout
        ports = layout.ports["elasticsearch"], layout.ports["elasticsearch-transport"]
        files = (
            artifacts.java(self._report),
            artifacts.elasticsearch(self._report),
            artifacts.launcher(self._report),
        )
        log = layout.logs / "elasticsearch.log"
        return Elasticsearch(files, layout.folder / "elasticsearch", log, ports)

    @property
    def all(self) -> tuple[Process, ...]:
        """All of them, the slowest to start first."""
        return self.elasticsearch, self.kafka, self.postgres

    def fetch(self) -> None:
        """Bring what the cache lacks; raises ToolMissingError or FetchFailedError."""
        artifacts.check_tools()
        _ = self.all

    async def start(self) -> None:
        """Start all at once and wait until each serves; where one fails, the others are ended again."""
        await asyncio.to_thread(self.fetch)
        try:
            await all_at_once(*(started(process, self._report) for process in self.all))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all, gracefully where they can; the data stays."""
        await asyncio.gather(*(process.stop() for process in self.all))

    async def __aenter__(self) -> Self:
        """Start them."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End them."""
        await self.stop()
