"""One pass over one platform: from everything that is wished and seen to what is done next.

A pass knows nothing of why it runs; it looks at the whole and does what can be done now, component by component in
starting order. What one component lacks stops only those that cannot begin without it. Everything is read from the
store, so a pass over a platform that is as it should be makes no request at all.
"""

from collections.abc import Callable, Sequence
from typing import Final

from ecommerce_operator import inventory as inventories
from ecommerce_operator import keeper as keepers
from ecommerce_operator.cluster import Cluster
from ecommerce_operator.deletion import FINALIZER, Deletion
from ecommerce_operator.errors import OperatorError, RefusedError, RenderError, TerminatingError, UnreachableError
from ecommerce_operator.inventory import Inventory
from ecommerce_operator.keeper import Keeper, Secrets
from ecommerce_operator.kinds import POD, SECRET, Key
from ecommerce_operator.manifests import Manifest, digest_of, prepare
from ecommerce_operator.memory import Memory
from ecommerce_operator.model import Health, Observation, OperatorSettings, Release, State
from ecommerce_operator.observer import Observer, forget_lines
from ecommerce_operator.pruner import Pruner
from ecommerce_operator.publisher import Publisher
from ecommerce_operator.releases import releases
from ecommerce_operator.render import Renderer
from ecommerce_operator.rollout import Rollout
from ecommerce_operator.spec import InvalidSpecError, Platform
from ecommerce_operator.store import Store

# Seconds until the next look when nothing wakes us before: while something moves, and when all is well.
PROGRESSING: Final = 5.0
RESYNC: Final = 300.0


class Reconciler:
    """Does passes over platforms."""

    def __init__(  # noqa: PLR0913 the parts of a pass
        self,
        cluster: Cluster,
        store: Store,
        renderer: Renderer,
        publisher: Publisher,
        settings: OperatorSettings,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._renderer = renderer
        self._publisher = publisher
        self._settings = settings
        self._clock = clock
        self._keeper = Keeper(cluster, store, clock)
        self._observer = Observer(cluster, store, clock)
        self._rollout = Rollout(cluster, store, self._observer, clock)
        self._pruner = Pruner(cluster, store)
        self._deletion = Deletion(cluster, store, clock)

    async def reconcile(self, memory: Memory) -> float:
        """Does one pass and answers after how many seconds the next one is due, unless something wakes it before.

        Raises UnreachableError, and nothing else that is not a fault of the operator itself.
        """
        if "deletionTimestamp" in memory.body["metadata"]:
            return await self._delete(memory)
        try:
            platform = Platform.parse(memory.body)
        except InvalidSpecError as error:
            await self._publisher.refuse(memory, str(error))
            return RESYNC
        try:
            return await self._maintain(platform, memory)
        except TerminatingError:
            # The namespace goes; the resource will be deleted with it.
            return PROGRESSING

    async def _maintain(self, platform: Platform, memory: Memory) -> float:
        observations: list[Observation] = []
        trouble = None
        try:
            finalizers = memory.body["metadata"].get("finalizers") or []
            if FINALIZER not in finalizers:
                memory.take(await self._cluster.set_finalizers(memory.body, [*finalizers, FINALIZER]))
            await self._components(platform, memory, observations)
        except (TerminatingError, UnreachableError):
            raise
        except OperatorError as error:
            trouble = Health(State.FAILED, getattr(error, "reason", "Refused"), memory.hide(str(error)))
        await self._publisher.publish(platform, memory, observations, trouble)
        return self._next_look(memory, observations, trouble)

    async def _components(self, platform: Platform, memory: Memory, observations: list[Observation]) -> None:
        if memory.inventory is None:
            memory.inventory = await self._recorded(memory)
        secrets = await self._keeper.ensure(platform, memory)
        wished: dict[str, tuple[Key, ...]] = {keepers.COMPONENT: secrets.keys}
        for release in releases(platform, self._settings, secrets.names, secrets.digests):
            manifests, observation = await self._component(memory, release, secrets, observations)
            observations.append(observation)
            if observation.health.ready and not observation.pending:
                wished[release.component] = tuple(manifest.key for manifest in manifests)
        if not platform.spec.paused:
            await self._tidy(memory, wished, observations)

    async def _component(
        self, memory: Memory, release: Release, secrets: Secrets, before: Sequence[Observation]
    ) -> tuple[tuple[Manifest, ...], Observation]:
        """Takes one component as far as it can go now; whatever is wrong with it stays with it."""
        manifests: tuple[Manifest, ...] = memory.manifests.get(release.component, ())
        try:
            manifests = prepare(await self._renderer.render(release, memory.namespace), memory.owner, release.component)
            health, pending = await self._advance(memory, release, manifests, secrets, before)
        except (RefusedError, RenderError) as error:
            if isinstance(error, TerminatingError):
                raise
            health, pending = Health(State.FAILED, error.reason, memory.hide(str(error))), True
        return manifests, Observation(release.component, health, release.version, release.paused, pending)

    async def _advance(
        self,
        memory: Memory,
        release: Release,
        manifests: tuple[Manifest, ...],
        secrets: Secrets,
        before: Sequence[Observation],
    ) -> tuple[Health, bool]:
        """Applies what may be applied; answers the component's health, and whether its wish is still pending."""
        component, inventory = release.component, memory.inventory or Inventory()
        digest = digest_of([manifest.digest for manifest in manifests])
        steady = inventory.of(component).applied == digest
        if release.paused:
            return await self._observer.health(memory, component, manifests), not steady
        waits = None if steady else _waits(release, secrets, before, begun=bool(inventory.of(component).objects))
        if waits:
            # What was applied last is kept as it is all the same.
            for manifest in memory.manifests.get(component, ()):
                await memory.applier.ensure(manifest)
            return waits, True
        inventory.expect(component, (manifest.key for manifest in manifests))
        await memory.record()
        memory.manifests[component] = manifests
        whole = await self._rollout.advance(memory, component, manifests, steady=steady)
        if whole and not steady:
            inventory.complete(component, digest)
            await memory.record()
        health = await self._observer.health(memory, component, self._applied(memory, manifests))
        if not whole and health.ready:
            health = Health(State.PROGRESSING, "RollingOut", "Its migration is under way.")
        return health, not whole

    def _applied(self, memory: Memory, manifests: Sequence[Manifest]) -> list[Manifest]:
        """Answers the manifests that are there already: what follows on a stage is not missing while that runs."""
        return [one for one in manifests if self._store.get(one.key, memory.name)]

    async def _tidy(self, memory: Memory, wished: dict[str, tuple[Key, ...]], seen: Sequence[Observation]) -> None:
        """Removes leftovers of components that are well, and of those that are no more once all others are."""
        inventory = memory.inventory or Inventory()
        present = {one.component for one in seen} | {keepers.COMPONENT}
        if all(one.health.ready for one in seen):
            wished |= dict.fromkeys(set(inventory.records) - present, ())
        await self._pruner.prune(memory, wished)
        await memory.record()
        objects = self._store.of_platform(memory.namespace, memory.name)
        forget_lines(memory, (one.key.name for one in objects if one.key.kind is POD))

    async def _recorded(self, memory: Memory) -> Inventory:
        """Answers the recorded inventory, and with it what carries our label although it is not recorded."""
        stored = await self._cluster.get(inventories.key_of(memory.namespace, memory.name))
        inventory = Inventory.parse((stored or {}).get("data") or {})
        for seen in self._store.of_platform(memory.namespace, memory.name):
            ours = memory.owner.uid in seen.owners and seen.key.kind.applied
            if seen.component and ours and seen.key.kind is not SECRET:
                inventory.expect(seen.component, [seen.key])
        return inventory

    async def _delete(self, memory: Memory) -> float:
        try:
            platform = Platform.parse(memory.body)
        except InvalidSpecError:
            platform = None
        with_data = platform is not None and platform.spec.deletion_policy == "Delete"
        waits = await self._deletion.advance(memory, with_data=with_data)
        if waits and platform:
            trouble = Health(State.PROGRESSING, "Deleting", f"Takes down: {waits}.")
            await self._publisher.publish(platform, memory, [], trouble)
        return PROGRESSING if waits else RESYNC

    def _next_look(self, memory: Memory, observations: Sequence[Observation], trouble: Health | None) -> float:
        moving = any(one.health.state is not State.READY for one in observations if not one.paused)
        delay = PROGRESSING if moving or trouble or memory.drifted else RESYNC
        due = self._rollout.retries_at(memory)
        return delay if due is None else max(0.1, min(delay, due - self._clock()))


def _waits(release: Release, secrets: Secrets, before: Sequence[Observation], *, begun: bool) -> Health | None:
    """Answers what a release has to wait for before its new wish is applied."""
    if release.component in secrets.missing:
        return Health(State.FAILED, "SecretMissing", secrets.missing[release.component])
    known = {one.component: one for one in before}
    needed = () if begun else release.requires
    lacking = [name for name in needed if name in known and not known[name].health.ready]
    moving = [
        name
        for name in release.after
        if name in known and known[name].health.state is State.PROGRESSING and not known[name].paused
    ]
    names = sorted({*lacking, *moving})
    return Health(State.PROGRESSING, "Waiting", f"Waits for {' and '.join(names)}.") if names else None
