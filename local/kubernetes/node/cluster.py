"""The cluster inside the node: all its daemons, each started when those that it needs serve, then what they are given.

Started again on what is there (after its supervisor died) it does the same things, which then change nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from time import monotonic

from local.errors import LocalError, StartFailedError
from local.kubernetes.addons import OBJECTS, Place, addons, apply
from local.kubernetes.certificates import Authority
from local.kubernetes.control_plane import API_SERVER, CONTROLLERS, ETCD, SCHEDULER, Site
from local.kubernetes.control_plane import daemons as control_plane
from local.kubernetes.daemons import DaemonProcess
from local.kubernetes.node import pause
from local.kubernetes.node.agents import agents
from local.kubernetes.node.following import Progress
from local.kubernetes.node.keeping import Kept
from local.kubernetes.node.layout import API_PORT, DNS, PODS, SERVICES, Layout
from local.kubernetes.node.runtime import NAME as CONTAINERD
from local.kubernetes.node.runtime import SANDBOX_IMAGE, SOCKET, containerd
from local.kubernetes.tools import tool

_PORTS = {
    API_SERVER: API_PORT,
    ETCD: 2379,
    "etcd-peer": 2380,
    "etcd-health": 2381,
    CONTROLLERS: 10257,
    SCHEDULER: 10259,
}
_SMALL = {"GOGC": "50"}  # collects garbage sooner: half the heap for a little more work
_JOB_DEADLINE = 120.0
_AGAIN = 2.0


class Cluster:
    """The daemons of one node, and whether they have become a cluster."""

    def __init__(self, layout: Layout, name: str, address: str, progress: Progress) -> None:
        """Describe the cluster of a layout as seen inside; nothing runs yet."""
        self.ready = asyncio.Event()
        self._layout, self._name, self._report = layout, name, progress.report
        site = Site(layout.control_plane, _PORTS, address, SERVICES, PODS, (name,))
        place = Place(layout.folder / "addons", address, site.url, Authority(site.credentials), DNS)
        self._addons = addons(place, self._report)
        own = (containerd(), *control_plane(site, self._report), *agents(site, name, self._report))
        named = (*own, *(daemon for addon in self._addons for daemon in addon.daemons))
        described = tuple(replace(each, environment={**_SMALL, **each.environment}) for each in named)
        milestones = (*(each.name for each in described), SANDBOX_IMAGE, OBJECTS)
        self._reached = {each: asyncio.Event() for each in milestones}
        self.daemons = {
            each.name: Kept(DaemonProcess(each, layout.logs / f"{each.name}.log"), self._reached, self._report)
            for each in described
        }

    async def run(self) -> None:
        """Run it all; ends only by being cancelled, and then ends the daemons."""
        try:
            async with asyncio.TaskGroup() as group:
                for daemon in self.daemons.values():
                    group.create_task(daemon.run())
                group.create_task(self._become_ready())
        finally:
            await asyncio.gather(*(daemon.process.kill() for daemon in self.daemons.values()))

    async def _become_ready(self) -> None:
        began = monotonic()
        await asyncio.gather(
            self._once(CONTAINERD, SANDBOX_IMAGE, self._import_sandbox_image),
            self._once(API_SERVER, OBJECTS, self._apply_objects),
            *(reached.wait() for reached in self._reached.values()),
        )
        await self._until_done("the node", self._wait_for_node)
        self._report(f"  {'node':<26} ready  {monotonic() - began:6.1f} s")
        self.ready.set()

    async def _once(self, after: str, milestone: str, job: Callable[[], Awaitable[None]]) -> None:
        await self._reached[after].wait()
        await self._until_done(f"the {milestone}", job)
        self._reached[milestone].set()

    async def _until_done(self, what: str, job: Callable[[], Awaitable[None]]) -> None:
        """Do it until it succeeds: what it needs may be restarted meanwhile."""
        while True:
            try:
                await job()
            except LocalError as error:
                self._report(f"  {what}: {error}")
                await asyncio.sleep(_AGAIN)
            else:
                return

    async def _import_sandbox_image(self) -> None:
        await _run(["ctr", "-a", str(SOCKET), "-n", "k8s.io", "images", "import", str(pause.archive(self._report))])

    async def _apply_objects(self) -> None:
        await apply(self._addons, self._layout.kubeconfig, self._report)

    async def _wait_for_node(self) -> None:
        for condition in ("create", "condition=Ready"):
            await self._kubectl("wait", f"--for={condition}", f"node/{self._name}", "--timeout=60s")

    async def _kubectl(self, *arguments: str) -> None:
        kubectl = str(tool("kubectl", self._report))
        await _run([kubectl, "--kubeconfig", str(self._layout.kubeconfig), *arguments])


async def _run(command: Sequence[str]) -> None:
    """Run a command to its end; raises StartFailedError with its last words."""
    pipe, together = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=together)
    try:
        said, _ = await asyncio.wait_for(process.communicate(), _JOB_DEADLINE)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise StartFailedError(f"`{' '.join(command)}` took longer than {_JOB_DEADLINE:.0f} s") from None
    if process.returncode:
        raise StartFailedError(f"`{' '.join(command)}` failed: {said.decode(errors='replace')[-2000:]}")
