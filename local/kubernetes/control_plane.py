"""etcd and the API server, with the controllers and the scheduler where they are wanted.

Tests run them on loopback without root: objects are kept, defaulted, validated and admitted as in any cluster, but
without a kubelet no pod ever runs. The node runs the same daemons inside its own namespaces, at its own addresses.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import TracebackType
from typing import Self

from local.kubernetes.certificates import Authority, KeyPair, write_private
from local.kubernetes.daemons import Daemon, DaemonProcess, Probe
from local.kubernetes.tools import tool
from local.ports import free_ports
from local.progress import Report, silent

ETCD, API_SERVER, CONTROLLERS, SCHEDULER = "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"
_LOOPBACK = "127.0.0.1"
_LISTENERS = (API_SERVER, ETCD, "etcd-peer", "etcd-health", CONTROLLERS, SCHEDULER)
_ISSUER = "https://kubernetes.default.svc.cluster.local"
_HOSTS = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", _ISSUER.removeprefix("https://"))


@dataclass(frozen=True)
class Site:
    """Where a control plane runs and what its network is.

    `address` is where the API server listens and is reached; all else listens on loopback. `ports` are by daemon, with
    `etcd-peer` and `etcd-health`. `pods` is the range that nodes get their pods' addresses from; empty where none are.
    """

    folder: Path
    ports: dict[str, int]
    address: str = _LOOPBACK
    services: str = "10.96.0.0/16"
    pods: str = ""
    names: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def on_loopback(cls, folder: Path) -> "Site":
        """Answer a site on free ports of this host."""
        return cls(folder, free_ports(_LISTENERS))

    @property
    def url(self) -> str:
        """The API server's address for everyone but itself."""
        return f"https://{self.address}:{self.ports[API_SERVER]}"

    @property
    def credentials(self) -> Path:
        """The folder of certificates, keys and kubeconfig files."""
        return self.folder / "credentials"

    @property
    def admin_kubeconfig(self) -> Path:
        """The kubeconfig file of a user who may do everything; written by `daemons`."""
        return self.credentials / "admin.kubeconfig"


def daemons(site: Site, report: Report, *, controllers: bool = True, scheduler: bool = True) -> tuple[Daemon, ...]:
    """Answer the control plane's daemons in the order of their start, with fresh certificates written for them.

    Also writes `admin.kubeconfig` into the site's credentials.
    """
    recipes = _Recipes(site, Authority(site.credentials), report)
    write_private(site.admin_kubeconfig, recipes.authority.kubeconfig(site.url, "administrator", "system:masters"))
    found = [recipes.etcd(), recipes.api_server()]
    if controllers:
        found.append(recipes.controllers())
    if scheduler:
        found.append(recipes.client_daemon(SCHEDULER))
    return tuple(found)


@dataclass(frozen=True)
class _Recipes:
    site: Site
    authority: Authority
    report: Report

    def etcd(self) -> Daemon:
        """Describe etcd: on loopback, open only to holders of a certificate."""
        clients = f"https://{_LOOPBACK}:{self.site.ports[ETCD]}"
        peers = f"http://{_LOOPBACK}:{self.site.ports['etcd-peer']}"
        health = f"http://{_LOOPBACK}:{self.site.ports['etcd-health']}"
        arguments = (
            f"--data-dir={self.site.folder / 'etcd'}",
            f"--listen-client-urls={clients}",
            f"--advertise-client-urls={clients}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            f"--listen-metrics-urls={health}",
            *self._certified("--cert-file", "--key-file"),
            f"--trusted-ca-file={self.authority.certificate_path}",
            "--client-cert-auth",
            # Killed daemons lose nothing by it; only a power cut would, and then this cluster is made anew.
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        ports = {name: self.site.ports[name] for name in (ETCD, "etcd-peer", "etcd-health")}
        return Daemon(ETCD, self._argv(ETCD, arguments), Probe(f"{health}/readyz"), ports=ports)

    def api_server(self) -> Daemon:
        """Describe the API server, with upstream's own choice of admission plugins."""
        site, authority = self.site, self.authority
        first_service = str(next(ip_network(site.services).hosts()))
        names = [*_HOSTS, _LOOPBACK, site.address, first_service, *site.names]
        arguments = (
            *self._reach(),
            f"--etcd-servers=https://{_LOOPBACK}:{site.ports[ETCD]}",
            f"--etcd-cafile={authority.certificate_path}",
            *self._issued(authority.client(API_SERVER), "etcd-client", "--etcd-certfile", "--etcd-keyfile"),
            f"--service-cluster-ip-range={site.services}",
            f"--service-account-issuer={_ISSUER}",
            f"--service-account-key-file={authority.tokens_public_path}",
            f"--service-account-signing-key-file={authority.tokens_key_path}",
            *self._issued(authority.server(API_SERVER, names), API_SERVER, "--tls-cert-file", "--tls-private-key-file"),
            f"--client-ca-file={authority.certificate_path}",
            *self._issued(
                authority.client("kube-apiserver-kubelet-client", "system:masters"),
                "kubelet-client",
                "--kubelet-client-certificate",
                "--kubelet-client-key",
            ),
            "--kubelet-preferred-address-types=InternalIP,Hostname",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            "--profiling=false",
        )
        probe = Probe(f"https://{_LOOPBACK}:{site.ports[API_SERVER]}/readyz", authority.certificate_path)
        ports = {API_SERVER: site.ports[API_SERVER]}
        return Daemon(API_SERVER, self._argv(API_SERVER, arguments), probe, after=(ETCD,), ports=ports)

    def controllers(self) -> Daemon:
        """Describe the controller manager; it hands out pod ranges only where there are nodes."""
        pods = ("--allocate-node-cidrs=true", f"--cluster-cidr={self.site.pods}") if self.site.pods else ()
        return self.client_daemon(
            CONTROLLERS,
            f"--service-account-private-key-file={self.authority.tokens_key_path}",
            f"--root-ca-file={self.authority.certificate_path}",
            f"--cluster-signing-cert-file={self.authority.certificate_path}",
            f"--cluster-signing-key-file={self.authority.key_path}",
            f"--service-cluster-ip-range={self.site.services}",
            "--use-service-account-credentials=true",
            *pods,
        )

    def client_daemon(self, name: str, *own: str) -> Daemon:
        """Describe a daemon that works through the API server under its own name; it is alone, so it needs no lease."""
        kubeconfig = self.site.credentials / f"{name}.kubeconfig"
        write_private(kubeconfig, self.authority.kubeconfig(self.site.url, f"system:{name}"))
        arguments = (
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--bind-address={_LOOPBACK}",
            f"--secure-port={self.site.ports[name]}",
            *self._certified("--tls-cert-file", "--tls-private-key-file"),
            "--leader-elect=false",
            "--profiling=false",
            *own,
        )
        probe = Probe(f"https://{_LOOPBACK}:{self.site.ports[name]}/healthz", self.authority.certificate_path)
        ports = {name: self.site.ports[name]}
        return Daemon(name, self._argv(name, arguments), probe, after=(API_SERVER,), ports=ports)

    def _reach(self) -> tuple[str, ...]:
        advertise = (f"--advertise-address={self.site.address}", f"--secure-port={self.site.ports[API_SERVER]}")
        if ip_address(self.site.address).is_loopback:
            # An endpoint on loopback would be refused by the API server's own validation, time and again.
            return (*advertise, f"--bind-address={self.site.address}", "--endpoint-reconciler-type=none")
        return advertise

    def _certified(self, certificate: str, key: str) -> tuple[str, str]:
        pair = self.authority.server("daemon", ["localhost", _LOOPBACK])
        return self._issued(pair, "daemon", certificate, key)

    def _issued(self, pair: KeyPair, name: str, certificate: str, key: str) -> tuple[str, str]:
        paths = pair.write(self.site.credentials, name)
        return f"{certificate}={paths[0]}", f"{key}={paths[1]}"

    def _argv(self, name: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
        return (str(tool(name, self.report)), *arguments, *self.site.extra.get(name, ()))


class ControlPlane:
    """A control plane as child processes on loopback: `async with ControlPlane(folder) as plane: plane.kubeconfig`."""

    def __init__(
        self, folder: Path, report: Report = silent, *, controllers: bool = False, scheduler: bool = False
    ) -> None:
        """Keep everything in `folder`; programs are built at first use, and `report` is told how far that is."""
        self._site = Site.on_loopback(folder)
        described = daemons(self._site, report, controllers=controllers, scheduler=scheduler)
        logs = folder / "logs"
        self.processes = {each.name: DaemonProcess(each, logs / f"{each.name}.log") for each in described}

    @property
    def url(self) -> str:
        """The API server's address."""
        return self._site.url

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file of a user who may do everything."""
        return self._site.admin_kubeconfig

    def kubeconfig_of(self, user: str, *groups: str) -> Path:
        """Write and answer a kubeconfig file of a user in groups; what that user may do is up to RBAC."""
        path = self._site.credentials / f"{user.replace(':', '-')}.kubeconfig"
        write_private(path, Authority(self._site.credentials).kubeconfig(self.url, user, *groups))
        return path

    async def start(self) -> None:
        """Start all in order; raise PortTakenError or StartFailedError, leaving nothing behind."""
        try:
            for process in self.processes.values():
                await process.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all, the last started first. Data stays in the folder."""
        for process in reversed(self.processes.values()):
            await process.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
