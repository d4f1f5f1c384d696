#!/usr/bin/env bash
# Validates every manifest and bootstrap under deploy/, offline. Unknown fields and unknown kinds are errors.
#
# Istio's and Envoy Gateway's kinds are checked by a script that stands beside this repository, or where KEYWARD_CRDCHECK says; without
# it they are passed over, except in CI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CRDCHECK="${KEYWARD_CRDCHECK:-$PWD/../shared/crdcheck.py}"
KUBERNETES=1.33

main() {
  kubernetes
  custom_resources deploy/istio/*.yaml deploy/envoy-gateway/*.yaml
  envoy deploy/envoy/*.yaml
}

kubernetes() {
  local rendered
  rendered="$("$(scripts/tools.sh kubectl)" kustomize deploy/kubernetes)"
  check "deploy/kubernetes" "WARN" "$(scripts/tools.sh kubernetes-validate)" --strict --kubernetes-version "$KUBERNETES" - <<<"$rendered"
}

custom_resources() {
  if [ -f "$CRDCHECK" ]; then
    check "$*" "no schema" "$(scripts/tools.sh python)" "$CRDCHECK" "$@"
  elif [ -n "${CI:-}" ]; then
    fail "$*: $CRDCHECK is absent, and in CI these are not passed over"
  else
    echo "skipped: $*: $CRDCHECK is absent"
  fi
}

envoy() {
  local binary certs file
  binary="$(scripts/tools.sh envoy)"
  certs="$(scripts/tools.sh certs)"
  for file in "$@"; do
    # Envoy looks for certs/ below its working folder.
    check "$file" "deprecated" env -C "$(dirname "$certs")" "$binary" --mode validate --log-level warn --config-path "$PWD/$file"
  done
}

# What it is, words that make it wrong even where the command is content, the command.
check() {
  local what="$1" unwanted="$2" said
  shift 2
  said="$("$@" 2>&1)" || fail "$what:"$'\n'"$said"
  ! grep -qi -- "$unwanted" <<<"$said" || fail "$what:"$'\n'"$said"
  echo "valid: $what"
}

fail() {
  echo "not valid: $*" >&2
  exit 1
}

main
