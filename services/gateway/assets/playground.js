// Starts GraphiQL on this server's /graphql. The sign-in cookie that register and login set goes with every request.
const send = GraphiQL.createFetcher({ url: "/graphql", enableIncrementalDelivery: false });
let lastProduct = LAST_PRODUCT;

async function fetcher(request, options) {
  const variables = JSON.stringify(request.variables ?? {}).replaceAll(LAST_PRODUCT, lastProduct);
  const answer = await send({ ...request, variables: JSON.parse(variables) }, options);
  const products = [answer.data?.createProduct, answer.data?.product?.[0]];
  lastProduct = products.find((product) => product?.id)?.id ?? lastProduct;
  return answer;
}

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, { fetcher, defaultTabs: EXAMPLES, defaultEditorToolsVisibility: "variables" }),
);
