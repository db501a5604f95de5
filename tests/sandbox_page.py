"""What a buyer does on the sandbox's checkout page, without a browser."""

import httpx


async def press(page_url: str, button: str = "pay") -> str:
    """Opens a checkout page and presses "pay", "decline" or "cancel"; answers where the buyer is sent."""
    async with httpx.AsyncClient(timeout=30) as client:
        page = await client.get(page_url)
        assert page.status_code == 200
        # The forms' own addresses are relative to the host.
        assert f'/{button}"' in page.text
        answer = await client.post(f"{page_url}/{button}")
    assert answer.status_code == 303
    return str(answer.headers["location"])
