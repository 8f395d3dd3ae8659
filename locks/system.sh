#!/bin/sh
# system.sh: installs what the image takes from its distribution, and lists what was fetched, with SHA-256, in
# /usr/local/share/kit/system-packages.txt. For the Dockerfile only: it changes the machine it runs on.
set -eu
locks=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=/dev/null
. /etc/os-release
list=$locks/system.$VERSION_CODENAME.txt
[ -f "$list" ] || { echo "system: nothing is known of $PRETTY_NAME; choose another BASE, or add ${list##*/}" >&2; exit 2; }

started=$(mktemp -p /dev/shm)
snapshot=
if [ "$VERSION_CODENAME" = noble ]; then
    snapshot="--snapshot 20261115T000000Z"
    # NVIDIA's archive keeps no snapshots, and nothing is taken from it that the base does not have.
    rm -f /etc/apt/sources.list.d/cuda*
fi
export DEBIAN_FRONTEND=noninteractive
packages=$(grep -v '^#' "$list")
# shellcheck disable=SC2086 # lists of words
{
    apt-get update --quiet $snapshot
    mkdir -p /usr/local/share/kit
    apt-get install --yes --no-install-recommends $snapshot -o Acquire::ForceHash=SHA256 --print-uris $packages |
        sed -n "s/^'[^']*' //p" | sort >/usr/local/share/kit/system-packages.txt
    apt-get install --quiet --yes --no-install-recommends $snapshot $packages
}
# Logs, caches and backups differ from one build to the next. They are emptied, since the mark of a deletion has a time.
rm -rf /var/lib/apt/lists/* /var/cache/apt/*
find /var/log /var/cache/ldconfig /var/cache/debconf /var/lib/dpkg \
    \( -path '/var/log/*' -o -path '/var/cache/ldconfig/*' -o -name '*-old' \) -type f -exec truncate --size 0 {} +
# Only what is new: touching a file of the base would copy it into this layer. The builder's own mounts stay as they are.
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /etc/hosts -o -path /etc/hostname -o -path /etc/resolv.conf \) -prune \
    -o -newer "$started" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
