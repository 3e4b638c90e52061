#!/usr/bin/env bash
# Pins each peer's packages with hashes: benchmarks/peers/NAME.in to NAME.txt. Run from the root of the repository.
set -euo pipefail
env=.envs/lock
[ -x "$env/bin/uv" ] || { python3 -m venv "$env" && "$env/bin/pip" install --quiet 'uv==0.13.9'; }
for wanted in benchmarks/peers/*.in; do
  "$env/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate "$wanted" -o "${wanted%.in}.txt"
done
if grep -nE 'https?://' benchmarks/peers/*.txt; then
  echo "lock: the pins must not carry addresses" >&2
  exit 1
fi
