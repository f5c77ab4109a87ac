#!/bin/bash
# Every flow by curl, against a server that nobody used before: `cargo xtask tour` starts one.
#
# Against a server of your own: BASE_URL=http://127.0.0.1:8080 bash examples/tour.sh, in the folder
# that it was started in, with `authshield` on the PATH and mail kept (no relay configured).
set -euo pipefail

BASE_URL="${BASE_URL:-http://127.0.0.1:8080}"
API="$BASE_URL/api/v1"
FOLDER=$(mktemp -d)
ORDERS=""

finish() {
  local status=$?
  if [[ -n $ORDERS ]]; then
    kill "$ORDERS" 2>/dev/null || true
    wait "$ORDERS" 2>/dev/null || true
  fi
  rm -rf "$FOLDER"
  if ((status != 0)); then echo "FAILED, after $STEPS steps" >&2; fi
}
trap finish EXIT

STEPS=0
BODY=""

# call STATUS METHOD URL [BODY] [TOKEN]: the answer must have the status; it is kept in BODY.
call() {
  local expected=$1 method=$2 url=$3 body=${4:-} token=${5:-} status
  local arguments=(--silent --show-error --max-time 20 --request "$method" --output "$FOLDER/body")
  if [[ -n $body ]]; then
    arguments+=(--header "Content-Type: application/json" --data-binary "$body")
  fi
  if [[ -n $token ]]; then arguments+=(--header "Authorization: Bearer $token"); fi
  : >"$FOLDER/body"
  status=$(curl "${arguments[@]}" --write-out '%{http_code}' "$url")
  BODY=$(<"$FOLDER/body")
  STEPS=$((STEPS + 1))
  printf '  %s %-6s %-42s %s\n' "$status" "$method" "${url#"$BASE_URL"}" "$(member code "$BODY")"
  if [[ $status != "$expected" ]]; then
    echo "expected $expected: $BODY" >&2
    return 1
  fi
}

# member NAME JSON: the first text of that name. Enough here; programs take a JSON parser.
member() {
  local rest=${2#*\"$1\":\"}
  if [[ $rest != "$2" ]]; then echo "${rest%%\"*}"; fi
}

# The answer must be a problem with this code.
code() {
  if [[ $(member code "$BODY") != "$1" ]]; then
    echo "expected the code $1: $BODY" >&2
    return 1
  fi
}

# The answer must contain a text.
has() {
  if [[ $BODY != *"$1"* ]]; then
    echo "expected $1: $BODY" >&2
    return 1
  fi
}

# link KIND ADDRESS: the token of the newest mail of that kind to that address.
link() {
  local row id token
  for _ in {1..100}; do
    row=$(authshield mail list | grep -E " $1 +$2\$" | head -n 1 || true)
    if [[ $row == *" kept "* ]]; then
      id=${row%% *}
      token=$(authshield mail show "$id" | sed -n 's/.*[?]token=\([A-Za-z0-9_-]*\).*/\1/p' | head -n 1)
      if [[ -n $token ]]; then
        echo "$token"
        return
      fi
    fi
    sleep 0.1
  done
  echo "no mail $1 to $2" >&2
  return 1
}

# tokens: takes both from the answer.
tokens() {
  ACCESS=$(member access_token "$BODY")
  REFRESH=$(member refresh_token "$BODY")
}

# login STATUS ADDRESS PASSWORD
login() {
  call "$1" POST "$API/auth/login" "{\"email\":\"$2\",\"password\":\"$3\"}"
}

FIRST="four teapots in a canoe"
SECOND="a quiet museum of umbrellas"
THIRD="late trains sing to nobody"

echo "Is it there?"
call 200 GET "$API/health/live"
call 200 GET "$API/health/ready"
call 200 GET "$API/health"
has '"status":"healthy"'
call 200 GET "$BASE_URL/.well-known/jwks.json"
has '"alg":"ES256"'
call 200 GET "$BASE_URL/openapi.json"
has '"openapi":"3.1'

echo "Register"
call 422 POST "$API/auth/register" '{"email":"ann@example.org","password":"password1"}'
code VALIDATION_FAILED
has '/password'
call 422 POST "$API/auth/register" '{"email":"not an address","password":"'"$FIRST"'"}'
call 422 POST "$API/auth/register" '{"email":"ann@example.org","password":"'"$FIRST"'","is_admin":true}'
call 202 POST "$API/auth/register" '{"email":"Ann@Example.org","password":"'"$FIRST"'","full_name":"Ann"}'
has '"email":"ann@example.org"'
login 403 ann@example.org "$FIRST"
code AUTH_EMAIL_NOT_VERIFIED

echo "Verify"
call 202 POST "$API/auth/resend-verification" '{"email":"ann@example.org"}'
call 400 POST "$API/auth/verify-email" '{"token":"asl_made_up"}'
code AUTH_INVALID_VERIFICATION_TOKEN
TOKEN=$(link verify_email ann@example.org)
call 200 POST "$API/auth/verify-email" "{\"token\":\"$TOKEN\"}"
has '"is_verified":true'
call 400 POST "$API/auth/verify-email" "{\"token\":\"$TOKEN\"}"
call 202 POST "$API/auth/register" '{"email":"ann@example.org","password":"'"$SECOND"'"}'
has '"is_verified":false'

echo "Sign in"
login 401 ann@example.org "not the password"
code AUTH_INVALID_CREDENTIALS
login 401 nobody@example.org "$FIRST"
code AUTH_INVALID_CREDENTIALS
login 200 ann@example.org "$FIRST"
tokens
call 401 GET "$API/users/me"
code AUTH_TOKEN_MISSING
call 401 GET "$API/users/me" "" "${ACCESS}x"
code AUTH_TOKEN_INVALID
call 200 GET "$API/users/me" "" "$ACCESS"
has '"full_name":"Ann"'
call 200 PATCH "$API/users/me" '{"full_name":"Ann Lee","locale":"de"}' "$ACCESS"
has '"full_name":"Ann Lee"'
call 200 PATCH "$API/users/me" '{"locale":"en"}' "$ACCESS"

echo "Call a service that trusts the tokens"
if command -v orders-service >/dev/null; then
  orders-service "$BASE_URL" 127.0.0.1:0 >"$FOLDER/orders" 2>&1 &
  ORDERS=$!
  SERVICE=""
  for _ in {1..100}; do
    SERVICE=$(sed -n 's/^listening on //p' "$FOLDER/orders")
    if [[ -n $SERVICE ]]; then break; fi
    sleep 0.1
  done
  call 401 GET "$SERVICE/orders"
  code AUTH_TOKEN_MISSING
  call 401 GET "$SERVICE/orders" "" "${ACCESS}x"
  code AUTH_TOKEN_INVALID
  call 200 GET "$SERVICE/orders" "" "$ACCESS"
  has '"what":"a teapot"'
  call 403 DELETE "$SERVICE/orders/1" "" "$ACCESS"
  code AUTH_INSUFFICIENT_PERMISSIONS
else
  echo "  left out: orders-service is not on the PATH"
fi

echo "Refresh, lose the answer, and be robbed"
STOLEN=$REFRESH
call 200 POST "$API/auth/refresh" "{\"refresh_token\":\"$STOLEN\"}"
tokens
call 200 POST "$API/auth/refresh" "{\"refresh_token\":\"$STOLEN\"}"
if [[ $(member refresh_token "$BODY") != "$REFRESH" ]]; then
  echo "a retry must yield the same successor" >&2
  exit 1
fi
call 200 POST "$API/auth/refresh" "{\"refresh_token\":\"$REFRESH\"}"
tokens
call 401 POST "$API/auth/refresh" "{\"refresh_token\":\"$STOLEN\"}"
code AUTH_REFRESH_TOKEN_REUSED
call 401 POST "$API/auth/refresh" "{\"refresh_token\":\"$REFRESH\"}"
code AUTH_REFRESH_TOKEN_INVALID
call 401 GET "$API/users/me" "" "$ACCESS"
code AUTH_TOKEN_REVOKED

echo "Forget the password"
call 202 POST "$API/auth/forgot-password" '{"email":"nobody@example.org"}'
call 202 POST "$API/auth/forgot-password" '{"email":"ann@example.org"}'
TOKEN=$(link reset_password ann@example.org)
call 422 POST "$API/auth/reset-password" "{\"token\":\"$TOKEN\",\"new_password\":\"12345678\"}"
call 204 POST "$API/auth/reset-password" "{\"token\":\"$TOKEN\",\"new_password\":\"$SECOND\"}"
call 400 POST "$API/auth/reset-password" "{\"token\":\"$TOKEN\",\"new_password\":\"$THIRD\"}"
code AUTH_INVALID_RESET_TOKEN
login 401 ann@example.org "$FIRST"
login 200 ann@example.org "$SECOND"
tokens

echo "Change the password, and the address"
OTHER=$ACCESS
login 200 ann@example.org "$SECOND"
tokens
call 400 POST "$API/auth/change-password" "{\"current_password\":\"$FIRST\",\"new_password\":\"$THIRD\"}" "$ACCESS"
code AUTH_PASSWORD_MISMATCH
call 204 POST "$API/auth/change-password" "{\"current_password\":\"$SECOND\",\"new_password\":\"$THIRD\"}" "$ACCESS"
call 401 GET "$API/users/me" "" "$OTHER"
code AUTH_TOKEN_REVOKED
call 202 POST "$API/users/me/email" "{\"new_email\":\"ann@example.net\",\"password\":\"$THIRD\"}" "$ACCESS"
call 200 GET "$API/users/me" "" "$ACCESS"
has '"email":"ann@example.org"'
TOKEN=$(link confirm_new_email ann@example.net)
call 200 POST "$API/auth/verify-email" "{\"token\":\"$TOKEN\"}"
has '"email":"ann@example.net"'

echo "Sessions"
login 200 ann@example.net "$THIRD"
tokens
OTHER=$ACCESS
login 200 ann@example.net "$THIRD"
tokens
call 200 GET "$API/sessions" "" "$OTHER"
SESSION=$(sed 's/},{/}\n{/g' <<<"$BODY" | sed -n '/"is_current":true/s/.*"id":"\([^"]*\)".*/\1/p')
call 204 DELETE "$API/sessions/$SESSION" "" "$ACCESS"
call 404 DELETE "$API/sessions/$SESSION" "" "$ACCESS"
code SESSION_NOT_FOUND
call 401 GET "$API/users/me" "" "$OTHER"
call 204 POST "$API/auth/logout" "" "$ACCESS"
call 401 GET "$API/users/me" "" "$ACCESS"
code AUTH_TOKEN_REVOKED
login 200 ann@example.net "$THIRD"
tokens
call 204 POST "$API/auth/logout-all" "" "$ACCESS"
call 401 POST "$API/auth/refresh" "{\"refresh_token\":\"$REFRESH\"}"

echo "Administration"
echo "$FIRST" | authshield user create root@example.org --password-stdin --role admin --verified
authshield role create billing --description "May see invoices"
login 200 root@example.org "$FIRST"
tokens
ADMIN=$ACCESS
ROOT=$(member id "${BODY#*\"user\":}")
login 200 ann@example.net "$THIRD"
tokens
call 403 GET "$API/admin/users" "" "$ACCESS"
code AUTH_INSUFFICIENT_PERMISSIONS
call 200 GET "$API/admin/users?email=ann&limit=1" "" "$ADMIN"
ANN=$(member id "$BODY")
call 200 GET "$API/admin/users/$ANN" "" "$ADMIN"
call 200 PATCH "$API/admin/users/$ANN/roles" '{"roles":["user","billing"]}' "$ADMIN"
has '"billing"'
call 200 GET "$API/admin/users/$ANN/sessions" "" "$ADMIN"
call 200 PATCH "$API/admin/users/$ANN/status" '{"is_active":false}' "$ADMIN"
call 403 GET "$API/users/me" "" "$ACCESS"
code AUTH_ACCOUNT_DISABLED
login 403 ann@example.net "$THIRD"
code AUTH_ACCOUNT_DISABLED
call 200 PATCH "$API/admin/users/$ANN/status" '{"is_active":true}' "$ADMIN"
login 200 ann@example.net "$THIRD"
call 204 DELETE "$API/admin/users/$ANN/sessions" "" "$ADMIN"
call 400 PATCH "$API/admin/users/$ROOT/roles" '{"roles":["user"]}' "$ADMIN"
code ADMIN_CANNOT_REMOVE_OWN_ROLE
if [[ -n $ORDERS ]]; then
  call 204 DELETE "$SERVICE/orders/1" "" "$ADMIN"
fi

echo "Keys"
authshield keys rotate --now
login 200 ann@example.net "$THIRD"
tokens
call 200 GET "$API/users/me" "" "$ACCESS"
call 200 GET "$API/users/me" "" "$ADMIN"
if [[ -n $ORDERS ]]; then
  call 200 GET "$SERVICE/orders" "" "$ACCESS"
fi

echo "What is wrong is said"
call 404 GET "$API/nothing"
code ROUTE_NOT_FOUND
call 405 GET "$API/auth/login"
code METHOD_NOT_ALLOWED
call 422 POST "$API/auth/login" '{"email":'
code VALIDATION_FAILED

echo "All $STEPS steps went as they should."
