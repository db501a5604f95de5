"""The key ring over keys in memory: signing, publishing, several replicas, and a database that is away."""

import asyncio
from datetime import timedelta

import pytest

from services.account.keyring import GOOD_FOR, READ_EVERY
from services.account.rotation import PROPAGATION
from services.errors import UnauthenticatedError, UnavailableError
from services.tokens import KEYS_LIFETIME, Verifier
from tests.unit.account.conftest import POLICY, RULES, World, key_ring

LIFETIME = timedelta(seconds=POLICY.lifetime)


async def key_ids(world: World) -> list[str]:
    return [key["kid"] for key in await world.ring.public_keys()]


async def test_the_first_use_makes_the_first_key(world: World) -> None:
    """A token can be had from an empty table, and can be checked."""
    token, _ = await world.ring.issue(7, "customer")
    assert (await Verifier(world.ring.public_keys, POLICY).verify(token)).account_id == 7


async def test_replicas_that_start_together_share_the_first_key(world: World) -> None:
    """Whoever is second finds the key made, so each verifies what another signed."""
    rings = [key_ring(world.keys, world.clock) for _ in range(5)]
    tokens = await asyncio.gather(*(ring.issue(7, "customer") for ring in rings))
    assert len(await world.keys.read()) == 1
    for token, _ in tokens:
        await Verifier(world.ring.public_keys, POLICY).verify(token)


async def test_a_rotation_signs_nobody_out(world: World) -> None:
    """The old key's tokens work until they expire; then it is withdrawn and deleted, and they no longer do."""
    # Back in time, so that what is signed now has expired by the end, also for the library's own clock.
    world.clock.advance(-PROPAGATION - LIFETIME / 2)
    seconds = 0.0
    verifier = Verifier(world.ring.public_keys, POLICY, lambda: seconds)
    (old,) = await key_ids(world)
    await world.ring.rotate()
    await world.ring.run_once()
    world.clock.advance(PROPAGATION - timedelta(seconds=1))
    last_of_old, _ = await world.ring.issue(7, "customer")
    world.clock.advance(timedelta(seconds=1))
    first_of_new, _ = await world.ring.issue(7, "customer")
    for token in (last_of_old, first_of_new):
        assert (await verifier.verify(token)).account_id == 7

    world.clock.advance(LIFETIME + timedelta(minutes=1))
    await world.ring.run_once()
    seconds += KEYS_LIFETIME + 1
    assert old not in await key_ids(world)
    assert old not in [key.id for key in await world.keys.read()]
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(last_of_old)
    assert (await verifier.verify(first_of_new)).account_id == 7


async def test_a_verifier_knows_the_new_key_before_it_signs(world: World) -> None:
    """What was read as late as a verifier may keep it has the new key in it: no token meets an unknown key."""
    (old,) = await key_ids(world)
    new = await world.ring.rotate()
    replica = key_ring(world.keys, world.clock)
    await replica.run_once()
    world.clock.advance(PROPAGATION - timedelta(seconds=KEYS_LIFETIME) - timedelta(seconds=1))
    assert [key["kid"] for key in await replica.public_keys()] == [old, new.id]


async def test_keys_are_rotated_by_age(world: World) -> None:
    """The loop notices by itself, once for all replicas."""
    assert len(await key_ids(world)) == 1
    world.clock.advance(RULES.period)
    replicas = [key_ring(world.keys, world.clock) for _ in range(3)]
    await asyncio.gather(*(replica.run_once() for replica in (world.ring, *replicas)))
    assert len(await world.keys.read()) == 2
    assert len({tuple(key["kid"] for key in await replica.public_keys()) for replica in replicas}) == 1


async def test_asking_twice_to_rotate_rotates_once(world: World) -> None:
    """The second answers the key that waits already."""
    await world.ring.run_once()
    assert (await world.ring.rotate()).id == (await world.ring.rotate()).id
    assert len(await world.keys.read()) == 2


async def test_a_reading_without_changes_takes_no_lock(world: World) -> None:
    """Only what is due is decided under exclusion."""
    await world.ring.run_once()
    changes = world.keys.changes
    for _ in range(3):
        world.clock.advance(READ_EVERY)
        await world.ring.run_once()
    assert world.keys.changes == changes


async def test_signing_goes_on_for_a_while_without_the_database(world: World) -> None:
    """Keys in memory are good for some minutes and no longer: one of them could have been withdrawn."""
    await world.ring.run_once()
    world.keys.available = False
    world.clock.advance(GOOD_FOR)
    await world.ring.issue(7, "customer")
    world.clock.advance(timedelta(seconds=1))
    with pytest.raises(UnavailableError):
        await world.ring.issue(7, "customer")
    with pytest.raises(UnavailableError):
        await world.ring.public_keys()
    world.keys.available = True
    await world.ring.issue(7, "customer")


async def test_many_who_wait_cause_one_reading(world: World) -> None:
    """A stale ring is read once, not once for each caller."""
    await asyncio.gather(*(world.ring.issue(7, "customer") for _ in range(50)))
    assert world.keys.reads == 1


async def test_the_loop_ends_when_it_is_told_to(world: World) -> None:
    """It reads at least once, survives a database that is away, and stops at once."""
    world.keys.available = False
    stop = asyncio.Event()
    loop = asyncio.create_task(world.ring.run(stop))
    await world.keys.was_read.wait()
    stop.set()
    await asyncio.wait_for(loop, 10)
