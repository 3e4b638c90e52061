#!/usr/bin/env bash
# Plans a sample workload and shows its cost report. Runs in the foreground until Ctrl-C, serving the
# HTML report on a free port; with DEMO=once it exits when the report has been shown.
set -euo pipefail
bin=${BIN:-.venv/bin}
folder=$(mktemp -d)
server=
finish() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$folder"; }
trap finish EXIT
trap 'exit 0' INT TERM

echo "demo: 1/3 a workload of 500 users, everything else assumed"
"$bin/reme-size" init "$folder/workload.toml" --users 500
echo
echo "demo: 2/3 its tier, components and cost"
"$bin/reme-size" --file "$folder/workload.toml"
echo
echo "demo: 3/3 the same as a page to send to a manager"
"$bin/reme-size" --file "$folder/workload.toml" --format html -o "$folder/report.html"
if [ "${DEMO:-}" = once ]; then
  grep -q '</html>' "$folder/report.html"
  echo "demo: done"
  exit 0
fi
port=$("$bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$bin/python" -m http.server "$port" --bind 127.0.0.1 --directory "$folder" >/dev/null 2>&1 &
server=$!
echo "demo: open http://127.0.0.1:$port/report.html and stop with Ctrl-C"
wait "$server"
