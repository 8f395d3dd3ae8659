#!/bin/sh
# Compiles the locks from their .in files; run it after editing one. Locks are never edited by hand.
# What is locked already stays as it is where it still fits; delete a lock first to move everything to its newest release.
set -eu
cd "$(dirname "$0")"
links=${PIP_FIND_LINKS:-$(python3 -m pip config get global.find-links 2>/dev/null || true)}
# The CPU build of torch: from a folder that pip is told of, else from where PyTorch publishes it.
if [ -n "$links" ]; then torch="--find-links $links"; else torch="--torch-backend cpu"; fi

lock() {
    uv pip compile --quiet --generate-hashes --no-header --no-emit-find-links "$@"
}

lock installer.in --universal -o installer.txt
lock build.in --universal --python-version 3.11 -o build.txt
lock sbom.in --universal --python-version 3.11 -o sbom.txt
lock crate.in --python-version 3.11 --python-platform x86_64-manylinux_2_28 -o crate-3.11.txt
lock docs.in --python-version 3.11 --python-platform x86_64-manylinux_2_28 -o docs-3.11.txt
lock core.in --universal --python-version 3.11 -o core.txt
lock fuzz.in --python-version 3.11 --python-platform x86_64-manylinux_2_28 --constraints core.txt -o fuzz-3.11.txt
# Debian 12 has Python 3.11, Ubuntu 24.04 3.12, Debian 13 3.13. The CPU build of torch is locked for the former alone.
cpu="--python-version 3.11 --python-platform x86_64-manylinux_2_28 --overrides cpu.overrides --constraints core.txt $torch"
# shellcheck disable=SC2086 # options and their values
lock cpu.in $cpu -o cpu-3.11.txt
# What a run has as well, it has in the same version.
lock papers.in --universal --python-version 3.11 --constraints core.txt --constraints cpu-3.11.txt -o papers.txt
# shellcheck disable=SC2086
lock test.in $cpu --constraints cpu-3.11.txt --constraints papers.txt -o test-3.11.txt
for python in 3.11 3.12 3.13; do
    # All that these need, a run has.
    lock smollm2.in --no-deps --python-version $python -o "smollm2-$python.txt"
    lock cuda.in --python-version $python --python-platform x86_64-manylinux_2_39 --constraints core.txt \
        -o "cuda-$python.txt"
done
