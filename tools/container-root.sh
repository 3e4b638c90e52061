#!/usr/bin/env bash
# Builds and runs the Containerfile where no engine can: its steps run in a clean root of this machine's system
# folders (read-only) and of a Python at /usr/local, inside mount and process namespaces of their own. Needs root.
#
#   tools/container-root.sh build ROOT
#   tools/container-root.sh run ROOT VOLUME [-e NAME=VALUE]... [ARGUMENT]...
#   tools/container-root.sh health ROOT VOLUME [-e NAME=VALUE]...
#
# `run` starts the entrypoint as the image's user with a read-only root, no privileges and VOLUME at /var/lib/reme;
# `health` runs the health check. CONTAINER_PYTHON names the Python, which must not live in /usr itself.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

fail() { echo "container-root: $*" >&2; exit 1; }

# --- the base image

find_python() {
  local wanted=$1 found candidate
  for candidate in "${CONTAINER_PYTHON:-}" "python$wanted" "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/"$wanted".*/bin/python \
    "$here/.venv/bin/python" python3; do
    [ -n "$candidate" ] || continue
    found=$("$candidate" -c 'import sys; print(sys.base_prefix)' 2>/dev/null) || continue
    [ "$found" != /usr ] && [ -x "$found/bin/python" ] && { echo "$found"; return; }
  done
  fail "no Python with a prefix of its own was found: name one with CONTAINER_PYTHON"
}

bind_read_only() { mount --bind "$1" "$2" && mount -o remount,bind,ro "$2"; }

# Lays the base under a root: the system's programs and libraries read-only, Python at /usr/local.
mount_base() {
  local root=$1 python=$2 folder
  mkdir -p "$root"/{usr,etc,tmp,proc,dev,var/lib}
  for folder in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$folder" ]; then
      [ -L "$root/$folder" ] || ln -s "$(readlink "/$folder")" "$root/$folder"
    elif [ -d "/$folder" ]; then
      mkdir -p "$root/$folder"
      bind_read_only "/$folder" "$root/$folder"
    fi
  done
  bind_read_only /usr "$root/usr"
  bind_read_only "$python" "$root/usr/local"
  mkdir -p "$root/etc/ssl"
  bind_read_only /etc/ssl "$root/etc/ssl"
  for file in resolv.conf hosts nsswitch.conf pip.conf; do
    [ ! -e "/etc/$file" ] || cp -L "/etc/$file" "$root/etc/$file"
  done
  printf 'root:x:0:0::/:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\n' >"$root/etc/group"
  printf '/usr/local/lib\n%s\n' "$(cat /etc/ld.so.conf.d/*.conf 2>/dev/null | grep '^/')" >"$root/etc/ld.so.conf"
  ldconfig -r "$root" 2>/dev/null
  mount -t proc proc "$root/proc"
  mount -t tmpfs -o mode=755 dev "$root/dev"
  for device in null zero random urandom; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
  done
}

# --- the steps of the Containerfile, called by what tools/containerfile.py writes

reset() { environment=(PATH=/usr/local/bin:/usr/bin:/bin); workdir=/; user=0:0; entrypoint=(); command=(); health=(); }
leave_out() { excluded=("${@/#/--exclude=}"); }
begin() {
  stage=$1
  reset
  $building || return 0
  echo "container-root: stage $stage, $2 stood for by $python"
  root=$work/$stage
  mkdir -p "$root"
  mount_base "$root" "$python"
}
set_env() { while [ $# -gt 0 ]; do environment+=("$1=$2"); shift 2; done; }
set_workdir() { workdir=$1; ! $building || mkdir -p "$root$1"; }
set_user() { user=$1; }
set_entrypoint() { entrypoint=("$@"); }
set_command() { command=("$@"); }
set_health() { health=("$@"); }
copy() {
  $building || return 0
  local target=$1 source
  shift
  [[ $target = /* ]] || target=$workdir/$target
  for source; do
    if [ -d "$here/$source" ]; then
      mkdir -p "$root$target"
      tar -C "$here/$source" "${excluded[@]}" -c . | tar -C "$root$target" --no-same-owner -x
    else
      cp "$here/$source" "$root$target"
    fi
  done
}
copy_from() {
  $building || return 0
  local from=$1 target=$2
  shift 2
  mkdir -p "$root$(dirname "$target")"
  cp -a "$work/$from$1" "$root$target"
}
run_shell() { run_exec /bin/sh -c "$1"; }
run_exec() {
  $building || return 0
  echo "container-root: $stage: $*"
  # What a builder passes on by itself or by --build-arg: proxies and where packages come from.
  local passed
  mapfile -t passed < <(env | grep -iE '^(PIP_[A-Z_]+|[a-z]+_proxy)=' | grep -v '^PIP_FIND_LINKS=' || true)
  chroot "$root" env -i "${passed[@]}" "${environment[@]}" HOME=/tmp /bin/sh -c 'cd "$0" && exec "$@"' "$workdir" "$@"
}

# --- the three commands

build() {
  building=true work=$CONTAINER_ROOT_INSIDE
  python=$(find_python "$(sed -n 's/^ARG PYTHON_VERSION=//p' "$here/Containerfile")")
  eval "$steps"
  [ "$stage" = final ] || fail "the last stage must have no name"
  mkdir -p "$1"
  echo "$python" >"$1/base"
  # Only what the image adds to its base.
  mkdir -p "$1/layer/var"
  cp -a "$work/final/opt" "$1/layer/opt"
  cp -a "$work/final/var/lib" "$1/layer/var/lib"
  du -sh "$1/layer" | sed 's/\t.*/ added to the base/;s/^/container-root: /'
}

enter() {
  local place=$1 volume=$2
  building=false
  eval "$steps"
  root=$place/layer
  mount --bind "$root" "$root"
  mount_base "$root" "$(cat "$place/base")"
  # A volume that is new gets the owner and rights of the folder that it covers, as an engine does it.
  if [ ! -e "$volume" ]; then
    mkdir -p "$volume"
    chown --reference="$root/var/lib/reme" "$volume"
    chmod --reference="$root/var/lib/reme" "$volume"
  fi
  mount --bind "$volume" "$root/var/lib/reme"
  mount -t tmpfs -o mode=1777 tmp "$root/tmp"
  mount -o remount,bind,ro "$root"
}

start() {
  # A shell of the machine goes into the root and gives up everything; the image itself needs none.
  exec chroot "$root" /usr/bin/env -i "${environment[@]}" /usr/bin/setpriv --reuid="${user%:*}" --regid="${user#*:}" \
    --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all /usr/bin/env --chdir="$workdir" "$@"
}

[ "$(id -u)" = 0 ] || fail "needs root, to make a root of its own"
[ $# -ge 2 ] || fail "usage: container-root.sh build ROOT | run ROOT VOLUME [-e NAME=VALUE]... [ARGUMENT]..."
if [ -z "${CONTAINER_ROOT_INSIDE:-}" ]; then
  inside=(unshare --mount --pid --fork --kill-child --mount-proc --propagation=private bash "${BASH_SOURCE[0]}" "$@")
  if [ "$1" != build ]; then CONTAINER_ROOT_INSIDE=run exec "${inside[@]}"; fi
  # Removed out here, where none of the mounts inside exists.
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  CONTAINER_ROOT_INSIDE=$scratch "${inside[@]}"
  exit
fi
steps=$(python3 "$here/tools/containerfile.py" "$here") || fail "the Containerfile cannot be run here"
excluded=() building=false
reset
what=$1 place=$2
shift 2
case $what in
  build) build "$place" ;;
  run | health)
    enter "$place" "$1"
    shift
    while [ "${1:-}" = -e ]; do environment+=("$2"); shift 2; done
    if [ "$what" = health ]; then start "${health[@]}"; fi
    [ $# -gt 0 ] || set -- "${command[@]}"
    start "${entrypoint[@]}" "$@"
    ;;
  *) fail "$what is none of build, run, health" ;;
esac
