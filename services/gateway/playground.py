"""GraphiQL at `/playground`, served whole from this package: the page contacts no other host.

The bundles in assets/vendor come from npm (VENDORED.md says which, and how to renew them). They are read once, and
their addresses contain a hash of their contents: a browser keeps them for good, and a new version has a new address.
The Content-Security-Policy lets the page load, run and call nothing but this server.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

ASSETS: Final = Path(__file__).parent / "assets"
_TYPES: Final = {".js": "text/javascript", ".css": "text/css"}
# GraphiQL's editor places its cursor and menus with style attributes, and its fonts and icons are data in its CSS.
_SOURCES: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "font-src": "data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
POLICY: Final = "; ".join(f"{directive} {sources}" for directive, sources in _SOURCES.items())


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that the page loads, by a path that changes with its contents."""

    name: str
    content: bytes
    media_type: str

    @property
    def path(self) -> str:
        """Where it is served."""
        return f"/playground/assets/{hashlib.sha256(self.content).hexdigest()[:16]}/{self.name}"


def _assets() -> dict[str, Asset]:
    files = sorted(path for path in (*ASSETS.iterdir(), *(ASSETS / "vendor").iterdir()) if path.suffix in _TYPES)
    assets = (Asset(path.name, path.read_bytes(), _TYPES[path.suffix]) for path in files)
    return {asset.name: asset for asset in assets}


def _page(assets: dict[str, Asset]) -> bytes:
    page = (ASSETS / "playground.html").read_text()
    for name, asset in assets.items():
        page = page.replace(f"{{{{{name}}}}}", asset.path)
    return page.encode()


_BY_NAME: Final = _assets()
_BY_PATH: Final = {asset.path: asset for asset in _BY_NAME.values()}
_PAGE: Final = _page(_BY_NAME)


@get("/playground", sync_to_thread=False)
def playground() -> Response[bytes]:
    """Answers the page; never kept without asking, because it names the files of this version."""
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return Response(_PAGE, media_type="text/html", headers=headers)


@get("/playground/assets/{digest:str}/{name:str}", sync_to_thread=False)
def asset(digest: FromPath[str], name: FromPath[str]) -> Response[bytes]:
    """Answers a file of the page, to be kept for good."""
    found = _BY_PATH.get(f"/playground/assets/{digest}/{name}")
    if found is None:
        raise NotFoundException("There is no such file.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{digest}"'}
    return Response(found.content, media_type=found.media_type, headers=headers)
