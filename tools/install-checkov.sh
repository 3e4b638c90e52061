#!/usr/bin/env bash
# Installs Checkov into .envs/checkov: an environment of its own, since it pins libraries that the project uses too.
# Where it cannot be had, that is said with the reason, and its tests are skipped.
set -euo pipefail
root=$(dirname "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)")
python=${PYTHON:-python3}
target=$root/.envs/checkov
lock=$root/tests/infra/checkov/requirements.lock

say() { echo "install-checkov: $*"; }

stamp=$(sha256sum <"$lock" | cut -d' ' -f1)
if [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ]; then
  say "Checkov is there"
  exit 0
fi
rm -rf "$target"
"$python" -m venv "$target"
if ! "$target/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" \
  2>"$target/install.log"; then
  tail -n 5 "$target/install.log"
  say "skipped Checkov (its packages could not be had, see above); its tests will be skipped"
  exit 0
fi
echo "$stamp" >"$target/stamp"
say "Checkov $("$target/bin/checkov" --version) is installed"
