#!/bin/sh
# python.sh LOCK: prints the Python that a lock is for: one that is here, else one that uv brings into .venv/python.
# Final releases with all of the standard library; for cuda with its headers, which Triton compiles against.
set -eu
locks=$(cd "$(dirname "$0")" && pwd)
checkout=$(dirname "$locks")
brought=$checkout/.venv/python/$(cat "$locks/python")/bin/python3

fits() { # fits PYTHON VERSION LOCK
    "$1" -c "
import bz2, ctypes, lzma, os, sqlite3, ssl, sys, sysconfig, zlib
version = sys.version_info
right = '%d.%d' % version[:2] == '$2' and version[3] == 'final' and sys.implementation.name == 'cpython'
right = right and not sysconfig.get_config_var('Py_GIL_DISABLED')
if '$3' == 'cuda':
    right = right and os.path.exists(os.path.join(sysconfig.get_paths()['include'], 'Python.h'))
sys.exit(not right)" 2>/dev/null
}

wanted=
for version in 3.11 3.12 3.13; do
    [ -f "$locks/$1-$version.txt" ] || continue
    wanted="${wanted:+$wanted or }$version"
    for python in "python$version" python3 python "$brought"; do
        if fits "$python" "$version" "$1"; then
            command -v "$python"
            exit 0
        fi
    done
done

echo "install: no Python $wanted is here; uv brings $(cat "$locks/python") into .venv/python" >&2
log=$checkout/.venv/python.log
if UV_HTTP_RETRIES="${UV_HTTP_RETRIES:-1}" "$checkout/.venv/installer/bin/uv" python install \
    --no-bin --install-dir "$checkout/.venv/python" "$(cat "$locks/python")" 2>"$log"; then
    echo "$brought"
    exit 0
fi
# What the distribution itself has, where it has one.
package=
for python in python3.11 python3.12 python3.13; do
    case $wanted in *"${python#python}"*) ;; *) continue ;; esac
    [ "$1" != cuda ] || python=$python-dev
    version=$(apt-cache policy "$python" 2>/dev/null | sed -n 's/^ *Candidate: //p')
    case $version in '' | '(none)' | *~rc* | *~b* | *~a*) ;; *) package=$python && break ;; esac
done
if [ -n "$package" ]; then
    package="apt-get install $package, or "
    [ "$(id -u)" = 0 ] || package="sudo $package"
fi
cause=$(sed -n 's/^ *cause: //p' "$log" | tail -n 1)
echo "install: Python $wanted is needed and could not be downloaded (${cause:-$(tail -n 1 "$log")}):" \
    "${package}put one on the PATH (conda create --name kit python=${wanted%% *}; conda activate kit)," \
    "or name a mirror in UV_PYTHON_INSTALL_MIRROR, or run in the image (./reproduce.sh --docker); more: docs/install.md" >&2
exit 2
