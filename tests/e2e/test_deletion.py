"""Claims about the end: what Retain keeps, and that a platform of the same name finds it again."""

import pytest

from tests.client import CREATE_PRODUCT, PRODUCT_BY_ID
from tests.e2e.clusters import Stage, until
from tests.e2e.conftest import answers
from tests.e2e.platforms import Platform, a_name


@pytest.mark.full
async def test_a_deleted_platform_comes_back_with_its_data(stage: Stage, shop: Platform) -> None:
    """Volumes and root secrets outlive it under Retain; applied again, people sign in and products are there."""
    ask = shop.gateway()
    email = a_name()
    token = await ask.register(email, "correct horse")
    made = (await ask(CREATE_PRODUCT, {"p": {"name": "Lasting", "description": "", "price": 2.0}}, token))[
        "createProduct"
    ]
    took = await shop.delete()

    async def only_data_is_left() -> bool:
        return not await stage.all(shop.namespace, "pods,services,deployments,statefulsets,configmaps", shop.selector)

    await until(only_data_is_left, within=90, what="only volumes and root secrets are left")
    claims = await stage.all(shop.namespace, "persistentvolumeclaims", shop.selector)
    secrets = {each["metadata"]["name"] for each in await stage.all(shop.namespace, "secrets", shop.selector)}
    assert len(claims) == 3
    assert f"{shop.name}-root" in secrets
    print(f"\ndeleted in {took:.0f} s; {len(claims)} volumes stay")
    await shop.apply()
    await shop.ready()
    await answers(shop)
    assert await ask.login(email, "correct horse")
    assert (await ask(PRODUCT_BY_ID, {"id": made["id"]}))["product"]
