#!/usr/bin/env bash
# Builds promtool, Prometheus' own checker of rules and settings, from its Go modules into .envs/promtool.
# Where it cannot be had, that is said with the reason, and its tests are skipped.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=$(dirname "$here")/.envs/promtool

say() { echo "install-promtool: $*"; }

stamp=$(cat "$here"/promtool/go.* | sha256sum | cut -d' ' -f1)
if [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ]; then
  say "promtool is there"
  exit 0
fi
if ! command -v go >/dev/null; then
  say "skipped promtool (no Go to build it with); its tests will be skipped"
  exit 0
fi
rm -rf "$target"
mkdir -p "$target/bin"
say "building promtool, which takes some minutes on two cores"
if ! (cd "$here/promtool" && GOFLAGS=-mod=readonly GOBIN="$target/bin" go install tool) 2>"$target/build.log"; then
  tail -n 5 "$target/build.log"
  say "skipped promtool (it could not be built, see above); its tests will be skipped"
  exit 0
fi
echo "$stamp" >"$target/stamp"
say "$("$target/bin/promtool" --version 2>&1 | head -n 1) is built"
