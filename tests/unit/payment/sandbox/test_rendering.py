"""Claims about how the built-in provider's pages are written."""

from datetime import UTC, datetime

import pytest

from services.payment.providers.sandbox.rendering import STYLE, day, html, money, notice, to

HOSTILE = "<script>alert('x')</script>\" onload=\"x"


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (0, "USD", "0.00 USD"),
        (5, "EUR", "0.05 EUR"),
        (124_900, "USD", "1,249.00 USD"),
        (1_500, "JPY", "1,500 JPY"),
        (1_234_567, "KWD", "1,234.567 KWD"),
    ],
)
def test_amounts_have_their_currencys_decimals(minor: int, currency: str, shown: str) -> None:
    """An amount is exact, whatever its currency's minor unit is (ISO 4217)."""
    assert money(minor, currency) == shown


def test_times_say_their_zone() -> None:
    """A reader knows which clock is meant."""
    assert day(datetime(2026, 3, 4, 5, 6, tzinfo=UTC)) == "4 March 2026, 05:06 UTC"


def test_what_people_wrote_is_only_text() -> None:
    """A name that is markup is shown as it was written, and is no markup."""
    body = notice("Title", HOSTILE, back="https://shop.example/?a=1&b=2").content
    assert b"<script" not in body
    assert b'onload="' not in body
    assert b'href="https://shop.example/?a=1&amp;b=2"' in body


def test_a_page_loads_its_style_alone() -> None:
    """The policy allows no script, no frame and no other host; forms lead here or to the shop."""
    page = html("notice.html", leads_to="https://shop.example:8443/x?y", title="t", text="t", good=False, back="")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == "'self'"
    assert policy["form-action"] == "'self' https://shop.example:8443"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert page.headers["Cache-Control"] == "no-store"


def test_no_outside_host_is_named() -> None:
    """Neither the style nor a page fetches anything from elsewhere."""
    assert b"http" not in STYLE
    assert b"url(" not in STYLE
    assert b"http" not in notice("Title", "Text").content


def test_a_press_ends_in_a_get() -> None:
    """303: going back or reloading posts nothing again."""
    answer = to("https://shop.example/back")
    assert (answer.status_code, answer.headers["Location"]) == (303, "https://shop.example/back")
