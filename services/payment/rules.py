"""Where buyers may be sent, and under which address the platform's own pages are.

A checkout ends with a redirect to an address that the client named. Without a rule, the shop's name would lend its
trust to any address, so its host must be one of the allowed ones, or the shop's own.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from services.errors import InvalidError

LONGEST_URL: Final = 2048
LONGEST_EMAIL: Final = 254
LONGEST_NAME: Final = 200
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ORIGIN: Final = re.compile(
    rf"https?://(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9a-f:.]+\])(?::[0-9]{{1,5}})?", re.IGNORECASE
)
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Rules:
    """What is allowed.

    `redirect_hosts` are host names without port, "*.example.com" for all under it. `public_url` is the platform's own
    address, empty where it is wherever the request came in; then `own_pages` allows a redirect to that very host, as
    the provider's pages are there as well.
    """

    redirect_hosts: tuple[str, ...] = ()
    public_url: str = ""
    own_pages: bool = False

    def shop(self, origin: str) -> str:
        """Answers the platform's own address, such as "https://shop.example.com".

        Raises InvalidError when none is set and `origin` is none.
        """
        if self.public_url:
            return self.public_url
        if len(origin) > LONGEST_URL or not _ORIGIN.fullmatch(origin):
            raise InvalidError("The address that the request was sent to cannot be understood.")
        return origin

    def redirect(self, url: str, origin: str) -> str:
        """Answers the URL to which a buyer may be sent back; raises InvalidError for any other."""
        shop = urlsplit(self.shop(origin))
        parts = _parsed(url)
        host = (parts.hostname or "").rstrip(".")
        if not host or not self._allows(host, shop.hostname or ""):
            raise InvalidError("The redirect URL's host is not one that is allowed.")
        if parts.scheme == "http" and shop.scheme != "http" and host not in _LOOPBACK:
            raise InvalidError("The redirect URL must begin with https://.")
        return url

    def _allows(self, host: str, shop_host: str) -> bool:
        is_shop = host == shop_host and bool(self.public_url or (self.own_pages and not self.redirect_hosts))
        return is_shop or any(_fits(host, allowed.lower()) for allowed in self.redirect_hosts)


def contact(email: str, name: str) -> tuple[str, str]:
    """Answers the e-mail and name without spaces around them; raises InvalidError for what a provider cannot take."""
    email, name = email.strip(), name.strip()
    local, at, domain = email.rpartition("@")
    if not (local and at and domain) or len(email) > LONGEST_EMAIL or not _is_plain(email) or " " in email:
        raise InvalidError("The e-mail address is not one.")
    if not name or len(name) > LONGEST_NAME or not _is_plain(name):
        raise InvalidError(f"The name must have 1 to {LONGEST_NAME} characters on one line.")
    return email, name


def _parsed(url: str) -> SplitResult:
    # Browsers drop or turn some of these characters, so that what is read here and there would differ.
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise InvalidError("The redirect URL is too long, or has characters that have to be escaped.")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise InvalidError("The redirect URL cannot be understood.") from None
    # With one or three slashes browsers find another host than is written here.
    if not re.match(r"https?://[^/?#]", url, re.IGNORECASE):
        raise InvalidError("The redirect URL must be absolute and begin with https:// or http://.")
    if "@" in parts.netloc:
        raise InvalidError("The redirect URL must not have a user name in it.")
    return parts


def _fits(host: str, allowed: str) -> bool:
    if allowed.startswith("*."):
        return host.endswith(allowed[1:]) and host != allowed[1:]
    return host == allowed


def _is_plain(text: str) -> bool:
    """Answers whether it can be stored and shown in one line: no control characters, no halves of characters."""
    return all(character.isprintable() for character in text)
