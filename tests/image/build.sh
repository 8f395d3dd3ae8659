#!/bin/sh
# build.sh LOCK NAME: builds the image on a stand-in base, for machines that can pull none. LOCK is cpu or cuda.
set -eu
tests=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$tests/../.." && pwd)
base=kit-stand-in-base:bookworm
docker image inspect "$base" >/dev/null 2>&1 || "$tests/base.sh" "$base"
# The CPU build of torch, where this machine's pip finds it in a folder: the build sees only what lies in the checkout.
for links in ${PIP_FIND_LINKS:-$(python3 -m pip config get global.find-links 2>/dev/null || true)}; do
    if [ "$1" = cpu ] && ls "$links"/torch-*+cpu-*.whl >/dev/null 2>&1; then
        mkdir -p "$checkout/locks/wheels"
        cp --update --preserve "$links"/torch-*+cpu-*.whl "$checkout/locks/wheels/"
    fi
done
exec docker build --network host --build-arg BASE="$base" --build-arg LOCK="$1" --tag "$2" "$checkout"
