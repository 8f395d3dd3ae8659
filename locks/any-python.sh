#!/bin/sh
# any-python.sh: prints a Python that can fetch and check what the rest is installed with: any from 3.8 on.
set -eu
for python in python3 python3.11 python3.12 python3.13 python3.14 python3.10 python3.9 python; do
    if "$python" -c 'import ctypes, ssl, sys, urllib.request, zipfile; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
        echo "$python"
        exit 0
    fi
done
install="install python3 with your package manager"
if command -v apt-get >/dev/null; then
    install="apt-get install python3 libnuma1"
    if ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then install="apt-get update && $install"; fi
    [ "$(id -u)" = 0 ] || install="as root: $install"
elif command -v dnf >/dev/null; then
    install="as root: dnf install python3 numactl-libs"
fi
echo "install: there is no Python to begin with (any from 3.8 on, the right one is then found or brought): $install" >&2
exit 2
