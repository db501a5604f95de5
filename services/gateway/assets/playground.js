// Starts GraphiQL on this server's /graphql. The sign-in cookie that register and login set goes with every request.
const send = GraphiQL.createFetcher({ url: "/graphql", enableIncrementalDelivery: false });
// What was answered last, by the words that stand for it in the examples' variables.
const answered = {};

async function fetcher(request, options) {
  let variables = JSON.stringify(request.variables ?? {});
  for (const [words, id] of Object.entries(answered)) {
    variables = variables.replaceAll(JSON.stringify(words), JSON.stringify(id));
  }
  const answer = await send({ ...request, variables: JSON.parse(variables) }, options);
  const data = answer.data ?? {};
  remember(LAST_PRODUCT, data.createProduct?.id ?? data.product?.[0]?.id);
  remember(LAST_ORDER, data.createOrder?.id ?? data.order?.id);
  remember(OWN_ACCOUNT, data.createProduct?.accountId ?? data.accounts?.[0]?.id);
  return answer;
}

function remember(words, id) {
  if (id != null) {
    answered[words] = id;
  }
}

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, { fetcher, defaultTabs: EXAMPLES, defaultEditorToolsVisibility: "variables" }),
);
