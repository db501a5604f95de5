"""An EcommercePlatform as tests handle it: made, changed, watched and used."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, ClassVar
from uuid import uuid4

from local.up import waiting
from local.up.waiting import Line
from tests.client import GraphQL
from tests.e2e.clusters import Object, Stage, until

LABEL = "ecommerce.dev/platform"
COMPONENT = "ecommerce.dev/component"
COMPONENTS = ("postgres", "kafka", "elasticsearch", "account", "product", "order", "payment", "recommender", "gateway")
SERVICES = ("account", "product", "order", "payment", "recommender", "gateway")
RESOURCE = "ecommerceplatforms.ecommerce.dev"
# Two cores start three datastores and two pods of each service: measured 150 s, more beside other work.
READY_WITHIN = 600.0


@dataclass
class Platform:
    """One platform, on its own host name so that several share the ingress."""

    stage: Stage
    name: str
    namespace: str
    spec: dict[str, Any] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """The host name that its ingress answers to."""
        return f"{self.name}.e2e.example.com"

    @property
    def selector(self) -> str:
        """Selects all that belongs to it."""
        return f"{LABEL}={self.name}"

    def of(self, component: str) -> str:
        """Selects what belongs to one component."""
        return f"{self.selector},{COMPONENT}={component}"

    @property
    def manifest(self) -> dict[str, Any]:
        """The resource."""
        spec = {"ingress": {"host": self.host}, **self.spec}
        metadata = {"name": self.name, "namespace": self.namespace}
        return {"apiVersion": "ecommerce.dev/v1alpha1", "kind": "EcommercePlatform", "metadata": metadata, "spec": spec}

    async def apply(self) -> None:
        """Makes its namespace, which lets in restricted pods only, and the resource."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted", "e2e": "true"}
        metadata = {"name": self.namespace, "labels": labels}
        await self.stage.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        await self.stage.apply(self.manifest)

    async def change(self, spec: Mapping[str, Any]) -> None:
        """Merges a change into the resource's spec; None takes a field out."""
        await self.stage.patch(self.namespace, f"{RESOURCE}/{self.name}", {"spec": spec})

    async def resource(self) -> Object:
        """Answers the resource as it is now; empty where it is gone."""
        return await self.stage.get(self.namespace, RESOURCE, self.name) or {}

    async def lines(self) -> dict[str, Line]:
        """Answers what the status says of each component."""
        return waiting.lines(await self.resource())

    async def ready(self, within: float = READY_WITHIN) -> float:
        """Waits until what is wished for now works; answers the seconds it took."""
        began = monotonic()

        async def is_ready() -> bool:
            found = await self.resource()
            return bool(found) and waiting.is_ready(found)

        await until(is_ready, within=within, what=f"{self.namespace}/{self.name} is Ready")
        return monotonic() - began

    async def says(self, component: str, word: str, within: float = 120) -> str:
        """Waits until a component's reason or message contains a word, and answers both."""

        async def look() -> str:
            line = (await self.lines()).get(component)
            said = f"{line.reason}: {line.message}" if line else ""
            return said if word in said else ""

        return await until(look, within=within, what=f"{component} says {word}")

    async def mend(self) -> None:
        """Puts the resource back to what it was made as, whatever a failed test has left of it."""
        change = [{"op": "replace", "path": "/spec", "value": self.manifest["spec"]}]
        await self.stage.patch(self.namespace, f"{RESOURCE}/{self.name}", change, kind="json")

    async def objects(self, kinds: str) -> list[dict[str, Any]]:
        """Answers what belongs to it, of some kinds."""
        return await self.stage.all(self.namespace, kinds, self.selector)

    async def secret(self, name: str, key: str) -> str:
        """Answers what is in one of its Secrets."""
        template = f"{{{{index .data {key!r} | base64decode}}}}".replace("'", '"')
        where = ("--namespace", self.namespace, f"{self.name}-{name}")
        return await self.stage.run("get", "secret", *where, f"--output=go-template={template}")

    async def delete(self, within: float = 240) -> float:
        """Deletes it and waits until it is gone; answers the seconds it took."""
        began = monotonic()
        await self.stage.run("delete", RESOURCE, self.name, "--namespace", self.namespace, "--wait=false")
        await self.gone(within)
        return monotonic() - began

    async def gone(self, within: float = 240) -> None:
        """Waits until the resource is gone."""

        async def look() -> bool:
            return not await self.resource()

        await until(look, within=within, what=f"{self.namespace}/{self.name} is gone")

    def gateway(self) -> "Entrance":
        """Opens a client of its GraphQL, through the ingress."""
        return Entrance(self.address() + "/graphql", self.host)

    def address(self) -> str:
        """Answers where the ingress is: known on this host's clusters, told by the Ingress itself on any other."""
        if self.stage.where.ingress:
            return self.stage.where.ingress
        found = self.stage.kubectl.get("ingress", f"{self.name}-gateway", "--namespace", self.namespace)
        first = found["status"]["loadBalancer"]["ingress"][0]
        return f"http://{first.get('ip') or first['hostname']}"


class Entrance(GraphQL):
    """A GraphQL client that comes in through the cluster's ingress; closed with the test that opened it."""

    opened: ClassVar[list["Entrance"]] = []

    def __init__(self, url: str, host: str) -> None:
        super().__init__(url)
        self._client.headers["Host"] = host
        self.opened.append(self)

    @classmethod
    async def close_all(cls) -> None:
        """Closes every client that was opened."""
        while cls.opened:
            await cls.opened.pop().close()


def a_name() -> str:
    """Answers an e-mail address that nobody has."""
    return f"{uuid4().hex}@example.com"
