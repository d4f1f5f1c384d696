#!/usr/bin/env bash
# No file in src has more than 300 lines. That no function has more than 60 is clippy's to say (clippy.toml).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find src -name '*.rs' -print0 | xargs -0 wc -l |
  awk '$2 != "total" && $1 > 300 { print $2 ": " $1 " lines, more than 300: split it by topic"; long = 1 } END { exit long }' >&2
