"""What one request's resolvers share: who asks, the services, this request's loaders, and the cookies to set."""

from dataclasses import dataclass, field
from functools import cached_property

from strawberry.types.info import Info as StrawberryInfo

from services.errors import InvalidError
from services.gateway.catalogue_cache import CatalogueCache
from services.gateway.clients import Accounts, Orders, Products
from services.gateway.identity import Caller, Cookies
from services.gateway.interactions import Interactions
from services.gateway.limits import Limits
from services.gateway.loaders import (
    OrdersLoader,
    PaymentsLoader,
    ProductLoader,
    orders_loader,
    payments_loader,
    product_loader,
)
from services.gateway.money import Currency
from services.gateway.payments import Payments
from services.gateway.reads import Reads
from services.gateway.recommendations import Recommender
from services.gateway.request import Headers, origin_of


@dataclass(frozen=True, slots=True)
class Platform:
    """What every request uses, wired once at the composition root."""

    accounts: Accounts
    products: Products
    orders: Orders
    payments: Payments
    recommender: Recommender
    interactions: Interactions
    cookies: Cookies
    currency: Currency
    # None: every read is answered anew.
    catalogue_cache: CatalogueCache | None = None


@dataclass
class Context:
    """One request, or with `shared` the one computation for many requests of anonymous callers."""

    platform: Platform
    caller: Caller
    headers: Headers = field(default_factory=Headers)
    # How many more orders, lines and payments the answer may hold.
    objects_left: int = Limits().objects
    # Set-Cookie headers of the answer.
    set_cookies: list[str] = field(default_factory=list)
    # What the answer is made from.
    reads: Reads = field(default_factory=Reads)
    # Views are then told by each of the requests, and not from here.
    shared: bool = False

    def __post_init__(self) -> None:
        # Empty for none.
        self._idempotency_key = self.headers.idempotency_key

    @property
    def origin(self) -> str:
        """Where the client reached the platform, such as "https://shop.example"; InvalidError when that is unclear."""
        return origin_of(self.headers)

    @property
    def currency(self) -> Currency:
        """The shop's currency."""
        return self.platform.currency

    @cached_property
    def orders_of(self) -> OrdersLoader:
        """This request's loader of orders."""
        return orders_loader(self.platform.orders, self.caller)

    @cached_property
    def payments_of(self) -> PaymentsLoader:
        """This request's loader of payments."""
        return payments_loader(self.platform.payments, self.caller)

    @cached_property
    def product_by_id(self) -> ProductLoader:
        """This request's loader of products."""
        return product_loader(self.platform.products)

    async def view(self, product_id: str) -> None:
        """Tells that the caller looked at the product: once, however many fields of the request show it."""
        if product_id in self.reads.viewed:
            return
        self.reads.viewed.append(product_id)
        if not self.shared:
            self.platform.interactions.viewed(product_id, await self.caller.account_id())

    def spend(self, objects: int) -> None:
        """Counts what the answer will hold; raises InvalidError when that becomes too much."""
        self.objects_left -= objects
        if self.objects_left < 0:
            raise InvalidError("The answer would be too large: ask for fewer orders at once.")

    def take_idempotency_key(self) -> str:
        """Answers the request's key once; InvalidError when a second mutation of the request would share it."""
        key = self._idempotency_key
        if key == _TAKEN:
            raise InvalidError("One Idempotency-Key covers one mutation: send the others in requests of their own.")
        if key:
            self._idempotency_key = _TAKEN
        return key


# No header value can be this: HTTP forbids the character.
_TAKEN = "\0"

Info = StrawberryInfo[Context, None]
