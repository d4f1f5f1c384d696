#!/usr/bin/env bash
# keyward, Envoy and an upstream that echoes, on this machine, with an owner and a key in each of the four realms. Prints curl lines to
# paste, tried before they are printed, and stays until Ctrl-C. Everything it writes is in .demo/, made anew at every start.
#
# DEMO_ONCE=1      ends after the lines were tried
# DEMO_STATE=dir   another folder than .demo
# DEMO_PORTS=any   ports of the kernel's choice; without it, only for those that are taken
# KEYWARD_BINARY   a keyward that is built already
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

STATE="${DEMO_STATE:-$PWD/.demo}"
PYTHON=python3
PIDS=()

main() {
  trap stop EXIT
  trap 'exit 0' INT # how it is meant to end
  trap 'exit 143' TERM
  prepare
  start_keyward
  start_upstream
  start_envoy
  make_keys
  try_lines
  show
  [ -n "${DEMO_ONCE:-}" ] && return
  say "everything runs. Ctrl-C ends it; logs are in $STATE"
  wait -n "${PIDS[@]}" || true
  fail "one of the three has ended by itself"
}

prepare() {
  if [ -z "${KEYWARD_BINARY:-}" ]; then
    say "building keyward"
    cargo build --locked --quiet --bin keyward
    KEYWARD_BINARY="${CARGO_TARGET_DIR:-$PWD/target}/debug/keyward"
  fi
  ENVOY="${KEYWARD_ENVOY:-$(scripts/tools.sh envoy)}"
  CERTS="$(scripts/tools.sh certs)"
  rm -rf "$STATE"
  mkdir -p "$STATE"
  STATE="$(cd "$STATE" && pwd)"
  ln -s "$CERTS" "$STATE/certs"
}

start_keyward() {
  cat >"$STATE/keyward.yaml" <<YAML
realms: $PWD/examples/realms
store: {embedded: {folder: data}}
listen:
  envoy: {address: "127.0.0.1:$(port 50051)"}
  admin: {address: "127.0.0.1:$(port 50052)"}
  http: {address: "127.0.0.1:$(port 9102)"}
YAML
  (cd "$STATE" && exec "$KEYWARD_BINARY" serve --config keyward.yaml --addresses-file addresses) >"$STATE/keyward.log" 2>&1 &
  PIDS+=($!)
  await keyward test -s "$STATE/addresses"
  KEYWARD_SERVER="http://$(json admin <"$STATE/addresses")"
  KEYWARD_TOKEN_FILE="$STATE/token"
  export KEYWARD_SERVER KEYWARD_TOKEN_FILE
  await keyward curl --noproxy '*' -sfo /dev/null "http://$(json http <"$STATE/addresses")/readyz"
  (umask 077 && keyward bootstrap --secret-file "$STATE/data/bootstrap" 2>/dev/null | json token >"$STATE/token")
}

start_upstream() {
  "$PYTHON" scripts/echo.py "$(port 12001)" "$STATE/echo.port" >"$STATE/echo.log" 2>&1 &
  PIDS+=($!)
  await echo test -s "$STATE/echo.port"
}

# The shipped bootstrap, on loopback, with the ports that are free.
start_envoy() {
  local keyward
  keyward="$(json envoy <"$STATE/addresses")"
  sed -e "s/address: 0\.0\.0\.0/address: 127.0.0.1/" \
    -e "s/port_value: 10443\b/port_value: $(port 10443)/" -e "s/port_value: 10080\b/port_value: $(port 10080)/" \
    -e "s/port_value: 9901\b/port_value: $(port 9901)/" -e "s/port_value: 50051\b/port_value: ${keyward##*:}/" \
    -e "s/port_value: 12001\b/port_value: $(cat "$STATE/echo.port")/" deploy/envoy/envoy.yaml >"$STATE/envoy.yaml"
  (cd "$STATE" && exec "$ENVOY" -c envoy.yaml --use-dynamic-base-id --concurrency 1 --log-level warning \
    --admin-address-path envoy.admin) >"$STATE/envoy.log" 2>&1 &
  PIDS+=($!)
  await envoy test -s "$STATE/envoy.admin"
  ADMIN="$(cat "$STATE/envoy.admin")"
  await envoy curl --noproxy '*' -sfo /dev/null "http://$ADMIN/ready"
  TLS="$(curl --noproxy '*' -sf "http://$ADMIN/listeners" | sed -n 's/^https:://p')"
  # Envoy holds keyward healthy once it has heard so from it.
  await envoy answered_in_band
}

answered() { curl --noproxy '*' -s --cacert "$CERTS/ca.crt" --connect-to "$1:443:$TLS" "https://$1$2" "${@:3}"; }

answered_in_band() { [ "$(answered ocote.io /api/connect/status/1 -o /dev/null -w '%{http_code}')" = 401 ]; }

make_keys() {
  local realm owner
  for realm in ocote:company-a otesse:acme ocus:studio azotte:acme; do
    owner="${realm#*:}"
    keyward owners create --realm "${realm%:*}" "$owner" >/dev/null
  done
  OCOTE="$(secret --realm ocote --owner company-a)"
  OTESSE="$(secret --realm otesse --owner acme --environment live --scope bookings:read)"
  OCUS="$(secret --realm ocus --owner studio)"
  AZOTTE="$(secret --realm azotte --owner acme --environment development --kind secret --tenant tenant_abc123)"
}

secret() { keyward keys create --label demo "$@" 2>/dev/null | json secret; }

keyward() { "$KEYWARD_BINARY" "$@" --output json; }

# Realm, status, host, and the line from its URL on; every one is run once before it is shown.
try_lines() {
  LINES=()
  try Ocote 200 ocote.io "'https://ocote.io/api/connect/status/SALE-2026-0042' -H 'Authorization: Bearer $OCOTE'"
  try Ocote 200 ocote.io "'https://ocote.io/api/connect/file/D1?type=ticket&key=$OCOTE'"
  try Ocote 401 ocote.io "'https://ocote.io/api/connect/status/SALE-2026-0042?key=$OCOTE'"
  try Otesse 200 api.otesse.com "https://api.otesse.com/v1/bookings -H 'X-API-Key: $OTESSE'"
  try Otesse 403 api.otesse.com "https://api.otesse.com/v1/bookings -H 'X-API-Key: $OTESSE' -X POST"
  try Ocus 200 api.ocus.io "https://api.ocus.io/v3/projects -H 'Authorization: apikey $OCUS'"
  try Ocus 401 api.ocus.io "https://api.ocus.io/v3/projects -H 'X-API-KEY: <YOUR_API_KEY>'"
  try Azotte 200 api.azotte.com "https://api.azotte.com/v1/subscriptions -H 'x-api-key: $AZOTTE' -H 'x-tn: tenant_abc123'"
  try Azotte 403 api.azotte.com "https://api.azotte.com/v1/subscriptions -H 'x-api-key: $AZOTTE' -H 'x-tn: tenant_other'"
}

try() {
  local realm="$1" expected="$2" line got
  line="curl --cacert $STATE/certs/ca.crt --connect-to $3:443:$TLS"
  [ -z "${https_proxy:-}${HTTPS_PROXY:-}${all_proxy:-}${ALL_PROXY:-}" ] || line+=" --noproxy '*'"
  line+=" $4"
  got="$(sh -c "$line -s -o '$STATE/answer' -w '%{http_code}'")" || true
  [ "$got" = "$expected" ] || fail "$realm answered $got instead of $expected to: $line"
  LINES+=("# $realm: $expected, $(outcome "$expected")" "$line" "")
}

# What the upstream saw, or how the realm words its refusal.
outcome() {
  if [ "$1" = 200 ]; then
    "$PYTHON" - "$STATE/answer" <<'PYTHON'
import json, re, sys
saw = json.load(open(sys.argv[1], encoding="utf-8"))
who = [f"{name}: {value}" for name, value in saw["headers"].items() if re.match("x-(ocote|otesse|ocus|azotte)-", name)]
print("the upstream saw", saw["method"], saw["path"], "and", ", ".join(who))
PYTHON
  else
    tr -d '\n' <"$STATE/answer"
  fi
}

show() {
  echo
  printf '%s\n' "${LINES[@]}"
  echo "# keyward's own side"
  echo "export KEYWARD_SERVER=$KEYWARD_SERVER KEYWARD_TOKEN_FILE=$KEYWARD_TOKEN_FILE"
  echo "$KEYWARD_BINARY keys list --realm otesse"
  echo
}

# The port if nobody has it, else 0: the kernel chooses.
port() {
  [ "${DEMO_PORTS:-}" = any ] && echo 0 && return
  "$PYTHON" - "$1" <<'PYTHON'
import socket, sys
with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", int(sys.argv[1])))
        print(sys.argv[1])
    except OSError:
        print(0)
PYTHON
}

json() { "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# Until the command succeeds, for at most half a minute, and no longer than everything runs.
await() {
  local what="$1" tries pid
  for tries in $(seq 300); do
    "${@:2}" && return
    for pid in "${PIDS[@]}"; do kill -0 "$pid" 2>/dev/null || fail "$what does not start"; done
    sleep 0.1
  done
  fail "$what is not there after half a minute (tried $tries times)"
}

stop() {
  local pid
  for ((pid = ${#PIDS[@]} - 1; pid >= 0; pid--)); do kill "${PIDS[pid]}" 2>/dev/null || true; done
  wait
}

say() { echo "demo: $*" >&2; }

fail() {
  say "$*"
  tail -n 20 "$STATE"/*.log >&2 || true
  exit 1
}

main "$@"
