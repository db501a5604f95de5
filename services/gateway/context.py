"""What one request's resolvers share: who asks, the services, this request's loaders, and the cookies to set."""

from dataclasses import dataclass, field
from functools import cached_property

from strawberry.types.info import Info as StrawberryInfo

from services.errors import InvalidError
from services.gateway.clients import Accounts, Orders, Products
from services.gateway.identity import Caller, Cookies
from services.gateway.interactions import Interactions
from services.gateway.limits import Limits
from services.gateway.loaders import OrdersLoader, ProductLoader, orders_loader, product_loader
from services.gateway.money import Currency


@dataclass(frozen=True, slots=True)
class Platform:
    """What every request uses, wired once at the composition root."""

    accounts: Accounts
    products: Products
    orders: Orders
    interactions: Interactions
    cookies: Cookies
    currency: Currency


@dataclass
class Context:
    """One request."""

    platform: Platform
    caller: Caller
    # From the header Idempotency-Key; empty for none.
    idempotency_key: str = ""
    # How many more orders and lines the answer may hold.
    objects_left: int = Limits().objects
    # Set-Cookie headers of the answer.
    set_cookies: list[str] = field(default_factory=list)

    @property
    def currency(self) -> Currency:
        """The shop's currency."""
        return self.platform.currency

    @cached_property
    def orders_of(self) -> OrdersLoader:
        """This request's loader of orders."""
        return orders_loader(self.platform.orders, self.caller)

    @cached_property
    def product_by_id(self) -> ProductLoader:
        """This request's loader of products."""
        return product_loader(self.platform.products)

    def spend(self, objects: int) -> None:
        """Counts what the answer will hold; raises InvalidError when that becomes too much."""
        self.objects_left -= objects
        if self.objects_left < 0:
            raise InvalidError("The answer would be too large: ask for fewer orders at once.")

    def take_idempotency_key(self) -> str:
        """Answers the request's key once; InvalidError when a second order of the request would share it."""
        key = self.idempotency_key
        if key == _TAKEN:
            raise InvalidError("One Idempotency-Key covers one createOrder: send the others in requests of their own.")
        if key:
            self.idempotency_key = _TAKEN
        return key


# No header value can be this: HTTP forbids the character.
_TAKEN = "\0"

Info = StrawberryInfo[Context, None]
