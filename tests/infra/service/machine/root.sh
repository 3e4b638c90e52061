#!/usr/bin/env bash
# A machine for rendered user data: a clean root of this machine's system folders (read-only), with folders of its own
# for what a host writes and the programs beside this file where a machine's would reach a cloud or systemd. Needs root.
#
#   root.sh ROOT PYTHON_PREFIX DISK_IMAGE     prepares it, says "ready" and stays until it is killed
set -euo pipefail
beside=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
fail() { echo "root: $*" >&2; exit 1; }
source <(sed -n '/^# --- the base image/,/^# --- the steps/p' "$beside/../../../../tools/container-root.sh")
root=$1 python=$2 disk=$3
mount --bind "$root" "$root"
mkdir -p "$root"/{opt,run,var/log,var/lib,srv}
mount_base "$root" "$python"
umount "$root/usr/local"
mount -t tmpfs -o mode=755 local "$root/usr/local"
mkdir -p "$root"/usr/local/{bin,sbin,libexec/reme,python} "$root"/run/lock "$root"/dev/{shm,disk/by-id} \
  "$root"/etc/{fake,reme,systemd/system,sysctl.d,logrotate.d}
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
bind_read_only "$python" "$root/usr/local/python"
echo /usr/local/python/lib >>"$root/etc/ld.so.conf"
ldconfig -r "$root" 2>/dev/null
ln -s "/usr/local/python/bin/$(basename "$(readlink -f "$python/bin/python3")")" "$root/usr/local/bin/python3.12"
touch "$root"/etc/{shadow,gshadow,fstab}
for program in aws cloud-init systemctl mkfs.xfs sysctl; do install -m 755 "$beside/$program" "$root/usr/local/bin/$program"; done
loop=$(losetup --find --show "$disk")
trap 'losetup --detach "$loop"' EXIT
: >"$root$loop"
mount --bind "$loop" "$root$loop"
for link in nvme-Amazon_Elastic_Block_Store_vol0abc nvme-Alibaba_Cloud_Elastic_Block_Storage_0abc; do
  ln -s "$loop" "$root/dev/disk/by-id/$link"
done
echo ready
read -r _ || true
umount --lazy "$root/var/lib/reme" 2>/dev/null || true
