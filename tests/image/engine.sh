#!/bin/sh
# engine.sh start FOLDER: starts a Docker Engine of its own that keeps everything in FOLDER, and prints its DOCKER_HOST.
# engine.sh stop FOLDER: ends it. Needs root and Debian's docker.io; containers get no network but the host's or none.
set -eu
[ $# -eq 2 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
folder=$(mkdir -p "$2" && cd "$2" && pwd)
case $1 in
start)
    # Bridges and packet filters are beyond what a machine inside a machine may do, and no test needs them.
    dockerd --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/pid" --host "unix://$folder/socket" \
        --bridge=none --iptables=false --ip6tables=false --ip-forward=false --userland-proxy=false \
        --storage-driver=overlay2 >"$folder/log" 2>&1 &
    for _ in $(seq 100); do
        if DOCKER_HOST=unix://$folder/socket docker version >/dev/null 2>&1; then
            echo "unix://$folder/socket"
            exit 0
        fi
        sleep 0.1
    done
    tail -n 5 "$folder/log" >&2
    exit 2
    ;;
stop) kill "$(cat "$folder/pid")" ;;
*) exit 2 ;;
esac
