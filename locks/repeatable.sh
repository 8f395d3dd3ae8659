#!/bin/sh
# repeatable.sh FOLDER...: takes out of a layer what would differ if it were built again. For the Dockerfile only.
set -eu
# uv notes when it saw a wheel or a folder for the first time.
find "$@" -name uv_cache.json -path '*.dist-info/*' | while read -r note; do
    rm "$note"
    sed -i '/dist-info\/uv_cache.json,/d' "${note%/*}/RECORD"
done
# Whatever the umask of whoever cloned the project, everybody may read the image.
chmod --recursive a+rX,go-w "$@"
find "$@" -newermt "@${SOURCE_DATE_EPOCH:-0}" -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
