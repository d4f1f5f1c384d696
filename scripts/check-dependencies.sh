#!/usr/bin/env bash
# Holds the dependency tree to deny.toml: what may be in it, under which licences, from where; and no known advisory, where their
# database can be reached.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

deny="$(scripts/tools.sh cargo-deny)"
"$deny" check --hide-inclusion-graph bans licenses sources

if timeout 120 "$deny" fetch db >/dev/null 2>&1; then
  "$deny" check --disable-fetch advisories
else
  echo "skipped: advisories: their database cannot be reached"
fi
