#!/bin/sh
# packages.sh LOCK ENVIRONMENT: makes a private Python environment with exactly the packages of a lock (cpu, cuda, test).
# Quick when it is there already. Packages are checked against their hashes; nothing outside ENVIRONMENT is touched but
# .venv, in which lie uv and, where this machine has none that fits, a Python, and uv's cache.
set -eu
locks=$(cd "$(dirname "$0")" && pwd)
environment=$2

stop() {
    echo "install: $1" >&2
    exit 2
}

[ "$(uname -sm)" = "Linux x86_64" ] ||
    stop "what runs is locked for Linux on x86_64, and this is $(uname -sm); reviewing works here (README.md), and docs/install.md says what else"
for lock in "$locks/$1"-3.*.txt; do
    [ -f "$lock" ] || stop "there is no lock $1; there are: $(cd "$locks" && echo *-3.*.txt)"
    if cmp -s "$lock" "$environment/share/kit/lock.txt" && "$environment/bin/python" -c ''; then exit 0; fi
done
python=$("$locks/any-python.sh")
settings=$("$python" -E "$locks/machine.py" "$1" "$environment")
eval "$settings"
export UV_LINK_MODE="${UV_LINK_MODE:-hardlink}"
"$locks/installer.sh"
uv=$(dirname "$locks")/.venv/installer/bin/uv
python=$("$locks/python.sh" "$1")
lock=$locks/$1-$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])').txt

echo "install: $(grep -c == "$lock") packages of ${lock##*/} into $environment (the first time takes minutes)" >&2
rm -rf "$environment"
"$uv" venv --quiet --no-project --python "$python" "$environment" || stop "no environment could be made with $python"

set -- "$1" --require-hashes
if [ "$1" != cuda ]; then
    # The CPU build of torch: from a folder beside the locks or one that pip is told of, else from where PyTorch publishes it.
    for links in "$locks/wheels" ${PIP_FIND_LINKS:-$(python3 -m pip config get global.find-links 2>/dev/null || true)}; do
        if ls "$links"/torch-*+cpu-*.whl >/dev/null 2>&1; then set -- "$@" --find-links "$links"; break; fi
    done
    [ $# -eq 4 ] || set -- "$@" --torch-backend cpu
fi
shift
# --no-deps: the lock is complete, and leaves out on purpose what a text model never imports.
"$uv" pip install --quiet --python "$environment/bin/python" --no-deps "$@" -r "$lock" ||
    stop "the packages could not be installed; the lines above say why"
mkdir -p "$environment/share/kit"
cp "$lock" "$environment/share/kit/lock.txt"
