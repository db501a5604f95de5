"""How the built-in provider's pages are written: templates, amounts for people, and the headers that guard a page."""

from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response

_HERE: Final = Path(__file__).parent
STYLE: Final = (_HERE / "style.css").read_bytes()
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
# ISO 4217: the currencies whose minor unit is not a hundredth.
_WHOLE: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS: Final = "BHD IQD JOD KWD LYD OMR TND"


def money(minor: int, currency: str) -> str:
    """Answers an amount for people, such as "1,249.00 USD"."""
    decimals = 0 if currency in _WHOLE else 3 if currency in _THOUSANDTHS else 2
    whole, part = divmod(minor, 10**decimals)
    return f"{whole:,}.{part:0{decimals}d} {currency}" if decimals else f"{whole:,} {currency}"


def day(moment: datetime) -> str:
    """Answers a time for people, in UTC."""
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


_TEMPLATES.filters |= {"day": day}


def html(template: str, *, leads_to: str, status: int = 200, **values: Any) -> Response[bytes]:
    """Renders a page that loads its style and nothing else, and whose forms lead here or to the shop's address."""
    body = _TEMPLATES.get_template(template).render(**values)
    to = urlsplit(leads_to)
    forms = f"'self' {to.scheme}://{to.netloc}" if to.netloc else "'self'"
    policy = (
        f"default-src 'none'; style-src 'self'; img-src 'self'; form-action {forms}; base-uri 'none';"
        " frame-ancestors 'none'"
    )
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
    return Response(body.encode(), status_code=status, media_type="text/html", headers=headers)


def notice(title: str, text: str, *, status: int = 200, good: bool = False, back: str = "") -> Response[bytes]:
    """Renders a page that says one thing, with the way back to the shop where it is known."""
    return html("notice.html", status=status, leads_to=back, title=title, text=text, good=good, back=back)


def to(url: str) -> Response[bytes]:
    """Leads a browser on by GET (RFC 9110, section 15.4.4), so that going back or reloading posts nothing again."""
    return Response(b"", status_code=303, headers={"Location": url, "Cache-Control": "no-store"})
