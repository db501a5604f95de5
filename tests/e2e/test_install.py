"""Claims about a platform from nothing: one resource applied, Ready, and used as README tells."""

import asyncio
import re

import httpx
import pytest

from local.up import waiting
from tests.client import CREATE_ORDER, SEARCH
from tests.e2e.clusters import Stage, until
from tests.e2e.platforms import COMPONENTS, Platform, a_name

CREATE = "mutation($p: CreateProductInput!) { createProduct(product: $p) { id name price } }"
PAGE = "query { product(pagination: {skip: 0, take: 100}) { id name description price } }"


async def test_the_status_tells_everything(shop: Platform) -> None:
    """Ready, not Reconciling, not Stalled, of this generation; a line for every component; n/m, version and URL."""
    resource = await shop.resource()
    status = resource["status"]
    assert waiting.is_ready(resource)
    assert waiting.condition(resource, "Reconciling").get("status", "False") == "False"
    assert waiting.condition(resource, "Stalled").get("status", "False") == "False"
    assert {name: line.ready for name, line in waiting.lines(resource).items()} == dict.fromkeys(COMPONENTS, True)
    assert status["componentsReady"] == f"{len(COMPONENTS)}/{len(COMPONENTS)}"
    assert status["version"]
    assert shop.host in status["url"]


async def test_kubectl_get_shows_the_columns(stage: Stage, shop: Platform) -> None:
    """`kubectl get ecp` shows Ready, Reason, Components, Version, URL and Age."""
    head, row = (await stage.run("get", "ecp", shop.name, "--namespace", shop.namespace)).splitlines()
    assert [title for title in re.split(r"\s{2,}", head.strip()) if title != "NAME"] == [
        "READY", "REASON", "COMPONENTS", "VERSION", "URL", "AGE",
    ]  # fmt: skip
    assert row.split()[1] == "True"
    print(f"\n{head}\n{row}")


async def test_the_operations_of_the_readme(shop: Platform) -> None:
    """Register, sign in, create a product, see it, search with a typing mistake, order twice with one key."""
    ask = shop.gateway()
    email = a_name()
    await ask.register(email, "correct horse", "Ada")
    token = await ask.login(email, "correct horse")
    kettle = {"name": "Kettle", "description": "Boils a litre", "price": 19.99}
    product = (await ask(CREATE, {"p": kettle}, token))["createProduct"]
    assert product["price"] == 19.99
    assert product["id"] in {each["id"] for each in (await ask(PAGE))["product"]}

    async def found() -> bool:
        return product["id"] in {each["id"] for each in (await ask(SEARCH, {"q": "ketle"}))["product"]}

    await until(found, within=30, what="text search finds the kettle")
    basket = {"o": {"products": [{"id": product["id"], "quantity": 2}]}}
    first = (await ask(CREATE_ORDER, basket, token, **{"Idempotency-Key": "my-first-order"}))["createOrder"]
    again = (await ask(CREATE_ORDER, basket, token, **{"Idempotency-Key": "my-first-order"}))["createOrder"]
    assert first["totalPrice"] == 39.98
    assert again == first


async def test_the_administrator_signs_in(shop: Platform) -> None:
    """The password in the Secret that the operator made opens the administrator's account."""
    ask = shop.gateway()
    email, password = await asyncio.gather(
        shop.secret("administrator", "email"), shop.secret("administrator", "password")
    )
    assert await ask.login(email, password)


@pytest.mark.parametrize(
    ("path", "expected"), [("/playground", 200), ("/metrics", 404), ("/readyz", 404), ("/healthz", 404)]
)
async def test_what_the_world_may_reach(shop: Platform, path: str, expected: int) -> None:
    """The playground is behind the ingress; probes and metrics are not."""
    async with httpx.AsyncClient(headers={"Host": shop.host}, timeout=30) as client:
        assert (await client.get(shop.address() + path)).status_code == expected


async def test_everything_is_labelled_and_owned(shop: Platform) -> None:
    """Each object carries the platform's label and is owned by the resource, but for what outlives it."""
    kinds = "deployments,statefulsets,services,configmaps,networkpolicies,serviceaccounts,ingresses,jobs,pdb"
    uid = (await shop.resource())["metadata"]["uid"]
    objects = await shop.objects(kinds)
    assert len(objects) > 20
    strangers = [
        f"{each['kind']}/{each['metadata']['name']}"
        for each in objects
        if uid not in {owner["uid"] for owner in each["metadata"].get("ownerReferences", [])}
    ]
    assert not strangers
