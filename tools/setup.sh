#!/usr/bin/env bash
# Creates the virtual environment with every pinned dependency and this repository, editable.
set -euo pipefail
python=${PYTHON:-python3}
venv=${VENV:-.venv}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "setup: Python 3.11 or newer is needed; $python is $("$python" --version 2>&1 || echo missing). Name another: make setup PYTHON=python3.12" >&2
  exit 2
fi
echo "setup: creating $venv with $("$python" --version)"
"$python" -m venv "$venv" || { echo "setup: 'python -m venv' failed; on Debian install python3-venv" >&2; exit 1; }
echo "setup: installing $(grep -c '==' requirements.lock) pinned packages (about 1.3 GB the first time)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
echo "setup: done; '$venv/bin/reme-size --help' is ready"
