#!/usr/bin/env bash
# Installs Chromium and a Chinese font for the browser tests, with apt-get and as root only.
# Where that cannot be done it names what is skipped and why, and succeeds.
set -euo pipefail

packages=()
found=""
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  command -v "$name" >/dev/null 2>&1 && { found=$name; break; }
done
[ -n "$found" ] || packages+=(chromium)
if ! command -v fc-list >/dev/null 2>&1 || [ -z "$(fc-list :lang=zh family 2>/dev/null)" ]; then
  packages+=(fonts-noto-cjk)
fi
if [ ${#packages[@]} -eq 0 ]; then
  echo "install-browser: $found and a Chinese font are there"
  exit 0
fi

skip() {
  for package in "${packages[@]}"; do
    case $package in
      chromium) echo "install-browser: skipped chromium ($1); tests marked 'browser' will be skipped" ;;
      *) echo "install-browser: skipped $package ($1); pictures of Chinese reports would show boxes" ;;
    esac
  done
  exit 0
}

command -v apt-get >/dev/null 2>&1 || skip "no apt-get here; install it by other means"
[ "$(id -u)" -eq 0 ] || skip "not root; run: sudo apt-get install ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
echo "install-browser: installing ${packages[*]}"
apt-get update -qq >/dev/null 2>&1 || skip "apt-get update failed"
install() { apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1; }
if ! install "${packages[@]}"; then
  # An archive without the large font may have the small one.
  smaller=("${packages[@]/fonts-noto-cjk/fonts-wqy-microhei}")
  install "${smaller[@]}" || skip "apt-get install failed"
fi
