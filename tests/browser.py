"""A real browser for tests: the host's own Chromium, without a window, driven by Playwright.

Nothing is downloaded: a browser that is missing is a failure that says what to install.
"""

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from playwright.async_api import Browser, async_playwright

_PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
# Root has no sandbox of Chromium's, and a container hardly any shared memory.
_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server")


@asynccontextmanager
async def browser(*, hosts: Mapping[str, str] | None = None) -> AsyncIterator[Browser]:
    """Answers a browser; `hosts` says at which addresses it finds names, beside what DNS says."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        raise RuntimeError(
            f"There is no browser: install one of {', '.join(_PROGRAMS)} (Debian: apt install chromium)."
        )
    rules = ", ".join(f"MAP {name} {address}" for name, address in (hosts or {}).items())
    arguments = [*_ARGUMENTS, *([f"--host-resolver-rules={rules}"] if rules else [])]
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield started
        finally:
            await started.close()
