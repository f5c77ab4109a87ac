// An OpenID provider for tests: oidc-provider, with an own page that signs in whom the cookie `who` names.
// Prints its issuer, and ends with its input. Its one argument is the redirect URI of its one client.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const people = {
  ann: { email: "ann@example.org", email_verified: true, name: "Ann", locale: "de" },
  bob: { email: "bob@example.org", email_verified: true, name: "Bob" },
  eve: { email: "bob@example.org", email_verified: false, name: "Bob" },
};

// The tests have a clock of their own, and the cookie `now` says what it shows, in seconds since 1970.
const real = Date.now;
let ahead = 0;
Date.now = () => real() + ahead;

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: "authshield",
        client_secret: "a secret: with % and +",
        redirect_uris: [process.argv[2]],
      },
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "locale"] },
    features: { devInteractions: { enabled: false } },
    pkce: { required: () => true, methods: ["S256"] },
    cookies: { keys: ["for tests alone"] },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  });
  const handle = provider.callback();
  server.on("request", async (request, response) => {
    const now = /(?:^|; )now=(\d+)/.exec(request.headers.cookie)?.[1];
    // Nobody comes back on a connection that is being closed.
    response.setHeader("connection", "close");
    if (now !== undefined) {
      ahead = Number(now) * 1000 - real();
    }
    if (!request.url.startsWith("/interaction/")) {
      return handle(request, response);
    }
    const { params } = await provider.interactionDetails(request, response);
    const who = /(?:^|; )who=(\w+)/.exec(request.headers.cookie)?.[1];
    if (who === undefined) {
      const refusal = { error: "access_denied" };
      return provider.interactionFinished(request, response, refusal);
    }
    const grant = new provider.Grant({ accountId: who, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    const result = { login: { accountId: who }, consent: { grantId: await grant.save() } };
    return provider.interactionFinished(request, response, result);
  });
  console.log(issuer);
});
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
