"""Which provider the settings come to, and what comes with it."""

from datetime import UTC, datetime

import pytest

from services.database import Database
from services.payment.settings import ServeSettings
from services.payment.wiring import choose
from tests.unit.payment.test_settings import LEAST


@pytest.mark.parametrize(("name", "is_built_in"), [("sandbox", True), ("dodo", False), ("stripe", False)])
async def test_each_provider_is_made_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, *, is_built_in: bool
) -> None:
    """Only the built-in one has pages and background work here; none is asked anything before it is used."""
    for variable, value in {**LEAST, "PAYMENT_PROVIDER": name, "PROVIDER_API_KEY": "key_1"}.items():
        monkeypatch.setenv(variable, value)
    settings = ServeSettings()
    async with settings.database("payment") as database:
        assert isinstance(database, Database)
        chosen = choose(settings, database, lambda: datetime.now(UTC), lambda: "id")
        assert chosen.provider.name == name
        assert [bool(own) for own in (chosen.pages, chosen.loops, chosen.others)] == [is_built_in] * 3
        await chosen.close()
