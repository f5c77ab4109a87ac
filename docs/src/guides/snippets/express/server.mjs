// Orders, for whoever has a good access token. Run: node server.mjs
import express from "express";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

// `public_url` of AuthShield, and its `token.audience`: the same, unless that was set.
const ISSUER = process.env.ISSUER ?? "http://127.0.0.1:8080";
const AUDIENCE = process.env.AUDIENCE ?? ISSUER;

// Keeps the keys for five minutes, and fetches them again when it meets a key id it does not know.
const keys = createRemoteJWKSet(new URL(`${ISSUER}/.well-known/jwks.json`), {
  cacheMaxAge: 300_000,
  cooldownDuration: 10_000,
});

/** Lets a request through when its token is good, with the claims in `request.caller`. */
async function signedIn(request, response, next) {
  const [scheme, token] = (request.get("authorization") ?? "").split(" ");
  if (scheme.toLowerCase() !== "bearer" || !token) {
    return response.set("WWW-Authenticate", "Bearer").sendStatus(401);
  }
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: ISSUER,
      audience: AUDIENCE,
      algorithms: ["ES256"], // name it: never take the algorithm from the token
      typ: "at+jwt", // an access token, and no other kind
      requiredClaims: ["sub", "exp", "iat", "jti"],
      clockTolerance: 5,
    });
    request.caller = payload;
  } catch (error) {
    // What is not about the token is about the keys: they could not be fetched.
    if (!(error instanceof errors.JOSEError) || error instanceof errors.JWKSTimeout) {
      return response.set("Retry-After", "1").sendStatus(503);
    }
    return response.set("WWW-Authenticate", 'Bearer error="invalid_token"').sendStatus(401);
  }
  next();
}

const app = express();

app.get("/orders", signedIn, (request, response) => {
  response.json({ items: [{ id: 1, customer: request.caller.sub, what: "a teapot" }] });
});

app.delete("/orders/:id", signedIn, (request, response) => {
  response.sendStatus(request.caller.roles?.includes("admin") ? 204 : 403);
});

app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1");
