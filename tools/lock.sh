#!/usr/bin/env bash
# Writes requirements.lock: every dependency of every extra, pinned with hashes, for all platforms;
# and the parts of it that the service's image installs.
set -euo pipefail
env=.envs/lock
[ -x "$env/bin/uv" ] || { python3 -m venv "$env" && "$env/bin/pip" install --quiet 'uv==0.13.9'; }
"$env/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --extra report --extra app --extra servers --extra infra --extra policies --extra dev \
  --no-header --no-annotate --upgrade pyproject.toml -o requirements.lock
"$env/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
  -c requirements.lock --extra app --extra servers pyproject.toml -o app/requirements.lock
echo hatchling | "$env/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
  --no-annotate -c requirements.lock - -o app/build-requirements.lock
if grep -nE 'https?://' requirements.lock app/requirements.lock app/build-requirements.lock; then
  echo "lock: a lock file must not carry addresses" >&2
  exit 1
fi
