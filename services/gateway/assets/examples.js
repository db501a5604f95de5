// The first tabs of the playground, in the order in which a newcomer runs them. The e-mail is new for every visitor, so
// that each can register.
const visit = `${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;
const visitor = `ada.${visit}@example.com`;
// playground.js sends the id of the product that was answered last in place of these words.
const LAST_PRODUCT = "the product of tab 3";
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
    query: `# 6. Your account and what you have bought.
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
];
