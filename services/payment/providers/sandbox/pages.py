"""What a buyer sees of the built-in provider: the checkout page and the customer's portal.

Plain HTML forms: they work without JavaScript, and there is none. A page's address holds the secret that opens it, and
nothing else does (no cookie), so a form of another site has nothing to go by. Pressing Pay twice, or going back and
pressing it again, pays once and leads to the shop as the first press did.
"""

import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from sqlalchemy import Row

from services.errors import UnavailableError
from services.payment.domain import CheckoutStatus, PaymentStatus
from services.payment.providers.sandbox.desk import Desk, ShownPayment
from services.payment.providers.sandbox.rendering import STYLE, html, money, notice, to

# What keys and ids in addresses are made of; anything else (PostgreSQL takes no NUL, for one) is not looked for.
_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_BUTTONS: Final = {
    "pay": PaymentStatus.SUCCEEDED,
    "decline": PaymentStatus.FAILED,
    "cancel": PaymentStatus.CANCELLED,
}
_WORDS: Final = {
    PaymentStatus.PROCESSING: "Processing",
    PaymentStatus.FAILED: "Declined",
    PaymentStatus.CANCELLED: "Cancelled",
    PaymentStatus.SUCCEEDED: "Paid",
}


def pages(desk: Desk) -> Sequence[Router]:
    """Answers the routes /checkout/… and /portal/…."""
    return [
        Router(path, route_handlers=handlers, exception_handlers={UnavailableError: _not_now})
        for path, handlers in (("/checkout", [_style, *_checkout(desk)]), ("/portal", _portal(desk)))
    ]


@get("/style.css", sync_to_thread=False)
def _style() -> Response[bytes]:
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "max-age=3600"})


def _checkout(desk: Desk) -> list[Any]:
    @get("/{token:str}")
    async def checkout(token: FromPath[str]) -> Response[bytes]:
        page = await desk.page(token) if _KEY.fullmatch(token) else None
        if page is None:
            return _no_page()
        if not desk.is_open(page):
            return _over(page)
        total = money(page.total_minor, page.currency)
        return html("checkout.html", leads_to=page.redirect_url, page=page, lines=_lines(page), total=total)

    @post("/{token:str}/{button:str}")
    async def press(token: FromPath[str], button: FromPath[str]) -> Response[bytes]:
        wanted = _BUTTONS.get(button)
        pressed = await desk.press(token, wanted) if wanted and _KEY.fullmatch(token) else None
        if pressed is None:
            return _no_page()
        page, taken = pressed
        paid_before = page.status == CheckoutStatus.COMPLETED.value and wanted == PaymentStatus.SUCCEEDED
        return to(_with_result(page, wanted) if wanted and (taken or paid_before) else f"/checkout/{token}")

    return [checkout, press]


def _portal(desk: Desk) -> list[Any]:
    @get("/{token:str}")
    async def portal(token: FromPath[str]) -> Response[bytes]:
        way_in = await desk.portal(token) if _KEY.fullmatch(token) else None
        if way_in is None:
            return _no_portal()
        payments = [_shown(payment) for payment in await desk.payments_of_account(way_in.account_id)]
        back = way_in.return_url
        return html("portal.html", leads_to=back, email=way_in.email, token=token, payments=payments, back=back)

    @post("/{token:str}/refund/{payment_id:str}")
    async def refund(token: FromPath[str], payment_id: FromPath[str]) -> Response[bytes]:
        way_in = await desk.portal(token) if _KEY.fullmatch(token) else None
        if way_in is None:
            return _no_portal()
        if _KEY.fullmatch(payment_id):
            await desk.refund_by_customer(way_in.account_id, payment_id)
        return to(f"/portal/{token}")

    return [portal, refund]


def _lines(page: Row[Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": line["name"],
            "quantity": line["quantity"],
            "each": money(line["price_minor"], page.currency),
            "sum": money(line["price_minor"] * line["quantity"], page.currency),
        }
        for line in page.lines
    ]


def _shown(payment: ShownPayment) -> dict[str, Any]:
    refunded, left = payment.refunded_minor, payment.left_minor
    word, kind = _WORDS[payment.status], payment.status.value
    if refunded:
        word, kind = "Partly refunded" if left else "Refunded", "refunded"
    return {
        "id": payment.id,
        "order_id": payment.order_id,
        "when": payment.occurred_at,
        "amount": money(payment.amount_minor, payment.currency),
        "refunded": money(refunded, payment.currency) if refunded else "",
        "left": money(left, payment.currency) if left else "",
        "word": word,
        "kind": kind,
    }


def _over(page: Row[Any]) -> Response[bytes]:
    if page.status == CheckoutStatus.COMPLETED.value:
        text = f"{money(page.total_minor, page.currency)} for order {page.order_id}. There is nothing left to do here."
        return notice("This order is paid", text, good=True, back=_with_result(page, PaymentStatus.SUCCEEDED))
    text = "It was cancelled, replaced by a newer one, or its time is over. It charged nothing."
    return notice("This page takes no payment any more", text, back=page.redirect_url)


def _no_page() -> Response[bytes]:
    return notice("There is no such checkout page", "Go back to the shop and pay from there.", status=404)


def _no_portal() -> Response[bytes]:
    return notice("This page is no longer open", "Open your payments from the shop again.", status=404)


def _not_now(_: Request[Any, Any, Any], __: Exception) -> Response[bytes]:
    return notice("Not just now", "Something is being repaired. Reload the page in a moment.", status=503)


def _with_result(page: Row[Any], status: PaymentStatus) -> str:
    """Answers the shop's address with the order and what became of it; for show only: webhooks tell the truth."""
    parts = urlsplit(page.redirect_url)
    told = {"order_id": str(page.order_id), "status": status.value}
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in told]
    query = urlencode([*kept, *told.items()])
    return str(parts._replace(query=query).geturl())
