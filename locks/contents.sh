#!/bin/sh
# contents.sh BASE LOCK: prints what an image is made of, as JSON: its base, its lock, every package of the system.
set -eu
printf '{"base": "%s", "lock": "%s", "system_packages": {' "$1" "$2"
dpkg-query --show --showformat '"${binary:Package}": "${Version}"\n' | LC_ALL=C sort | paste -sd, | tr -d '\n'
printf '}}\n'
