"""Claims about the playground: it is whole in itself, kept by browsers rightly, and its examples run."""

import hashlib
import json
import re
from pathlib import Path

from graphql import parse, validate

from services.gateway import playground
from services.gateway.schema import SCHEMA
from tests.unit.gateway.conftest import Shop

VENDOR = playground.ASSETS / "vendor"


async def test_the_page_loads_nothing_from_elsewhere(shop: Shop) -> None:
    """The page names no other host, and its policy allows none: nothing but itself, and data in its style sheet."""
    page = await shop.http.get("/playground")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.search(r"(https?:)?//", page.text)
    assert "{{" not in page.text
    policy = page.headers["content-security-policy"]
    assert set(policy.replace(";", "").split()) - set(playground._SOURCES) == {
        "'none'",
        "'self'",
        "'unsafe-inline'",
        "data:",
    }
    assert "script-src 'self';" in policy


async def test_every_file_of_the_page_is_served(shop: Shop) -> None:
    """Each script and style sheet of the page answers, with its type, to be kept for good under this address."""
    page = (await shop.http.get("/playground")).text
    paths = re.findall(r'(?:src|href)="(/[^"]+)"', page)
    assert len(paths) == 7
    for path in paths:
        response = await shop.http.get(path)
        assert response.status_code == 200
        kind = "text/css" if path.endswith(".css") else "text/javascript"
        assert response.headers["content-type"] == f"{kind}; charset=utf-8"
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert hashlib.sha256(response.content).hexdigest()[:16] in path
        assert response.headers["etag"].strip('"') in path
        assert response.headers["x-content-type-options"] == "nosniff"


def test_style_sheets_and_fonts_are_all_inside() -> None:
    """No style sheet reaches out for a font or an image."""
    for path in (*playground.ASSETS.glob("*.css"), *VENDOR.glob("*.css")):
        outside = [url for url in re.findall(r"url\(['\"]?([^)'\"]{0,30})", path.read_text()) if url[:5] != "data:"]
        assert not outside
        assert "@import" not in path.read_text()


async def test_another_file_is_not_there(shop: Shop) -> None:
    """An old hash, an unknown name and a path that climbs out are 404."""
    for path in (
        "/playground/assets/0000000000000000/playground.js",
        "/playground/assets/x/../../app.py",
        "/playground/assets/x/..%2f..%2fapp.py",
    ):
        assert (await shop.http.get(path)).status_code == 404


def test_the_bundles_are_those_of_the_table() -> None:
    """VENDORED.md names each vendored bundle with the hash that it has."""
    table = (VENDOR / "VENDORED.md").read_text()
    rows = dict(re.findall(r"^\| `([^`]+)` \|.*`([0-9a-f]{64})` \|$", table, re.MULTILINE))
    bundles = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*.min.*")}
    assert rows == bundles
    assert {path.name for path in VENDOR.glob("LICENSE*")} == {"LICENSE-graphiql.txt", "LICENSE-react.txt"}


def test_every_example_is_valid() -> None:
    """The tabs that the playground opens with are operations of this schema, from signing up to recommendations."""
    script = (playground.ASSETS / "examples.js").read_text()
    queries = re.findall(r"query: `([^`]+)`", script)
    operations = [parse(query) for query in queries]
    assert not [error for operation in operations for error in validate(SCHEMA._schema, operation)]
    for name in (
        "register",
        "login",
        "createProduct",
        "product(pagination",
        "createOrder",
        "createCheckoutSession",
        "order(id",
        "orders",
        "recommendations",
    ):
        assert any(name in query for query in queries)


def test_the_vendored_files_are_left_alone() -> None:
    """Nothing but the bundles, their licences and the table is in the vendored folder."""
    names = sorted(path.name for path in Path(VENDOR).iterdir())
    assert json.dumps(names) == json.dumps(
        [
            "LICENSE-graphiql.txt",
            "LICENSE-react.txt",
            "VENDORED.md",
            "graphiql.min.css",
            "graphiql.min.js",
            "react-dom.production.min.js",
            "react.production.min.js",
        ]
    )
