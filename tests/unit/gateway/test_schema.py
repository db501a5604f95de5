"""Claims about the schema: every name of the contract is there, exactly as typed and no stricter."""

from pathlib import Path

import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, GraphQLSchema, Undefined, build_schema

from services.gateway import __main__
from services.gateway.schema import SCHEMA

EXPORT = Path(__file__).parents[3] / "services/gateway/schema.graphql"

TYPES = {
    "Account": "id: Int! name: String! email: String! orders: [Order!]!",
    "Product": "id: String! name: String! description: String! price: Float! accountId: Int!",
    "Order": "id: Int! createdAt: Time! totalPrice: Float! products: [OrderedProduct!]!",
    "OrderedProduct": "id: String! name: String! description: String! price: Float! quantity: Int!",
    "AuthResponse": "token: String!",
    "RedirectResponse": "url: String!",
    "Mutation": (
        "register: AuthResponse login: AuthResponse createProduct: Product updateProduct: Product "
        "deleteProduct: Boolean createOrder: Order createCustomerPortalSession: RedirectResponse "
        "createCheckoutSession: RedirectResponse"
    ),
    "Query": "accounts: [Account!]! product: [Product!]!",
}
# Types that the contract does not know, whole.
ADDED_TYPES = {
    "Payment": (
        "id: String! orderId: Int! provider: String! status: PaymentStatus! amount: Float! refunded: Float! "
        "refunding: Float! currency: String! createdAt: Time!"
    ),
    "RecommendedProduct": "product: Product! reason: RecommendationReason!",
    "Recommendations": "modelVersion: Int items: [RecommendedProduct!]!",
    "RefundInput": "paymentId: String! amount: Float reason: String",
}
INPUTS = {
    "PaginationInput": "skip: Int! take: Int!",
    "RegisterInput": "name: String! email: String! password: String!",
    "LoginInput": "email: String! password: String!",
    "CreateProductInput": "name: String! description: String! price: Float!",
    "UpdateProductInput": "id: String! name: String! description: String! price: Float!",
    "OrderedProductInput": "id: String! quantity: Int!",
    "OrderInput": "products: [OrderedProductInput]!",
    "CustomerPortalSessionInput": "accountId: Int! email: String! name: String!",
    "CheckoutProductInput": "id: String! quantity: Int!",
    "CheckoutInput": (
        "accountId: Int! email: String! name: String! redirectUrl: String! "
        "products: [CheckoutProductInput]! orderId: Int!"
    ),
}
ARGUMENTS = {
    "Mutation.register": "account: RegisterInput!",
    "Mutation.login": "account: LoginInput!",
    "Mutation.createProduct": "product: CreateProductInput!",
    "Mutation.updateProduct": "product: UpdateProductInput!",
    "Mutation.deleteProduct": "id: String!",
    "Mutation.createOrder": "order: OrderInput!",
    "Mutation.createCustomerPortalSession": "credentials: CustomerPortalSessionInput",
    "Mutation.createCheckoutSession": "details: CheckoutInput",
    "Query.accounts": "pagination: PaginationInput id: Int",
    "Query.product": (
        "pagination: PaginationInput query: String id: String viewedProductsIds: [String] byAccountId: Boolean"
    ),
}


@pytest.fixture(scope="module")
def exported() -> GraphQLSchema:
    return build_schema(EXPORT.read_text())


def _pairs(text: str) -> dict[str, str]:
    words = text.split()
    return {name.rstrip(":"): kind for name, kind in zip(words[::2], words[1::2], strict=True)}


@pytest.mark.parametrize("name", TYPES)
def test_every_field_of_the_contract_is_there(exported: GraphQLSchema, name: str) -> None:
    """Each object type has the contract's fields with the contract's types; more fields are allowed."""
    kind = exported.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    fields = {field: str(kind.fields[field].type) for field in _pairs(TYPES[name])}
    assert fields == _pairs(TYPES[name])


@pytest.mark.parametrize("name", INPUTS)
def test_every_input_of_the_contract_is_accepted(exported: GraphQLSchema, name: str) -> None:
    """Each input has the contract's fields with the contract's types; nothing that was added is required."""
    kind = exported.type_map[name]
    assert isinstance(kind, GraphQLInputObjectType)
    wanted = _pairs(INPUTS[name])
    assert {field: str(kind.fields[field].type) for field in wanted} == wanted
    assert not [field for field in kind.fields.keys() - wanted.keys() if str(kind.fields[field].type).endswith("!")]


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_argument_of_the_contract_is_accepted(exported: GraphQLSchema, name: str) -> None:
    """Each operation takes exactly the contract's arguments, none with a default that the contract does not know."""
    assert _arguments(exported, name) == _pairs(ARGUMENTS[name])


def _arguments(exported: GraphQLSchema, name: str) -> dict[str, str]:
    """The arguments of a field with their types; none of them has a default."""
    parent, _, field = name.partition(".")
    kind = exported.type_map[parent]
    assert isinstance(kind, GraphQLObjectType)
    arguments = kind.fields[field].args
    assert all(argument.default_value is Undefined for argument in arguments.values())
    return {argument: str(given.type) for argument, given in arguments.items()}


def test_what_was_added_is_known(exported: GraphQLSchema) -> None:
    """Beside the contract there are these additions and no others."""
    added = {
        f"{name}.{field}: {kind.fields[field].type}"
        for name, kind in exported.type_map.items()
        if isinstance(kind, GraphQLObjectType | GraphQLInputObjectType) and not name.startswith("__")
        for field in kind.fields.keys() - _pairs((TYPES | INPUTS | ADDED_TYPES)[name]).keys()
    }
    assert added == {
        "Mutation.logout: Boolean",
        "Mutation.refundPayment: Payment",
        "Order.payments: [Payment!]",
        "Order.status: OrderStatus!",
        "Product.version: Int!",
        "Query.order: Order",
        "Query.recommendations: Recommendations",
        "UpdateProductInput.version: Int",
    }
    for name, fields in ADDED_TYPES.items():
        kind = exported.type_map[name]
        assert isinstance(kind, GraphQLObjectType | GraphQLInputObjectType)
        assert {field: str(member.type) for field, member in kind.fields.items()} == _pairs(fields)
    assert _arguments(exported, "Account.orders") == {"pagination": "PaginationInput"}
    assert _arguments(exported, "Query.recommendations") == {
        "viewedProductsIds": "[String!]",
        "pagination": "PaginationInput",
    }


def test_time_is_a_scalar_of_its_own(exported: GraphQLSchema) -> None:
    """`Time` is a scalar and says which standard it follows."""
    assert "scalar Time @specifiedBy" in EXPORT.read_text()
    assert "Time" in exported.type_map


def test_the_export_is_that_of_the_code() -> None:
    """schema.graphql is what the code says."""
    assert EXPORT.read_text() == SCHEMA.as_str().rstrip() + "\n"


def test_the_check_of_the_export_fails_where_it_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`schema --check` answers 1 for a schema.graphql that is missing or does not fit, and 0 once it is written."""
    monkeypatch.setattr(__main__, "SCHEMA_FILE", tmp_path / "schema.graphql")
    assert __main__.export_schema(check=True) == 1
    (tmp_path / "schema.graphql").write_text("type Query { a: Int }\n")
    assert __main__.export_schema(check=True) == 1
    assert __main__.export_schema(check=False) == 0
    assert __main__.export_schema(check=True) == 0
