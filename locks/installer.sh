#!/bin/sh
# installer.sh PYTHON: makes .venv/installer, in which lies uv, checked against its hash. Quick when it is there already.
set -eu
locks=$(cd "$(dirname "$0")" && pwd)
installer=$(dirname "$locks")/.venv/installer

stop() {
    echo "install: $1" >&2
    exit 2
}

if cmp -s "$locks/installer.txt" "$installer/lock.txt"; then exit 0; fi
rm -rf "$installer"
"$1" -m venv "$installer" || stop "the module venv is missing; for example: apt-get install ${1##*/}-venv"
"$installer/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$locks/installer.txt" 2>"$installer/pip.log" ||
    { cat "$installer/pip.log" >&2; stop "the installer could not be downloaded; is the network there?"; }
cp "$locks/installer.txt" "$installer/lock.txt"
