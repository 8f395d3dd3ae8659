#!/bin/sh
# sbom.sh LOCK: prints the software bill of materials of a lock (CycloneDX 1.6, JSON); LOCK is a file.
# The tool has an environment of its own, so that it is not part of what it lists.
set -eu
checkout=$(cd "$(dirname "$0")/.." && pwd)
installer=$checkout/.venv/installer
environment=$checkout/.venv/sbom
settings=$("$("$checkout/locks/any-python.sh")" -E "$checkout/locks/machine.py" sbom "$environment")
eval "$settings"
"$checkout/locks/installer.sh"
if ! cmp -s "$checkout/locks/sbom.txt" "$environment/lock.txt"; then
    "$installer/bin/uv" venv --quiet --no-project --clear --python '>=3.11' "$environment"
    "$installer/bin/uv" pip install --quiet --python "$environment/bin/python" --require-hashes \
        -r "$checkout/locks/sbom.txt"
    cp "$checkout/locks/sbom.txt" "$environment/lock.txt"
fi
"$environment/bin/cyclonedx-py" requirements --output-reproducible "$1"
