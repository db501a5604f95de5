"""The GraphQL schema's mutations: signing in and out, selling, buying, paying.

All results are nullable, so that one that fails takes none of the others of its request with it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import strawberry

from protos.gen.ecommerce.account.v1 import Session
from protos.gen.ecommerce.order.v1 import OrderItem
from protos.gen.ecommerce.product import v1 as product_v1
from services.errors import EcommerceError, ForbiddenError, InvalidError, UnavailableError
from services.gateway.catalogue_cache import CatalogueCache
from services.gateway.context import Info
from services.gateway.money import MAX_TOTAL
from services.gateway.payments import Buyer, Refund
from services.gateway.types import (
    AuthResponse,
    CheckoutInput,
    CreateProductInput,
    CustomerPortalSessionInput,
    LoginInput,
    Order,
    OrderedProductInput,
    OrderInput,
    Payment,
    Product,
    RedirectResponse,
    RefundInput,
    RegisterInput,
    UpdateProductInput,
    order_of,
    payment_of,
    product_of,
)

G = TypeVar("G", CustomerPortalSessionInput, CheckoutInput)


@strawberry.type
class Mutation:
    """What can be changed."""

    @strawberry.mutation
    async def register(self, info: Info, account: RegisterInput) -> AuthResponse | None:
        """Creates an account and signs it in, by the answer's token and by the cookie."""
        accounts = info.context.platform.accounts
        return _signed_in(info, await accounts.register(account.name, account.email, account.password))

    @strawberry.mutation
    async def login(self, info: Info, account: LoginInput) -> AuthResponse | None:
        """Signs in, by the answer's token and by the cookie."""
        return _signed_in(info, await info.context.platform.accounts.login(account.email, account.password))

    @strawberry.mutation
    async def logout(self, info: Info) -> bool | None:
        """Forgets the cookie; a token kept elsewhere stays good until it expires."""
        info.context.set_cookies.append(info.context.platform.cookies.signed_out())
        return True

    @strawberry.mutation
    async def create_product(self, info: Info, product: CreateProductInput) -> Product | None:
        """Puts a product up; the caller owns it."""
        context = info.context
        token = (await context.caller.identity()).token
        price = context.currency.to_money(product.price)
        created = await context.platform.products.create(token, product.name, product.description, price)
        if context.platform.catalogue_cache:
            context.platform.catalogue_cache.membership_changed(created.id)
        return product_of(created, context.currency)

    @strawberry.mutation
    async def update_product(self, info: Info, product: UpdateProductInput) -> Product | None:
        """Replaces a product's name, description and price; its owner only."""
        context = info.context
        token = (await context.caller.identity()).token
        changed = product_v1.Product(
            id=product.id,
            name=product.name,
            description=product.description,
            price=context.currency.to_money(product.price),
        )
        version = product.version if isinstance(product.version, int) else None
        with _telling(info, CatalogueCache.product_changed, product.id):
            return product_of(await context.platform.products.update(token, changed, version), context.currency)

    @strawberry.mutation
    async def delete_product(self, info: Info, id: str) -> bool | None:  # noqa: A002 the contract's name
        """Takes a product down; its owner only."""
        token = (await info.context.caller.identity()).token
        with _telling(info, CatalogueCache.membership_changed, id):
            await info.context.platform.products.delete(token, id)
        return True

    @strawberry.mutation
    async def create_order(self, info: Info, order: OrderInput) -> Order | None:
        """Places an order; the header Idempotency-Key makes a repetition answer the first one."""
        context = info.context
        token = (await context.caller.identity()).token
        items = [_item(number, line) for number, line in enumerate(order.products, start=1)]
        placed = await context.platform.orders.place(token, items, context.take_idempotency_key())
        return order_of(placed, context.currency)

    @strawberry.mutation
    async def create_customer_portal_session(
        self, info: Info, credentials: CustomerPortalSessionInput | None = strawberry.UNSET
    ) -> RedirectResponse | None:
        """Opens the payment provider's page of the caller's past payments."""
        token, given = await _as_owner(info, credentials)
        buyer = Buyer(given.email, given.name, info.context.origin)
        return RedirectResponse(url=await info.context.platform.payments.open_portal(token, buyer))

    @strawberry.mutation
    async def create_checkout_session(
        self, info: Info, details: CheckoutInput | None = strawberry.UNSET
    ) -> RedirectResponse | None:
        """Opens the payment provider's page for one of the caller's orders; what it costs is the order's total."""
        token, given = await _as_owner(info, details)
        buyer = Buyer(given.email, given.name, info.context.origin)
        payments = info.context.platform.payments
        return RedirectResponse(url=await payments.open_checkout(token, buyer, given.order_id, given.redirect_url))

    @strawberry.mutation
    async def refund_payment(self, info: Info, refund: RefundInput) -> Payment | None:
        """Gives money back, for administrators; with the header Idempotency-Key a repetition gives back no more."""
        context = info.context
        token = (await context.caller.identity()).token
        amount = None
        if isinstance(refund.amount, int | float):
            amount = context.currency.to_money(refund.amount, "amount", MAX_TOTAL)
        wanted = Refund(refund.payment_id, amount, refund.reason or "", context.take_idempotency_key())
        return payment_of(await context.platform.payments.refund(token, wanted), context.currency)


@contextmanager
def _telling(info: Info, changed: Callable[[CatalogueCache, str], None], product_id: str) -> Iterator[None]:
    """Tells this process's cache of the change, unless it is certain that nothing was changed."""
    cache = info.context.platform.catalogue_cache
    try:
        yield
    except EcommerceError as error:
        if cache and isinstance(error, UnavailableError):
            changed(cache, product_id)
        raise
    if cache:
        changed(cache, product_id)


def _signed_in(info: Info, session: Session) -> AuthResponse:
    if session.expires_at is None:
        raise ValueError("A session has no expiry.")
    cookie = info.context.platform.cookies.signed_in(session.token, session.expires_at)
    info.context.set_cookies.append(cookie)
    return AuthResponse(token=session.token)


def _item(number: int, line: OrderedProductInput | None) -> OrderItem:
    if line is None:
        raise InvalidError(f"Line {number} of the order is null.")
    return OrderItem(product_id=line.id, quantity=line.quantity)


async def _as_owner(info: Info, given: G | None) -> tuple[str, G]:
    """Answers the caller's token and what was given; raises ForbiddenError when that is about another account."""
    identity = await info.context.caller.identity()
    if not given:
        raise InvalidError("Say for whom, and for what.")
    if given.account_id != identity.account_id:
        raise ForbiddenError("This is another account.")
    return identity.token, given
