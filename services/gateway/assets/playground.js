// Starts GraphiQL on this server's /graphql. The sign-in cookie that register and login set goes with every request.
const root = ReactDOM.createRoot(document.getElementById("graphiql"));
root.render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: "/graphql" }),
    defaultTabs: EXAMPLES,
    defaultEditorToolsVisibility: "variables",
    shouldPersistHeaders: true,
  }),
);
