"""Orders, for whoever has a good access token. Run: uvicorn main:app"""

import os
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

# `public_url` of AuthShield, and its `token.audience`: the same, unless that was set.
ISSUER = os.environ.get("ISSUER", "http://127.0.0.1:8080")
AUDIENCE = os.environ.get("AUDIENCE", ISSUER)

# Keeps the keys for five minutes, and fetches them again when it meets a key id it does not know.
keys = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", lifespan=300, timeout=5)


def refused(status: int, challenge: str) -> HTTPException:
    return HTTPException(status, headers={"WWW-Authenticate": challenge})


def caller(
    credentials: Annotated[
        HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))
    ],
) -> dict:
    """Returns the claims of the token that came with the request."""
    if credentials is None:
        raise refused(401, "Bearer")
    token = credentials.credentials
    try:
        verified = jwt.decode_complete(
            token,
            keys.get_signing_key_from_jwt(token),
            algorithms=["ES256"],  # name it: never take the algorithm from the token
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=5,
            options={"require": ["iss", "sub", "aud", "exp", "iat", "jti"]},
        )
    except jwt.PyJWKClientConnectionError as error:
        raise HTTPException(503, headers={"Retry-After": "1"}) from error
    except jwt.PyJWTError as error:
        raise refused(401, 'Bearer error="invalid_token"') from error
    if verified["header"].get("typ") != "at+jwt":  # an access token, and no other kind
        raise refused(401, 'Bearer error="invalid_token"')
    return verified["payload"]


Caller = Annotated[dict, Depends(caller)]
app = FastAPI()


@app.get("/orders")
def orders(caller: Caller):
    return {"items": [{"id": 1, "customer": caller["sub"], "what": "a teapot"}]}


@app.delete("/orders/{order}", status_code=204)
def remove(order: int, caller: Caller):
    if "admin" not in caller.get("roles", []):
        raise refused(403, 'Bearer error="insufficient_scope"')
