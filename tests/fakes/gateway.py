"""The services behind the gateway in memory; tests/contract/gateway holds each client against the real service.

Every call is written down in `calls`, because how often the gateway asks is a claim of its own.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import uuid4

from jose import jwt

from protos.gen.ecommerce.account import v1 as account_v1
from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.order import v1 as order_v1
from protos.gen.ecommerce.product import v1 as product_v1
from services.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from services.publisher import Outcome, Outgoing
from services.tokens import Identity, PublicJwk
from tests.factories.gateway import SigningKey, expires_at, usd


@dataclass
class FakeServices:
    """What the fakes share: the signing key, who is down, and what was asked."""

    key: SigningKey = field(default_factory=SigningKey)
    calls: list[str] = field(default_factory=list)
    # Raised by every call of a service of that name.
    failures: dict[str, Exception] = field(default_factory=dict)

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.calls)

    def note(self, service: str, method: str) -> None:
        self.calls.append(f"{service}.{method}")
        if service in self.failures:
            raise self.failures[service]

    async def public_keys(self) -> list[PublicJwk]:
        if "keys" in self.failures:
            raise UnavailableError("The public keys cannot be had now.")
        return [self.key.public]

    @staticmethod
    def caller(token: str) -> Identity:
        claims = jwt.get_unverified_claims(token)
        return Identity(int(claims["sub"]), claims["role"], token)


class FakeAccounts:
    """Keeps accounts in a dictionary; the first is the administrator's."""

    def __init__(self, services: FakeServices) -> None:
        self._services = services
        self.rows: dict[int, account_v1.Account] = {}
        self._passwords: dict[str, tuple[str, int]] = {}

    async def register(self, name: str, email: str, password: str) -> account_v1.Session:
        self._services.note("accounts", "register")
        if not name.strip():
            raise InvalidError("The name must not be empty.")
        if email.casefold() in self._passwords:
            raise ConflictError("This e-mail is already registered.")
        account = account_v1.Account(id=len(self.rows) + 1, name=name, email=email)
        self.rows[account.id] = account
        self._passwords[email.casefold()] = (password, account.id)
        return self._session(account)

    async def login(self, email: str, password: str) -> account_v1.Session:
        self._services.note("accounts", "login")
        known, account_id = self._passwords.get(email.casefold(), ("", 0))
        if not account_id or known != password:
            raise UnauthenticatedError("The e-mail or the password is wrong.")
        return self._session(self.rows[account_id])

    async def get(self, token: str, account_id: int) -> account_v1.Account:
        self._services.note("accounts", "get")
        caller = self._services.caller(token)
        if account_id != caller.account_id and not caller.is_administrator:
            raise ForbiddenError("This belongs to another account.")
        if account_id not in self.rows:
            raise NotFoundError("There is no such account.")
        return self.rows[account_id]

    async def page(self, token: str, skip: int, take: int) -> Sequence[account_v1.Account]:
        self._services.note("accounts", "page")
        if not self._services.caller(token).is_administrator:
            raise ForbiddenError("Only an administrator may see all accounts.")
        return [self.rows[account_id] for account_id in sorted(self.rows)][skip : skip + take]

    def _session(self, account: account_v1.Account) -> account_v1.Session:
        token = self._services.key.token(account.id)
        return account_v1.Session(token=token, expires_at=expires_at(), account=account)


class FakeProducts:
    """Keeps products in a dictionary, in the order of their making."""

    def __init__(self, services: FakeServices) -> None:
        self._services = services
        self.rows: dict[str, product_v1.Product] = {}

    async def create(self, token: str, name: str, description: str, price: Money) -> product_v1.Product:
        self._services.note("products", "create")
        if not name.strip():
            raise InvalidError("The name must not be empty.")
        now = datetime.now(UTC)
        product = product_v1.Product(
            id=str(uuid4()),
            name=name,
            description=description,
            price=price,
            account_id=self._services.caller(token).account_id,
            version=1,
            created_at=now,
            updated_at=now,
        )
        self.rows[product.id] = product
        return product

    async def update(self, token: str, product: product_v1.Product, version: int | None) -> product_v1.Product:
        self._services.note("products", "update")
        current = self._own(token, product.id)
        if version is not None and version != current.version:
            raise ConflictError("The product has changed.")
        self.rows[product.id] = replace(
            current,
            name=product.name,
            description=product.description,
            price=product.price,
            version=current.version + 1,
        )
        return self.rows[product.id]

    async def delete(self, token: str, product_id: str) -> None:
        self._services.note("products", "delete")
        self._own(token, product_id)
        del self.rows[product_id]

    async def get(self, product_id: str) -> product_v1.Product:
        self._services.note("products", "get")
        if product_id not in self.rows:
            raise NotFoundError("There is no such product.")
        return self.rows[product_id]

    async def get_many(self, product_ids: Sequence[str]) -> Sequence[product_v1.Product]:
        self._services.note("products", "get_many")
        return [self.rows[product_id] for product_id in dict.fromkeys(product_ids) if product_id in self.rows]

    async def page(self, skip: int, take: int) -> Sequence[product_v1.Product]:
        self._services.note("products", "page")
        return list(self.rows.values())[skip : skip + take]

    async def search(self, query: str, skip: int, take: int) -> Sequence[product_v1.Product]:
        self._services.note("products", "search")
        found = [row for row in self.rows.values() if query.casefold() in f"{row.name} {row.description}".casefold()]
        return found[skip : skip + take]

    def _own(self, token: str, product_id: str) -> product_v1.Product:
        if product_id not in self.rows:
            raise NotFoundError("There is no such product.")
        if self.rows[product_id].account_id != self._services.caller(token).account_id:
            raise ForbiddenError("This product belongs to another account.")
        return self.rows[product_id]


class FakeOrders:
    """Keeps orders in a dictionary and prices them by the fake catalogue."""

    def __init__(self, services: FakeServices, products: FakeProducts) -> None:
        self._services = services
        self._products = products
        self.rows: dict[int, order_v1.Order] = {}
        self._by_key: dict[tuple[int, str], order_v1.Order] = {}

    async def place(self, token: str, items: Sequence[order_v1.OrderItem], idempotency_key: str) -> order_v1.Order:
        self._services.note("orders", "place")
        account_id = self._services.caller(token).account_id
        kept = self._by_key.get((account_id, idempotency_key)) if idempotency_key else None
        if kept is not None:
            return kept
        order = self._price(account_id, items)
        self.rows[order.id] = order
        if idempotency_key:
            self._by_key[account_id, idempotency_key] = order
        return order

    async def get(self, token: str, order_id: int) -> order_v1.Order:
        self._services.note("orders", "get")
        caller, order = self._services.caller(token), self.rows.get(order_id)
        if order is None or (order.account_id != caller.account_id and not caller.is_administrator):
            raise NotFoundError(f"There is no order {order_id}.")
        return order

    async def of_accounts(
        self, token: str, account_ids: Sequence[int], skip: int, take: int
    ) -> Sequence[Sequence[order_v1.Order]]:
        self._services.note("orders", "of_accounts")
        caller = self._services.caller(token)
        if not caller.is_administrator and any(account_id != caller.account_id for account_id in account_ids):
            raise ForbiddenError("This belongs to another account.")
        return [self._of_account(account_id)[skip : skip + take] for account_id in account_ids]

    def _of_account(self, account_id: int) -> list[order_v1.Order]:
        return [order for order in reversed(self.rows.values()) if order.account_id == account_id]

    def _price(self, account_id: int, items: Sequence[order_v1.OrderItem]) -> order_v1.Order:
        if not items or any(item.quantity < 1 for item in items):
            raise InvalidError("An order needs at least one product, and at least one piece of each.")
        quantities: Counter[str] = Counter()
        for item in items:
            quantities[item.product_id] += item.quantity
        lines = [self._line(product_id, quantity) for product_id, quantity in quantities.items()]
        total = sum(line.price.minor_units * line.quantity for line in lines if line.price)
        return order_v1.Order(
            id=len(self.rows) + 1,
            account_id=account_id,
            created_at=datetime.now(UTC),
            total_price=usd(total),
            lines=lines,
            status=order_v1.OrderStatus.PLACED,
        )

    def _line(self, product_id: str, quantity: int) -> order_v1.OrderLine:
        product = self._products.rows.get(product_id)
        if product is None:
            raise NotFoundError("There is no such product.")
        return order_v1.OrderLine(
            product_id=product.id,
            name=product.name,
            description=product.description,
            price=product.price,
            quantity=quantity,
        )


class FakePublisher:
    """Keeps what it is given; `down` answers as Kafka does while it is away."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.batches: list[int] = []
        self.down = False
        self.outcome: Outcome = None
        self.closed = False
        self._called = asyncio.Condition()

    async def reaches(self, calls: int) -> None:
        """Returns once it was called so often."""
        async with self._called:
            await self._called.wait_for(lambda: len(self.batches) >= calls)

    async def publish(self, records: Sequence[Outgoing]) -> list[Outcome]:
        async with self._called:
            self.batches.append(len(records))
            self._called.notify_all()
        if self.down:
            return [UnavailableError("Kafka does not answer now.")] * len(records)
        if self.outcome is None:
            self.records.extend(records)
        return [self.outcome] * len(records)

    async def close(self) -> None:
        self.closed = True
