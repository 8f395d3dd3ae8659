#!/bin/sh
# installer.sh: makes .venv/installer, in which lies uv, checked against its hash. Any Python from 3.8 on will do, without
# pip or venv. Quick when it is there already.
set -eu
locks=$(cd "$(dirname "$0")" && pwd)
installer=$(dirname "$locks")/.venv/installer

if cmp -s "$locks/installer.txt" "$installer/lock.txt" && [ -x "$installer/bin/uv" ]; then exit 0; fi
python=$("$locks/any-python.sh")
rm -rf "$installer"
"$python" -E "$locks/fetch.py" "$locks/installer.txt" "$installer"
cp "$locks/installer.txt" "$installer/lock.txt"
