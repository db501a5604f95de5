// The first tabs of the playground, in the order in which a newcomer runs them. The e-mail is new for every visitor, so
// that each can register.
const visit = `${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;
const visitor = `ada.${visit}@example.com`;
// playground.js sends what was answered last in place of these words, ids that are numbers as numbers.
const LAST_PRODUCT = "the product of tab 3";
const LAST_ORDER = "the order of tab 5";
const OWN_ACCOUNT = "the account of tab 3 or 8";
const variables = (value) => JSON.stringify(value, null, 2);

const EXAMPLES = [
  {
    query: `# 1. Make an account. The answer also sets a cookie: the other tabs are signed in from here on.
mutation Register($account: RegisterInput!) {
  register(account: $account) {
    token
  }
}
`,
    variables: variables({ account: { name: "Ada", email: visitor, password: "correct horse battery" } }),
  },
  {
    query: `# 2. Or sign in to the account of the first tab again.
mutation Login($account: LoginInput!) {
  login(account: $account) {
    token
  }
}
`,
    variables: variables({ account: { email: visitor, password: "correct horse battery" } }),
  },
  {
    query: `# 3. Put something up for sale.
mutation CreateProduct($product: CreateProductInput!) {
  createProduct(product: $product) {
    id
    name
    price
    accountId
    version
  }
}
`,
    variables: variables({
      product: { name: "Enamel mug", description: "Holds tea and survives a fall.", price: 19.99 },
    }),
  },
  {
    query: `# 4. The catalogue, a page at a time. With query it searches; with id it answers one product.
query Products($pagination: PaginationInput, $query: String) {
  product(pagination: $pagination, query: $query) {
    id
    name
    description
    price
  }
}
`,
    variables: variables({ pagination: { skip: 0, take: 10 }, query: null }),
  },
  {
    query: `# 5. Buy something: the product that tab 3 or 4 answered last, or put another id into the variables.
mutation CreateOrder($order: OrderInput!) {
  createOrder(order: $order) {
    id
    createdAt
    status
    totalPrice
    products {
      id
      name
      price
      quantity
    }
  }
}
`,
    variables: variables({ order: { products: [{ id: LAST_PRODUCT, quantity: 2 }] } }),
  },
  {
    query: `# 6. Pay for it: open the answered url in a window of its own. It is your order that says what it costs.
mutation CreateCheckoutSession($details: CheckoutInput!) {
  createCheckoutSession(details: $details) {
    url
  }
}
`,
    variables: variables({
      details: {
        accountId: OWN_ACCOUNT,
        orderId: LAST_ORDER,
        email: visitor,
        name: "Ada",
        redirectUrl: `${window.location.origin}/playground`,
        products: [],
      },
    }),
  },
  {
    query: `# 7. What became of the order of tab 5, and of its payments.
query Order($id: Int!) {
  order(id: $id) {
    id
    status
    totalPrice
    payments {
      id
      status
      amount
      refunded
      currency
      createdAt
    }
  }
}
`,
    variables: variables({ id: LAST_ORDER }),
  },
  {
    query: `# 8. Your account and what you have bought.
query Account {
  accounts {
    id
    name
    email
    orders(pagination: { skip: 0, take: 10 }) {
      id
      createdAt
      status
      totalPrice
      products {
        name
        quantity
        price
      }
    }
  }
}
`,
  },
  {
    query: `# 9. What to show next, by what you viewed and bought.
# With ids in viewedProductsIds it goes by those instead.
query Recommendations($viewedProductsIds: [String!], $pagination: PaginationInput) {
  recommendations(viewedProductsIds: $viewedProductsIds, pagination: $pagination) {
    modelVersion
    items {
      reason
      product {
        id
        name
        price
      }
    }
  }
}
`,
    variables: variables({ viewedProductsIds: null, pagination: { skip: 0, take: 10 } }),
  },
];
