"""Where buyers may be sent, and what a provider is told of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import InvalidError
from services.payment.rules import Rules, contact

ORIGIN = "https://shop.example.com"


@pytest.mark.parametrize(
    ("rules", "url", "origin"),
    [
        (Rules(("shop.example.com",)), "https://shop.example.com/thanks?order=1#top", ORIGIN),
        (Rules(("shop.example.com",)), "https://SHOP.example.com:8443/", ORIGIN),
        (Rules(("*.example.com",)), "https://a.b.example.com", ORIGIN),
        (Rules(("Shop.Example.com",)), "https://shop.example.com", ORIGIN),
        (Rules((), "https://shop.example.com"), "https://shop.example.com/thanks", ""),
        (Rules((), "", own_pages=True), "https://shop.example.com/thanks", ORIGIN),
        (Rules((), "", own_pages=True), "http://127.0.0.1:8080/thanks", "http://127.0.0.1:8080"),
        (Rules(("localhost",)), "http://localhost:3000/", ORIGIN),
        (Rules(("shop.example.com",)), "http://shop.example.com/", "http://shop.example.com"),
        (Rules(("::1",)), "http://[::1]:3000/", ORIGIN),
    ],
)
def test_allowed_hosts_are_redirected_to(rules: Rules, url: str, origin: str) -> None:
    """The URL is answered as it was given."""
    assert rules.redirect(url, origin) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/thanks",
        "//shop.example.com/",
        "thanks",
        "shop.example.com",
        "ftp://shop.example.com/",
        "javascript:alert(1)//shop.example.com",
        "data:text/html,x",
        "https://evil.example.net/",
        "https://shop.example.com.evil.net/",
        "https://evilshop.example.com/",
        "https://shop.example.com@evil.net/",
        "https://user:password@shop.example.com/",
        "https://evil.net\\@shop.example.com/",
        "https:\\\\shop.example.com/",
        "https:shop.example.com/",
        "https:///shop.example.com/",
        "https:/shop.example.com/",
        " https://shop.example.com/",
        "https://shop.example.com/ thanks",
        "https://shop.example.com/\r\nSet-Cookie: a=b",
        "https://shop.example.com/\x00",
        "https://shop.example.com/\t",
        "https://shop.exämple.com/",
        "https://shop.example.com:99999/",
        "https://shop.example.com:port/",
        "https://[shop.example.com/",
        "http://shop.example.com/",
        "https://",
        "https://:443/",
        "https://shop.example.com/" + "a" * 2048,
        "https://shop.example.com?@evil.net" + "\u2028",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    """Other hosts, and whatever a browser might read differently from what was checked."""
    with pytest.raises(InvalidError):
        Rules(("shop.example.com",)).redirect(url, ORIGIN)


def test_a_wildcard_allows_what_is_under_it_only() -> None:
    """Not the name itself, nor one that merely ends alike."""
    rules = Rules(("*.example.com",))
    for url in ("https://example.com/", "https://badexample.com/", "https://.example.com/"):
        with pytest.raises(InvalidError):
            rules.redirect(url, ORIGIN)


@pytest.mark.parametrize("rules", [Rules(), Rules(("other.example.com",), "", own_pages=True)])
def test_the_origin_alone_allows_nothing(rules: Rules) -> None:
    """Whoever asks chooses it: it counts only with our own pages, and where nothing else was set."""
    with pytest.raises(InvalidError):
        rules.redirect("https://shop.example.com/", ORIGIN)


@given(st.text())
def test_no_text_does_more_than_be_refused(url: str) -> None:
    """Whatever it is, the answer is the URL or InvalidError."""
    try:
        assert Rules(("shop.example.com",)).redirect(url, ORIGIN) == url
    except InvalidError:
        return


@pytest.mark.parametrize(
    "origin", ["https://shop.example.com", "http://127.0.0.1:8080", "http://[::1]:80", "http://localhost"]
)
def test_the_shop_is_where_the_request_came_in(origin: str) -> None:
    """Unless its public address is set."""
    assert Rules().shop(origin) == origin
    assert Rules((), ORIGIN).shop(origin) == ORIGIN
    assert Rules((), ORIGIN).shop("") == ORIGIN


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "shop.example.com",
        "https://",
        "ftp://shop",
        "https://shop/path",
        "https://a@b",
        "https://a b",
        "https://a\n",
    ],
)
def test_an_origin_is_one(origin: str) -> None:
    """A scheme and a host, perhaps a port, and nothing more."""
    with pytest.raises(InvalidError):
        Rules().shop(origin)


def test_a_contact_is_an_email_and_a_name() -> None:
    """Spaces around them are dropped; names are of any script."""
    assert contact(" b@example.com ", "  Ada Łovelace 李 ") == ("b@example.com", "Ada Łovelace 李")


@pytest.mark.parametrize(
    ("email", "name"),
    [
        ("", "Ada"),
        ("no address", "Ada"),
        ("@example.com", "Ada"),
        ("b@", "Ada"),
        ("a b@example.com", "Ada"),
        ("b\n@example.com", "Ada"),
        ("b" * 250 + "@example.com", "Ada"),
        ("b@example.com", ""),
        ("b@example.com", "   "),
        ("b@example.com", "Ada\nLovelace"),
        ("b@example.com", "\ud800"),
        ("b@example.com", "a" * 201),
    ],
)
def test_what_is_no_contact_is_refused(email: str, name: str) -> None:
    """Before a provider hears of it."""
    with pytest.raises(InvalidError):
        contact(email, name)
