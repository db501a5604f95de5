"""What the platform is made of: a row for each component.

A service that comes is one row more here, and a field in the resource.
"""

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """What one service is and needs.

    `calls` names the services whose addresses it is given; `database`, `kafka` and `search` the datastores that it
    uses; `currency` the fields of the currency that it reads; `signs_in` that it holds the credentials; `takes_money`
    that it needs a payment provider; `learns` that it is trained; `public` that clients reach it; `cookies` that it
    gives them the cookie of a sign-in.
    """

    name: str
    calls: tuple[str, ...] = ()
    database: bool = False
    kafka: bool = False
    search: bool = False
    currency: frozenset[str] = field(default_factory=frozenset)
    signs_in: bool = False
    takes_money: bool = False
    learns: bool = False
    public: bool = False
    cookies: bool = False

    @property
    def datastores(self) -> tuple[str, ...]:
        """The components that it keeps its data in."""
        uses = {"postgres": self.database, "kafka": self.kafka, "elasticsearch": self.search}
        return tuple(name for name, used in uses.items() if used)


SERVICES: Final = (
    ServiceRow("account", database=True, signs_in=True),
    ServiceRow("product", calls=("account",), database=True, kafka=True, search=True, currency=frozenset({"code"})),
    ServiceRow("order", calls=("account", "product"), database=True, kafka=True),
    ServiceRow("payment", calls=("account", "order"), database=True, kafka=True, takes_money=True, public=True),
    ServiceRow("recommender", calls=("account",), database=True, kafka=True, learns=True),
    ServiceRow(
        "gateway",
        calls=("account", "product", "order", "payment", "recommender"),
        kafka=True,
        currency=frozenset({"code", "decimals"}),
        public=True,
        cookies=True,
    ),
)
# In starting order.
DATASTORES: Final = ("postgres", "kafka", "elasticsearch")


def databases() -> tuple[str, ...]:
    """Answers the services that have a database of their own."""
    return tuple(row.name for row in SERVICES if row.database)


def components() -> tuple[str, ...]:
    """Answers all components that there can be, in starting order."""
    return (*DATASTORES, *(row.name for row in SERVICES))
