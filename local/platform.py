"""The whole platform as processes: the datastores, each database migrated, then every service.

    async with Platform() as platform:
        httpx.post(platform.graphql_url, json={"query": "{ __typename }"})
        await platform.service("order").kill()
        await platform.service("order").start()

Without a layout it lives in a temporary folder on free ports, and leaves nothing.
"""

import asyncio
import tempfile
from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex
from typing import Self

from local import artifacts
from local.credentials import administrator_password_file, credentials
from local.datastores import PORTS, Datastores, Layout, started
from local.ports import free_ports, require_free
from local.processes import Process, all_at_once
from local.progress import Report, silent
from local.secrets import keep, token
from local.service_process import ServiceProcess
from local.tools import require_openmp
from local.topology import INSTANCES, NAMES, Addresses, environment, listeners, row_of, worker_of

USUAL_PORTS: Mapping[str, int] = {
    **PORTS,
    **{name: port for instance in INSTANCES for name, port in listeners(row_of(instance), instance)},
}


class Platform:
    """Datastores and services of one layout, started and stopped together.

    `instances` chooses what runs: names of services and workers, and `gateway-2` for one more gateway (default: one
    of each). `overrides` adds environment to a service and its workers by its name, and to one instance by its own
    (`gateway-2`), which counts more. `datastores` that already run are used and left running;
    the databases are then of new names, topics and indexes the shared ones. A port that the layout does not name is a
    free one.
    """

    administrator_email = "admin@example.com"

    def __init__(
        self,
        layout: Layout | None = None,
        *,
        instances: Collection[str] = INSTANCES,
        overrides: Mapping[str, Mapping[str, str]] | None = None,
        datastores: Datastores | None = None,
        report: Report = silent,
    ) -> None:
        """Describe the platform; nothing runs and nothing is fetched yet."""
        self._cleanup = ExitStack()
        self._report = report
        self._rows = {instance: row_of(instance) for instance in instances}
        self._overrides = overrides or {}
        self._services: dict[str, ServiceProcess] = {}
        self.layout = self._complete(layout or Layout.temporary(self._temporary_folder()))
        self.datastores = datastores or Datastores(self.layout, report)
        self._owns_datastores = datastores is None
        self._database_suffix = "" if self._owns_datastores else f"_{token_hex(4)}"

    @classmethod
    def temporary(cls, folder: Path, *, overrides: Mapping[str, Mapping[str, str]] | None = None) -> Self:
        """Answer all of it for tests, in a folder of theirs, on free ports."""
        return cls(Layout.temporary(folder), overrides=overrides)

    @property
    def graphql_url(self) -> str:
        """Where the gateway answers GraphQL."""
        return f"http://127.0.0.1:{self.layout.ports['gateway']}/graphql"

    @property
    def administrator_password_file(self) -> Path:
        """Where the administrator's password is kept."""
        return administrator_password_file(self.layout.folder)

    @property
    def administrator_password(self) -> str:
        """The password of the account that the first start makes."""
        return keep(self.administrator_password_file, token)

    def service(self, instance: str) -> ServiceProcess:
        """Answer a started service, or its second instance as `gateway-2`; raises KeyError."""
        return self._services[instance]

    def environment(self, instance: str) -> dict[str, str]:
        """Answer what an instance is given, overrides included, so that its other commands can be run beside it."""
        service = self._rows[instance]
        given = environment(service, instance, self._addresses())
        for name in (service.name, instance):
            given |= self._overrides.get(name, {})
        return given

    @property
    def processes(self) -> tuple[Process, ...]:
        """All that belongs to it, in the order of starting."""
        return (*(reversed(self.datastores.all) if self._owns_datastores else ()), *self._services.values())

    def check(self) -> None:
        """Raise ToolMissingError or PortTakenError before anything is started or fetched."""
        artifacts.check_tools()
        if any(map(worker_of, self._rows)):
            require_openmp()
        for name in (*(PORTS if self._owns_datastores else ()), *self._listeners(self._rows)):
            require_free(name, self.layout.ports[name])

    def describe(self) -> None:
        """Make the service objects, without starting them; needs the cache to be filled."""
        for instance, service in self._rows.items():
            log = self.layout.logs / f"{instance}.log"
            given = self.environment(instance)
            self._services[instance] = ServiceProcess(service, instance, log, given)

    async def start(self) -> None:
        """Start everything and wait until all of it serves; where one part fails, all is ended again."""
        try:
            self.check()
            await asyncio.to_thread(self.datastores.fetch)
            self.describe()
            await self._start_datastores()
            await all_at_once(*(started(process, self._report) for process in self._services.values()))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End everything, what faces outside first and the datastores last. The data stays, unless it was temporary."""
        outside = [one for one in self._services.values() if self._rows[one.name].http]
        inside = [one for one in self._services.values() if not self._rows[one.name].http]
        await asyncio.gather(*(process.stop() for process in outside))
        await asyncio.gather(*(process.stop() for process in inside))
        if self._owns_datastores:
            await self.datastores.stop()
        self._cleanup.close()

    async def _start_datastores(self) -> None:
        """Start them; the migrations need only PostgreSQL, which is there long before the others."""
        stores = self.datastores
        if not self._owns_datastores:
            await self._migrate_all()
            return
        slow = (started(process, self._report) for process in stores.all if process is not stores.postgres)
        await all_at_once(*slow, self._start_postgres())

    async def _start_postgres(self) -> None:
        await started(self.datastores.postgres, self._report)
        await self._migrate_all()

    async def _migrate_all(self) -> None:
        with_database = [name for name, service in self._rows.items() if service.database and name == service.name]
        await all_at_once(*(self._migrate(name) for name in with_database))

    async def _migrate(self, name: str) -> None:
        await self.datastores.postgres.create_database(name + self._database_suffix)
        await self._services[name].migrate()

    def _addresses(self) -> Addresses:
        stores = self.datastores
        suffix = self._database_suffix
        return Addresses(
            ports=self.layout.ports,
            databases={r.name: stores.postgres.url(r.name + suffix) for r in self._rows.values() if r.database},
            kafka=stores.kafka.bootstrap_servers,
            elasticsearch=stores.elasticsearch.url,
            credentials=credentials(self.layout.folder, self.administrator_email),
        )

    def _complete(self, layout: Layout) -> Layout:
        """Give each listener a port: the layout's, or a free one; also a service that is run by other means."""
        wanted = self._listeners({*NAMES, *self._rows})
        chosen = free_ports(name for name in wanted if name not in layout.ports)
        return Layout(layout.folder, {**layout.ports, **chosen}, durable=layout.durable)

    @staticmethod
    def _listeners(instances: Iterable[str]) -> list[str]:
        return [name for instance in instances for name, _ in listeners(row_of(instance), instance)]

    def _temporary_folder(self) -> Path:
        return Path(self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="ecommerce-")))

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it."""
        await self.stop()
