#!/bin/sh
# base.sh NAME: makes a stand-in base for the image where none can be pulled: Debian 12 from Debian's own packages, with
# this machine's certificates, so that what works here for pip and apt works in the build. Needs root and debootstrap.
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$root.log" 2>&1 || { cat "$root.log" >&2; exit 2; }
rm "$root.log"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$root/etc/pip.conf"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*
touch "$root/etc/hosts" "$root/etc/hostname" "$root/etc/resolv.conf"
tar --create --numeric-owner --directory "$root" . | docker import - "$1"
