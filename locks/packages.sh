#!/bin/sh
# packages.sh LOCK ENVIRONMENT: makes a private Python environment with exactly the packages of a lock (cpu, cuda, test).
# Quick when it is there already. Packages are checked against their hashes; nothing outside ENVIRONMENT is touched but
# the installer, which lies in .venv/installer.
set -eu
locks=$(cd "$(dirname "$0")" && pwd)
environment=$2

stop() {
    echo "install: $1" >&2
    exit 2
}

[ "$(uname -sm)" = "Linux x86_64" ] || stop "the packages are locked for Linux on x86_64, this is $(uname -sm); use the container image"
lock=
for version in 3.11 3.12; do
    [ -f "$locks/$1-$version.txt" ] || continue
    wanted="${wanted:+$wanted or }$version"
    for python in "python$version" python3 python; do
        if "$python" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null; then
            lock=$locks/$1-$version.txt
            break 2
        fi
    done
done
[ -n "${wanted:-}" ] || stop "there is no lock $1; there are: $(cd "$locks" && echo *-3.*.txt)"
[ -n "$lock" ] || stop "Python $wanted is needed, which these packages are locked for; install it, for example: apt-get install python3.11 python3.11-venv"
if cmp -s "$lock" "$environment/share/kit/lock.txt"; then exit 0; fi

echo "install: $(grep -c == "$lock") packages of ${lock##*/} into $environment (the first time takes minutes)" >&2
"$locks/installer.sh" "$python"
installer=$(dirname "$locks")/.venv/installer
rm -rf "$environment"
"$python" -m venv --without-pip "$environment"

set -- "$1" --require-hashes
if [ "$1" != cuda ]; then
    # The CPU build of torch: from a folder beside the locks or one that pip is told of, else from where PyTorch publishes it.
    for links in "$locks/wheels" ${PIP_FIND_LINKS:-$("$installer/bin/python" -m pip config get global.find-links 2>/dev/null || true)}; do
        if ls "$links"/torch-*+cpu-*.whl >/dev/null 2>&1; then set -- "$@" --find-links "$links"; break; fi
    done
    [ $# -eq 4 ] || set -- "$@" --torch-backend cpu
fi
shift
export UV_SYSTEM_CERTS=1 UV_NO_PROGRESS=1 UV_LINK_MODE="${UV_LINK_MODE:-hardlink}"
# --no-deps: the lock is complete, and leaves out on purpose what a text model never imports.
"$installer/bin/uv" pip install --quiet --python "$environment/bin/python" --no-deps "$@" -r "$lock" ||
    stop "the packages could not be installed; the lines above say why"
mkdir -p "$environment/share/kit"
cp "$lock" "$environment/share/kit/lock.txt"
