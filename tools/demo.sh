#!/usr/bin/env bash
# Plans a sample workload, shows its cost report, then starts the memory service on an embedded store, has it remember
# a conversation and finds a memory in it. Runs in the foreground until Ctrl-C; with DEMO=once it exits when every
# step has been proved. Everything is kept in a folder that is removed at the end, and nothing leaves this machine.
set -euo pipefail
bin=${BIN:-.venv/bin}
folder=$(mktemp -d)
started=()
finish() {
  [ ${#started[@]} = 0 ] || kill "${started[@]}" 2>/dev/null || true
  wait
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 0' INT TERM

# A port of this machine: the one that is asked for where it is free, else any.
free_port() {
  "$bin/python" - "$1" <<'PYTHON'
import socket, sys
for port in (int(sys.argv[1]), 0):
    try:
        with socket.create_server(("127.0.0.1", port)) as door:
            print(door.getsockname()[1])
            break
    except OSError:
        continue
PYTHON
}

# ask METHOD PATH [JSON]: one request to the service; prints the answer.
ask() {
  "$bin/python" - "$1" "$api$2" "${3:-}" <<'PYTHON'
import sys, urllib.request
method, address, body = sys.argv[1:]
headers = {"Content-Type": "application/json"}
request = urllib.request.Request(address, body.encode() or None, headers, method=method)
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
print(direct.open(request, timeout=60).read().decode())
PYTHON
}

# pick EXPRESSION: prints a part of the JSON on standard input, which the expression calls `answer`.
pick() { "$bin/python" -c "import json, sys; answer = json.load(sys.stdin); print($1)"; }

# prove TEXT FILE: stops the demo where a step did not do what it says.
prove() { grep -qF -- "$1" "$2" || { echo "demo: failed: no '$1' in $2:" >&2; tail -n 20 "$2" >&2; exit 1; }; }

echo "demo: 1/6 a workload of 500 users, everything else assumed"
"$bin/reme-size" init "$folder/workload.toml" --users 500

echo
echo "demo: 2/6 its tier, components and cost"
"$bin/reme-size" --file "$folder/workload.toml" | tee "$folder/plan.txt"
prove "Total" "$folder/plan.txt"

echo
echo "demo: 3/6 the same as a page to send to a manager"
mkdir "$folder/page"
"$bin/reme-size" --file "$folder/workload.toml" --format html -o "$folder/page/report.html"
prove "</html>" "$folder/page/report.html"

echo
echo "demo: 4/6 the memory service, on an embedded store, without keys for this machine only"
port=$(free_port 8002)
api=http://127.0.0.1:$port
"$bin/reme" serve --port "$port" --working-dir "$folder" >"$folder/service.txt" 2>"$folder/service.log" &
started+=($!)
for _ in $(seq 100); do
  ask GET /readyz >"$folder/ready.json" 2>/dev/null && break
  kill -0 "${started[0]}" 2>/dev/null || break
  sleep 0.2
done
[ -s "$folder/ready.json" ] || { echo "demo: failed: the service did not start" >&2; cat "$folder/service.log" >&2; exit 1; }
cat "$folder/service.txt"

echo
echo "demo: 5/6 a conversation is posted to /summary_personal_memory"
cat >"$folder/conversation.json" <<'JSON'
{"workspace_id": "demo", "trajectories": [{"messages": [
  {"role": "user", "content": "Hi, I'm Ada. I live in Lisbon and I work as a marine biologist."},
  {"role": "assistant", "content": "Nice to meet you, Ada! What can I do for you?"},
  {"role": "user", "content": "Book me a table for Friday. I'm allergic to peanuts, and I prefer quiet places."},
  {"role": "assistant", "content": "A quiet table without peanuts in the kitchen. For how many?"},
  {"role": "user", "content": "两个人。我喜欢喝咖啡，不加糖。我下个月要去上海出差。"},
  {"role": "assistant", "content": "好的，两位，咖啡不加糖。祝你上海之行顺利！"},
  {"role": "user", "content": "My favourite colour is green, in case they ask about the balloons."}
]}]}
JSON
sed -n 's/.*"role": "\([a-z]*\)", "content": "\(.*\)"}.*/  \1: \2/p' "$folder/conversation.json"
ask POST /summary_personal_memory "$(cat "$folder/conversation.json")" >"$folder/remembered.json"
echo "  remembered:"
pick '"\n".join("  - " + memory["content"] for memory in answer["metadata"]["memory_list"])' \
  <"$folder/remembered.json" | tee "$folder/remembered.txt"
prove "peanuts" "$folder/remembered.txt"

echo
echo "demo: 6/6 what it knows, asked in other words and across languages"
for question in "Is there any food she cannot eat?" "What trip is she planning?" "她住在哪里？"; do
  echo "  ? $question"
  body=$("$bin/python" - "$question" <<'PYTHON'
import json, sys
print(json.dumps({"query": sys.argv[1], "top_k": 1, "filter": {"layers": ["distilled"]}}))
PYTHON
  )
  ask POST /v1/workspaces/demo/search "$body" >"$folder/found.json"
  pick '"    " + answer["hits"][0]["memory"]["content"]' <"$folder/found.json" | tee -a "$folder/found.txt"
done
for words in "peanuts" "上海" "Lisbon"; do prove "$words" "$folder/found.txt"; done

ask GET /v1/usage >"$folder/usage.json"
ask GET /metrics >"$folder/metrics.txt"
prove "reme_http_requests_total" "$folder/metrics.txt"
echo
echo "demo: metered so far; rules and a local embedding cost no tokens"
pick '"\n".join("  %-9s %3s calls" % (line["operation"], line["calls"]) for line in answer["lines"])' \
  <"$folder/usage.json" | tee "$folder/usage.txt"
prove "retrieve" "$folder/usage.txt"
echo "  together  $(pick '"no list price" if answer["cost_usd"] is None else "%.4f USD" % answer["cost_usd"]' \
  <"$folder/usage.json")"

if [ "${DEMO:-}" = once ]; then
  kill "${started[0]}"
  wait "${started[0]}" || { echo "demo: failed: the service did not stop cleanly" >&2; exit 1; }
  started=()
  echo "demo: done"
  exit 0
fi
report=$(free_port 0)
"$bin/python" -m http.server "$report" --bind 127.0.0.1 --directory "$folder/page" >/dev/null 2>&1 &
started+=($!)
echo
echo "demo: open"
echo "  page     $api/"
echo "  API      $api, own under /v1, that of ReMe 0.2 at the root"
echo "  docs     $api/docs"
echo "  metrics  $api/metrics"
echo "  report   http://127.0.0.1:$report/report.html"
echo "demo: stop with Ctrl-C"
wait
