#!/bin/sh
# release/build.sh: builds the wheel, the sdist and the bills of materials of this checkout into dist/, and their SHA256SUMS.
# The same commit gives the same bytes.
set -eu
checkout=$(cd "$(dirname "$0")/.." && pwd)
cd "$checkout"
settings=$("$(locks/any-python.sh)" -E locks/machine.py build .venv/build)
eval "$settings"
locks/installer.sh
uv=.venv/installer/bin/uv
if ! cmp -s locks/build.txt .venv/build/lock.txt; then
    "$uv" venv --quiet --no-project --clear --python '>=3.11' .venv/build
    "$uv" pip install --quiet --python .venv/build/bin/python --require-hashes -r locks/build.txt
    cp locks/build.txt .venv/build/lock.txt
fi
rm -rf dist
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) "$uv" build --quiet --no-build-isolation --python .venv/build/bin/python --out-dir dist .
rm -f dist/.gitignore
for lock in core cpu-3.11 cuda-3.12; do
    locks/sbom.sh "locks/$lock.txt" >"dist/$lock.cdx.json"
done
(cd dist && sha256sum -- * >SHA256SUMS)
ls dist
