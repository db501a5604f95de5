"""The made-up catalogue of the large benchmark."""

from collections import Counter

from services.product.documents import document
from services.product.rules import is_product_id
from tests.bench.catalogue import LINE_COLUMNS, ORDER_COLUMNS, ORDERS_EACH, PRODUCT_COLUMNS, Catalogue
from tests.bench.data import LINES_EACH

_CATALOGUE = Catalogue(products=300, orders=120, owners=[7, 9])


def test_products() -> None:
    """As many products as asked for, with ids that the service takes and that grow; the owners have them in turn."""
    rows = [dict(zip(PRODUCT_COLUMNS, row, strict=True)) for row in _CATALOGUE.product_rows()]
    ids = [str(row["id"]) for row in rows]
    assert len(set(ids)) == 300
    assert ids == sorted(ids)
    assert all(map(is_product_id, ids))
    assert Counter(row["account_id"] for row in rows) == {7: 150, 9: 150}


def test_documents() -> None:
    """The index is given what the service would have written for the same rows."""
    expected = [document(_CATALOGUE.product(number)) for number in range(10, 20)]
    assert list(_CATALOGUE.documents(range(10, 20))) == expected
    assert len({text["name"] for text in expected}) == 10


def test_orders_add_up() -> None:
    """An order's total is the sum of its lines, each line is of a product that exists, and ids start with 1."""
    prices = {row[0]: row[PRODUCT_COLUMNS.index("price_minor")] for row in _CATALOGUE.product_rows()}
    for number, (row, rows) in enumerate(_CATALOGUE.orders_with_lines(), start=1):
        order = dict(zip(ORDER_COLUMNS, row, strict=True))
        lines = [dict(zip(LINE_COLUMNS, each, strict=True)) for each in rows]
        assert order["id"] == number
        assert [(line["order_id"], line["position"]) for line in lines] == [(number, n) for n in range(LINES_EACH)]
        assert all(line["price_minor"] == prices[line["product_id"]] for line in lines)
        assert order["total_minor"] == sum(int(str(line["price_minor"])) for line in lines)


def test_buyers() -> None:
    """Each owner has some orders to look at; the others belong to accounts that are nobody's."""
    buyers = Counter(row[ORDER_COLUMNS.index("account_id")] for row, _ in _CATALOGUE.orders_with_lines())
    assert set(buyers.values()) == {ORDERS_EACH}
    assert len(buyers) == 120 // ORDERS_EACH
    assert {7, 9} < set(buyers)


def test_same_at_every_run() -> None:
    """Two runs load the same."""
    assert list(_CATALOGUE.orders_with_lines()) == list(_CATALOGUE.orders_with_lines())
