#!/bin/sh
# sbom.sh LOCK: prints the software bill of materials of a lock (CycloneDX 1.6, JSON); LOCK is a file.
# The tool has an environment of its own, so that it is not part of what it lists.
set -eu
checkout=$(cd "$(dirname "$0")/.." && pwd)
installer=$checkout/.venv/installer
environment=$checkout/.venv/sbom
"$checkout/locks/installer.sh" python3
if ! cmp -s "$checkout/locks/sbom.txt" "$environment/lock.txt"; then
    "$installer/bin/python" -m venv --clear --without-pip "$environment"
    UV_SYSTEM_CERTS=1 "$installer/bin/uv" pip install --quiet --python "$environment/bin/python" --require-hashes \
        -r "$checkout/locks/sbom.txt"
    cp "$checkout/locks/sbom.txt" "$environment/lock.txt"
fi
"$environment/bin/cyclonedx-py" requirements --output-reproducible "$1"
