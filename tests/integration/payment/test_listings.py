"""The provider's list of products follows the shop's, from events to what a page is opened with."""

from local.datastores import Datastores
from tests.integration.payment.till import Till

PUSHED = "SELECT pushed_version FROM provider_products WHERE product_id = :p"
NAMED = "SELECT name || ' ' || price_minor FROM provider_products WHERE product_id = :p"


async def test_products_are_listed_changed_and_taken_off(till: Till) -> None:
    """Each change of a product reaches the provider's list."""
    seller = await till.customer()
    lamp = await till.product(seller, 1999, "A lamp")
    await till.until(PUSHED, 1, p=lamp.id)
    await till.reprice(seller, lamp, 2999, "A brighter lamp")
    await till.until(PUSHED, 2, p=lamp.id)
    assert (await till.sql(NAMED, p=lamp.id))[0][0] == "A brighter lamp 2999"
    await till.remove(seller, lamp)
    await till.until(PUSHED, 3, p=lamp.id)
    assert (await till.sql("SELECT deleted FROM provider_products WHERE product_id = :p", p=lamp.id))[0][0]


async def test_changes_while_the_service_is_down(till: Till) -> None:
    """Killed in the middle of it and started later, it catches up with the newest version."""
    seller = await till.customer()
    async with till.held("provider_products", "UPDATE", "NEW.pushed_version <> OLD.pushed_version") as held:
        lamp = await till.product(seller, 1999, "A lamp")
        await held.reached()
        await till.killed()
    await till.leases_end()
    for price in (2999, 3999):
        await till.reprice(seller, lamp, price, "A lamp")
    await till.started()
    await till.until(PUSHED, 3, p=lamp.id)
    assert (await till.sql(NAMED, p=lamp.id))[0][0] == "A lamp 3999"


async def test_kafka_away(till: Till, datastores: Datastores) -> None:
    """Pages are opened and paid without it; products come to the list when it is back."""
    seller, buyer = await till.customer(), await till.customer()
    datastores.kafka.pause()
    try:
        lamp = await till.product(seller, 1999, "A lamp")
        order_id = (await till.place(buyer, {lamp.id: 1})).id
        await till.paid_page(buyer, order_id)
        await till.delivered(*await till.posted(order_id))
        await till.becomes(buyer, "PAID", order_id)
        assert await till.sql(PUSHED, p=lamp.id) == []
    finally:
        datastores.kafka.resume()
    await till.until(PUSHED, 1, p=lamp.id)
