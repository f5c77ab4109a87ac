#!/bin/bash
# Starts AuthShield, and each service of docs/src/guides/snippets behind it, and shows that a good token
# is let in and no other is. `cargo xtask snippets` runs it.
#
# What is not installed is left out, and said so; with REQUIRE_ALL=1 that is a failure.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../../docs/src/guides/snippets"
SNIPPETS=$PWD
FOLDER=$(mktemp -d)
STARTED=()
FAILED=0
SKIPPED=0

finish() {
  local status=$? id
  for id in "${STARTED[@]}"; do
    kill "$id" 2>/dev/null || true
    wait "$id" 2>/dev/null || true
  done
  if ((status != 0)); then tail -n 20 "$FOLDER"/*.log >&2; fi
  rm -rf "$FOLDER"
  exit "$status"
}
trap finish EXIT

free_port() {
  local port
  while true; do
    # Below the ports that the system gives to outgoing connections.
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
}

status() {
  curl --silent --max-time 20 --output /dev/null --write-out '%{http_code}' "$@" || true
}

# wait_for URL: until somebody answers.
wait_for() {
  for _ in {1..300}; do
    if [[ $(status "$1") != 000 ]]; then return; fi
    sleep 0.1
  done
  echo "nobody answers at $1" >&2
  return 1
}

# start NAME COMMAND…: in the background, with a log of its own.
start() {
  local name=$1
  shift
  "$@" >"$FOLDER/$name.log" 2>&1 &
  STARTED+=($!)
}

member() {
  sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p'
}

sign_in() {
  curl --silent --fail-with-body --header "Content-Type: application/json" \
    --data '{"email":"ann@example.org","password":"four teapots in a canoe"}' \
    "$1/api/v1/auth/login" | member access_token
}

# expect WHAT STATUS CURL-ARGUMENTS…
expect() {
  local what=$1 expected=$2 found
  shift 2
  found=$(status "$@")
  if [[ $found == "$expected" ]]; then
    echo "  $found  $what"
  else
    echo "  $found  $what: expected $expected" >&2
    FAILED=$((FAILED + 1))
  fi
}

# check NAME URL: what every service must do.
check() {
  echo "$1"
  expect "a good token" 200 --header "Authorization: Bearer $GOOD" "$2"
  expect "no token" 401 "$2"
  expect "not a token" 401 --header "Authorization: Bearer nonsense" "$2"
  expect "a tampered token" 401 --header "Authorization: Bearer $TAMPERED" "$2"
  expect "a token for another audience" 401 --header "Authorization: Bearer $ELSEWHERE" "$2"
}

# needs NAME PROGRAM…: whether it can be tried here.
needs() {
  local name=$1 program
  shift
  for program in "$@"; do
    if ! PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null; then
      skip "$name" "$program is not installed"
      return 1
    fi
  done
}

skip() {
  echo "$1: skipped: $2"
  SKIPPED=$((SKIPPED + 1))
}

# A fresh AuthShield, and a second one on the same database and keys that issues tokens for somebody
# else: right issuer, right signature, wrong audience.
for name in $(compgen -e | grep '^AUTHSHIELD_' || true); do unset "$name"; done
cd "$FOLDER"
PORT=$(free_port)
ISSUER=http://127.0.0.1:$PORT
start authshield authshield serve --set "listen=127.0.0.1:$PORT"
wait_for "$ISSUER/api/v1/health/live"
echo "four teapots in a canoe" |
  authshield user create ann@example.org --password-stdin --verified --set "listen=127.0.0.1:$PORT"
OTHER=$(free_port)
start elsewhere authshield serve --set "listen=127.0.0.1:$OTHER" --set "public_url=$ISSUER" \
  --set token.audience=https://elsewhere.example.org
wait_for "http://127.0.0.1:$OTHER/api/v1/health/live"
GOOD=$(sign_in "$ISSUER")
ELSEWHERE=$(sign_in "http://127.0.0.1:$OTHER")
# One letter in the middle of the signature.
AT=$((${#GOOD} - 40))
LETTER=A
if [[ ${GOOD:AT:1} == A ]]; then LETTER=B; fi
TAMPERED=${GOOD:0:AT}$LETTER${GOOD:AT+1}
export ISSUER
check "AuthShield itself" "$ISSUER/api/v1/users/me"

if needs FastAPI python3; then
  if python3 -m venv python && python/bin/pip --quiet install -r "$SNIPPETS/fastapi/requirements.txt"; then
    SERVICE=$(free_port)
    start fastapi python/bin/uvicorn --app-dir "$SNIPPETS/fastapi" --port "$SERVICE" main:app
    wait_for "http://127.0.0.1:$SERVICE/orders"
    check FastAPI "http://127.0.0.1:$SERVICE/orders"
    expect "a good token, without the role" 403 --request DELETE \
      --header "Authorization: Bearer $GOOD" "http://127.0.0.1:$SERVICE/orders/1"
  else
    skip FastAPI "its packages cannot be installed"
  fi
fi

if needs Express node npm; then
  cp -r "$SNIPPETS/express" express
  if npm install --silent --no-audit --no-fund --prefix express; then
    SERVICE=$(free_port)
    PORT=$SERVICE start express node express/server.mjs
    wait_for "http://127.0.0.1:$SERVICE/orders"
    check Express "http://127.0.0.1:$SERVICE/orders"
    expect "a good token, without the role" 403 --request DELETE \
      --header "Authorization: Bearer $GOOD" "http://127.0.0.1:$SERVICE/orders/1"
  else
    skip Express "its packages cannot be installed"
  fi
fi

if needs Go go; then
  if [[ -d /usr/share/gocode/src/github.com/coreos/go-oidc ]]; then
    GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$FOLDER/go-cache go build -o go-service "$SNIPPETS/go/main.go"
    SERVICE=$(free_port)
    LISTEN=127.0.0.1:$SERVICE start go ./go-service
    wait_for "http://127.0.0.1:$SERVICE/orders"
    check Go "http://127.0.0.1:$SERVICE/orders"
  else
    skip Go "the package golang-github-coreos-go-oidc-dev is not installed"
  fi
fi

if needs nginx nginx; then
  FRONT=$(free_port)
  SERVICE=$(free_port)
  mkdir nginx
  {
    echo "worker_processes 1; pid $FOLDER/nginx/pid; error_log stderr; daemon off;"
    echo "events {}"
    echo "http {"
    echo "access_log off;"
    for kind in client_body proxy fastcgi uwsgi scgi; do echo "${kind}_temp_path $FOLDER/nginx/$kind;"; done
    echo "server { listen 127.0.0.1:$SERVICE; location / { return 200 '[]'; } }"
    sed -e "s/127.0.0.1:8000/127.0.0.1:$FRONT/" -e "s/127.0.0.1:3000/127.0.0.1:$SERVICE/" \
      -e "s/127.0.0.1:8080/127.0.0.1:$PORT/" "$SNIPPETS/nginx/orders.conf"
    echo "}"
  } >nginx.conf
  PATH="$PATH:/usr/sbin" start nginx nginx -c "$FOLDER/nginx.conf"
  wait_for "http://127.0.0.1:$FRONT/orders"
  check nginx "http://127.0.0.1:$FRONT/orders"
  LATER=$(sign_in "$ISSUER")
  curl --silent --request POST --header "Authorization: Bearer $LATER" "$ISSUER/api/v1/auth/logout"
  expect "a token whose session has ended" 401 --header "Authorization: Bearer $LATER" \
    "http://127.0.0.1:$FRONT/orders"
fi

echo "$FAILED failed, $SKIPPED skipped"
if ((FAILED > 0)) || { [[ ${REQUIRE_ALL:-0} == 1 ]] && ((SKIPPED > 0)); }; then exit 1; fi
