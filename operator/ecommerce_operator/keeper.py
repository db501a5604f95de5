"""Sees to it that a platform's Secrets exist, and reads those that people bring along."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ecommerce_operator import secrets
from ecommerce_operator.cluster import Cluster
from ecommerce_operator.components import SERVICES, databases
from ecommerce_operator.errors import RefusedError
from ecommerce_operator.kinds import SECRET, Key
from ecommerce_operator.memory import Looked, Memory
from ecommerce_operator.model import SecretNames
from ecommerce_operator.secrets import Content
from ecommerce_operator.spec import Platform
from ecommerce_operator.store import Store
from ecommerce_operator.values import PROVISION_DIGEST

# Seconds for which a Secret that is not ours is taken as it was read; it carries no label that a watch could select.
LOOKED: Final = 60.0
COMPONENT: Final = "secrets"  # in the inventory, where the Secrets are listed that the operator derives
CA_KEY: Final = "ca.crt"  # in an external Elasticsearch's Secret, where its certificate is not a public one's


@dataclass(frozen=True, slots=True)
class Secrets:
    """What releases need to know: names, digests by component; and by component what is missing, as a sentence.

    `keys` are the Secrets that were derived.
    """

    names: SecretNames
    keys: tuple[Key, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Foreign:
    """A Secret that somebody else looks after, and who reads which keys of it."""

    name: str
    readers: Mapping[str, tuple[str, ...]]

    def lacks(self, content: Content) -> bool:
        """Whether a key that somebody reads is not there, or empty."""
        return not all(content.get(key) for keys in self.readers.values() for key in keys)


class Keeper:
    """Makes and mends the Secrets of platforms."""

    def __init__(self, cluster: Cluster, store: Store, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._store = store
        self._clock = clock

    async def ensure(self, platform: Platform, memory: Memory) -> Secrets:
        """Answers what releases need, once every Secret is there; makes nothing while the platform is paused."""
        writing = not platform.spec.paused
        seed = await self._seed(memory, writing=writing)
        if seed is None:
            return Secrets(SecretNames.of(platform.name, databases(), ""))
        foreign = {one.name: await self._read(memory, one) for one in _foreign(platform)}
        names = _names(platform, secrets.kafka_cluster_id(seed), foreign)
        administrator = platform.spec.administrator
        given = (foreign.get(administrator.secret_name) or {}).get("password", "")
        made = secrets.contents(seed, names, administrator, given)
        memory.hidden = frozenset(_confidential(made))
        skipped = _skipped(platform, names, given)
        wished = {name: content for name, content in made.items() if name not in skipped}
        keys = tuple(Key(SECRET, platform.namespace, name) for name in wished)
        if writing:
            await self._make(memory, wished, keys)
        return Secrets(names, keys, _digests(seed, names, made, platform, foreign), _missing(platform, foreign))

    async def _seed(self, memory: Memory, *, writing: bool) -> bytes | None:
        keys = secrets.seed_keys(memory.namespace, memory.name)
        present = all(self._store.get(key, memory.name) for key in keys)
        if memory.seed is None or not present:
            kept = [secrets.seed_of(await self._cluster.get(key)) for key in keys]
            # The first of the twins is the one that counts; what is remembered helps when both were removed.
            memory.seed = kept[0] or kept[1] or memory.seed
        if not writing:
            return memory.seed
        if memory.seed is None:
            # Made, not applied: should another operator be faster, this raises and its seed is read next time.
            fresh = secrets.new_seed()
            await self._cluster.create(keys[0], secrets.seed_manifest(fresh, keys[0], memory.name).body)
            memory.seed = fresh
        for key in keys:
            await self._keep(memory, key, memory.seed)
        return memory.seed

    async def _keep(self, memory: Memory, key: Key, seed: bytes) -> None:
        try:
            await memory.applier.ensure(secrets.seed_manifest(seed, key, memory.name))
        except RefusedError as error:
            seen = self._store.get(key, memory.name)
            # It holds something else and cannot be edited: it is made anew, next time.
            if error.status != 422 or seen is None:
                raise
            await self._cluster.delete(seen)

    async def _make(self, memory: Memory, wished: Mapping[str, Content], keys: tuple[Key, ...]) -> None:
        if memory.inventory is not None:
            memory.inventory.expect(COMPONENT, keys)
        await memory.record()
        for name, content in wished.items():
            await memory.applier.ensure(secrets.secret_manifest(name, content, memory.owner))

    async def _read(self, memory: Memory, wanted: _Foreign) -> Content | None:
        """Answers a Secret that is not ours; None where there is none."""
        now, place = self._clock(), f"secret/{wanted.name}"
        known = memory.looked.get(place)
        if known is None or known.until < now:
            secret = await self._cluster.get(Key(SECRET, memory.namespace, wanted.name))
            content = secret and secrets.content_of(secret)
            # Looked for again soon while it is not there, or not complete: somebody is about to make it.
            whole = content is not None and not wanted.lacks(content)
            known = Looked(now + (LOOKED if whole else LOOKED / 6), content)
            memory.looked[place] = known
        found: Content | None = known.value
        return found


def _foreign(platform: Platform) -> list[_Foreign]:
    """Answers the Secrets that the resource names, with their readers: component → keys that must be in it."""
    stores, services = platform.spec.datastores, databases()
    found = []
    if platform.spec.administrator.email and platform.spec.administrator.secret_name:
        found.append(_Foreign(platform.spec.administrator.secret_name, {"account": ("password",)}))
    if not stores.postgres.ours:
        found.append(_Foreign(stores.postgres.external.secret_name, {service: (service,) for service in services}))
    if not stores.kafka.ours:
        readers = {row.name: ("bootstrap-servers",) for row in SERVICES if row.kafka}
        found.append(_Foreign(stores.kafka.external.secret_name, readers))
    if not stores.elasticsearch.ours:
        readers = {row.name: ("url",) for row in SERVICES if row.search}
        found.append(_Foreign(stores.elasticsearch.external.secret_name, readers))
    if platform.spec.payment.real:
        found.append(_Foreign(platform.spec.payment.secret_name, {"payment": ("api-key", "webhook-secrets")}))
    return found


def _names(platform: Platform, cluster_id: str, foreign: Mapping[str, Content | None]) -> SecretNames:
    search = platform.spec.datastores.elasticsearch
    secret = None if search.ours else foreign.get(search.external.secret_name)
    authority = CA_KEY if secret and CA_KEY in secret else ""
    return SecretNames.of(platform.name, databases(), cluster_id, elasticsearch_ca_key=authority)


def _skipped(platform: Platform, names: SecretNames, given: str) -> frozenset[str]:
    """Answers the Secrets that are not to be made: nobody reads them, or what goes into them is not known yet."""
    skipped = set()
    if not platform.spec.datastores.postgres.ours:
        skipped |= {names.superuser, *names.databases.values()}
    if platform.spec.administrator.secret_name and not given:
        skipped.add(names.administrator)
    if platform.spec.payment.real:
        skipped.add(names.payment_sandbox)
    return frozenset(skipped)


def _missing(platform: Platform, foreign: Mapping[str, Content | None]) -> dict[str, str]:
    missing = {}
    for one in _foreign(platform):
        content = foreign[one.name]
        for component, keys in one.readers.items():
            absent = [key for key in keys if not (content or {}).get(key)]
            if content is None:
                missing[component] = f"There is no Secret {one.name} in the namespace {platform.namespace}."
            elif absent:
                missing[component] = f"The Secret {one.name} has no key {' and no key '.join(absent)}."
    return missing


def _digests(
    seed: bytes,
    names: SecretNames,
    made: Mapping[str, Content],
    platform: Platform,
    foreign: Mapping[str, Content | None],
) -> dict[str, str]:
    """Answers, for each component that reads secrets, the digest of all that it reads."""
    read: dict[str, set[str]] = {service: {name} for service, name in names.databases.items()}
    # The Job that makes the databases reads their passwords; the server does not, and must not restart for them.
    read |= {"postgres": {names.superuser}, PROVISION_DIGEST: set(names.databases.values())}
    for row in SERVICES:
        if row.signs_in:
            read[row.name] |= {names.encryption_key, names.administrator, names.service_secrets}
        if row.takes_money:
            read[row.name] |= {names.payment_identity, names.payment_sandbox}
    contents: dict[str, Content] = {**{name: value for name, value in foreign.items() if value}, **made}
    for one in _foreign(platform):
        for component in one.readers:
            read.setdefault(component, set()).add(one.name)
    return {
        component: secrets.digest(seed, {name: contents[name] for name in sorted(parts) if name in contents})
        for component, parts in read.items()
    }


def _confidential(made: Mapping[str, Content]) -> list[str]:
    """Answers every value that nobody may read in a log or a status."""
    public = ("username", "database", "email", "name")
    return [value for content in made.values() for name, value in content.items() if name not in public and value]
