#!/bin/sh
# install.sh LOCK ENVIRONMENT: a private environment with the packages of a lock (packages.sh), and this checkout's kit.
set -eu
checkout=$(cd "$(dirname "$0")/.." && pwd)
environment=$2

"$checkout/locks/packages.sh" "$@"
if [ -x "$environment/bin/kit" ]; then exit 0; fi
"$checkout/.venv/installer/bin/uv" pip install --quiet --no-cache --python "$environment/bin/python" --no-deps --no-build-isolation \
    --editable "$checkout" || { echo "install: the kit itself could not be installed; the lines above say why" >&2; exit 2; }
# The command line starts in a tenth of a second only from byte code, which some machines are told not to write. The
# large packages compile as they are first imported.
(
    cd "$environment"/lib/python3.*/site-packages
    ../../../bin/python -m compileall -q attr attrs click cryptography jinja2 jsonschema jsonschema_specifications \
        markupsafe mpmath referencing rfc8785 rich typing_extensions.py "$checkout/kit"
)
echo "install: done" >&2
