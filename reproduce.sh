#!/bin/sh
# reproduce.sh: finds out what this machine has, chooses where to run, and runs `kit reproduce` there.
set -eu

help() {
    cat <<'EOF'
usage: ./reproduce.sh [OPTIONS] MANIFEST|BUNDLE [options of kit reproduce]

Runs a manifest where this machine runs it best, and says where and why: in the image with a GPU, in the image without
one, or in a local environment (.venv/run). What is missing is named with the command that mends it.

  --native        in the local environment, without a container
  --docker        in the image
  --gpus[=WHICH]  with GPUs: all (if nothing is said), none, or their numbers, such as 0,1
  --dry-run       print the commands, change nothing
  --help          show this

Examples:
  ./reproduce.sh manifests/quickstart.json
  ./reproduce.sh --gpus=0 study.json --out results/first
  ./reproduce.sh --dry-run --docker study.json

Exit codes: those of kit reproduce (0 agrees, 1 a finding, 2 trouble), and 2 where it could not be started.
EOF
}

say() {
    echo "reproduce: $1" >&2
}

stop() {
    say "$1"
    exit 2
}

# ---- what there is -------------------------------------------------------------------------------------------------

find_gpu() { # sets driver, empty where there is no GPU that answers
    driver=
    command -v nvidia-smi >/dev/null 2>&1 || return 0
    driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1) || driver=
}

install_driver() { # prints how the driver that CUDA 13 needs is installed here
    case $(sed -n 's/^ID=//p' /etc/os-release 2>/dev/null) in
    ubuntu) echo "sudo apt-get install nvidia-driver-580, then restart" ;;
    *) echo "install branch 580 from https://www.nvidia.com/drivers, or ask whoever runs this machine" ;;
    esac
}

require_driver() { # CUDA 13, which the locked torch and vLLM are built for, needs a driver of branch 580
    [ "${driver%%.*}" -ge 580 ] 2>/dev/null ||
        stop "the NVIDIA driver is $driver, and CUDA 13, which torch and vLLM are locked for, needs 580 or newer: $(install_driver) (or run without the GPU, --gpus=none; docs/install.md says what an older driver can do)"
}

require_platform() { # sets platform where the image's processor has to be emulated
    platform=
    machine=$(uname -sm)
    [ "$machine" != "Linux x86_64" ] || return 0
    [ "$place" = docker ] ||
        stop "runs are locked for Linux on x86_64, and this is $machine: reviewing works here (README.md), running on another machine, or emulated and slowly with --docker"
    platform=linux/amd64
    say "this is $machine: the image is built and run with --platform $platform, which is slow; nobody has tried it with the kit"
}

find_docker() { # sets docker_trouble, empty where an engine answers
    docker_trouble=
    if ! command -v docker >/dev/null 2>&1; then
        docker_trouble="Docker is not installed: sudo apt-get install docker.io"
        return 0
    fi
    answer=$(docker version 2>&1 >/dev/null) && return 0
    case $answer in
    *"permission denied"*) docker_trouble="user $(id -un) may not talk to Docker: sudo usermod -aG docker $(id -un), then log in anew" ;;
    *) docker_trouble="no Docker Engine answers${DOCKER_HOST:+ at DOCKER_HOST=$DOCKER_HOST}: sudo systemctl start docker" ;;
    esac
}

require_wired_docker() { # can a container get at the GPU?
    case $(docker --version) in
    *podman*) stop "this docker is podman, which ignores --gpus without a word: install Docker, or run with --native" ;;
    esac
    # A list of runtimes would miss engines that are wired by device names (CDI), so it is tried, on an image without files.
    tar -cf - -T /dev/null | docker import - kit-probe >/dev/null 2>&1 || return 0
    answer=$(docker run --rm --gpus "$gpus_wanted" --network none kit-probe /nothing 2>&1) || true
    docker image rm kit-probe >/dev/null 2>&1 || true
    case $answer in
    *"could not select device driver"* | *"failed to discover GPU"* | *"nvidia-container-cli"*)
        stop "Docker cannot reach the GPU, NVIDIA's container runtime is missing: sudo apt-get install nvidia-container-toolkit && sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker (or run with --native)" ;;
    esac
}

require_space() { # require_space FOLDER GIGABYTES WHAT
    folder=$1
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    free=$(df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1000000) }')
    [ "$free" -ge "$2" ] ||
        stop "$3 needs $2 GB in $folder and $free GB are free: make room, for example with docker system prune, or move the project"
}

warn_of_memory() {
    free=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo 2>/dev/null) || return 0
    [ "${free:-2}" -ge 2 ] || say "less than 2 GiB of memory are free; the quickstart alone needs one"
}

require_token() { # a manifest that names a gated repository says so, with "gated": true beside its "repo"
    [ -f "$source" ] || return 0
    gated=$(tr '\n' ' ' <"$source" 2>/dev/null | sed 's/"files" *: *{[^{}]*}//g' | grep -ao '{[^{}]*"gated" *: *true[^{}]*' |
        sed -n 's/.*"repo" *: *"\([^"]*\)".*/\1/p' | sort -u) || return 0
    [ -n "$gated" ] || return 0
    [ -z "${HF_TOKEN:-}" ] && [ ! -s "$hub_cache/token" ] || return 0
    first=$(echo "$gated" | head -n 1)
    stop "$first is gated and there is no Hub token: accept its terms at https://huggingface.co/$first, then export HF_TOKEN=…"
}

missing_parts() { # missing_parts ARGUMENT...: prints what makes the folders that the manifest names and that are not there
    [ -f "$source" ] || return 0
    case " $* " in *" --root"*) return 0 ;; esac
    home=$(absolute "$(dirname "$source")")
    # This checkout's own programs alone: a manifest from elsewhere brings none that is run.
    case $home/ in "$checkout"/manifests/*) ;; *) return 0 ;; esac
    tr '\n' ' ' <"$source" | grep -ao '"path" *: *"[^"]*"' | sed 's/.*"\([^"]*\)"$/\1/' | while IFS= read -r folder; do
        case /$folder/ in *//* | */../*) continue ;; esac
        [ ! -e "$home/$folder" ] || continue
        while [ "$folder" != . ]; do
            folder=$(dirname "$folder")
            if [ -x "$home/$folder/prepare.sh" ]; then echo "$home/$folder/prepare.sh" && break; fi
        done
    done | sort -u
}

has_python() { # any will do to install with; the one that a run needs is found or brought by then
    "$checkout/locks/any-python.sh" >/dev/null 2>&1
}

image_digest() {
    docker image inspect --format '{{.Id}}' "$1" 2>/dev/null
}

# ---- running it ----------------------------------------------------------------------------------------------------

quoted() { # prints words so that they can be pasted
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9_./:=,@%+-]* | '') printf "'%s' " "$(printf '%s' "$word" | sed "s/'/'\\\\''/g")" ;;
        *) printf '%s ' "$word" ;;
        esac
    done
    echo
}

do_or_show() { # do_or_show COMMAND...
    if [ "$dry_run" ]; then quoted "$@"; else "$@"; fi
}

run_native() { # run_native LOCK ARGUMENT...
    lock=$1
    shift
    environment=$checkout/.venv/run
    do_or_show "$checkout/locks/install.sh" "$lock" "$environment"
    missing_parts "$@" | while IFS= read -r program; do
        say "what $source needs is not all here, and is made once: $program"
        do_or_show "$program" "$environment" || stop "it could not be made, the lines above say why"
    done || exit 2
    set -- "$environment/bin/kit" reproduce "$@"
    case $gpus in [0-9]*) set -- env "CUDA_VISIBLE_DEVICES=$gpus" "$@" ;; esac
    if [ "$dry_run" ]; then quoted "$@"; else exec "$@"; fi
}

build() { # build IMAGE LOCK
    base=$(sed -n "s/^$2=//p" "$checkout/locks/bases")
    if [ "$2" = cuda ]; then gigabytes=12 base=${KIT_CUDA_BASE:-$base}; else gigabytes=4 base=${KIT_CPU_BASE:-$base}; fi
    root=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null) || root=
    [ ! -d "$root" ] || require_space "$root" $gigabytes "the image"
    say "building the image $1, once: some minutes, $gigabytes GB"
    do_or_show docker build ${platform:+--platform "$platform"} --build-arg "BASE=$base" --build-arg "LOCK=$2" --tag "$1" "$checkout" >&2 ||
        stop "the image could not be built, the lines above say why; without it: ./reproduce.sh --native"
}

absolute() { # absolute FOLDER
    (cd -- "$1" 2>/dev/null && pwd) || stop "$1: there is no such folder; look for a typing error"
}

reach() { # reach FOLDER [readonly]: a mount at the same path, so that what is printed inside is true outside
    folder=$(absolute "$1")
    case $folder in "$PWD" | "$PWD"/*) return 0 ;; esac
    mounts="$mounts
type=bind,source=$folder,target=$folder${2:+,$2}"
}

reach_what_is_named() { # reach_what_is_named ARGUMENT...: what the options and the source lie in
    while [ $# -gt 0 ]; do
        case $1 in
        --out | --store | --root | --key) name=$1 value=${2:-} && { [ $# -lt 2 ] || shift; } ;;
        --out=* | --store=* | --root=* | --key=*) name=${1%%=*} value=${1#*=} ;;
        *) name='' ;;
        esac
        case $name in
        --out) [ "$dry_run" ] || mkdir -p "$(dirname "$value")"
               [ ! -d "$(dirname "$value")" ] || reach "$(dirname "$value")" ;;
        --store) [ "$dry_run" ] || mkdir -p "$value"
                 [ ! -d "$value" ] || reach "$value" ;;
        --root) reach "$value" readonly ;;
        --key) reach "$(dirname "$value")" readonly ;;
        esac
        shift
    done
    if [ -d "$source" ]; then reach "$source" readonly; else reach "$(dirname "$source")" readonly; fi
    [ -z "${KIT_SIGNING_KEY:-}" ] || reach "$(dirname "$KIT_SIGNING_KEY")" readonly
}

run_in_image() { # run_in_image IMAGE LOCK ARGUMENT...
    image=$1 lock=$2
    shift 2
    program=$(missing_parts "$@" | head -n 1)
    [ -z "$program" ] ||
        stop "what $source needs is not all here, and is made once, outside of the image: '$checkout/locks/install.sh' cpu '$checkout/.venv/run' && '$program' '$checkout/.venv/run' (or run with --native, which does it)"
    image_digest "$image" >/dev/null || build "$image" "$lock"
    mounts=
    reach_what_is_named "$@"
    set -- "$image" reproduce "$@"
    [ ! -d "$hub_cache" ] || set -- --mount "type=bind,source=$hub_cache,target=/cache/huggingface" "$@"
    # The user's own key signs, so the folder in which the kit keeps it comes along.
    configuration=${XDG_CONFIG_HOME:-$HOME/.config}
    [ "$dry_run" ] || mkdir -p "$configuration/kit"
    set -- --mount "type=bind,source=$configuration/kit,target=$configuration/kit" --env "XDG_CONFIG_HOME=$configuration" "$@"
    old_separator=$IFS
    IFS='
'
    for mount in $mounts; do set -- --mount "$mount" "$@"; done
    IFS=$old_separator
    # By name alone: a value on a command line is for everybody on the machine to read.
    for variable in HF_TOKEN HF_ENDPOINT KIT_SIGNING_KEY; do
        eval "[ -z \"\${$variable:-}\" ]" || set -- --env "$variable" "$@"
    done
    if digest=$(image_digest "$image"); then set -- --env "KIT_IMAGE=$digest" "$@"; fi
    if ! { [ -f "$source" ] && grep -aq '"repo" *:' "$source"; }; then set -- --network none "$@"; fi
    [ "$lock" = cpu ] || set -- --gpus "$gpus_wanted" "$@"
    [ -z "$platform" ] || set -- --platform "$platform" "$@"
    if [ -t 0 ] && [ -t 1 ]; then set -- --interactive --tty "$@"; fi
    set -- docker run --rm --init --read-only --tmpfs /tmp:exec --cap-drop ALL --security-opt no-new-privileges \
        --user "$(id -u):$(id -g)" --mount "type=bind,source=$PWD,target=$PWD" --workdir "$PWD" "$@"
    if [ "$dry_run" ]; then quoted "$@"; else exec "$@"; fi
}

# ---- choosing ------------------------------------------------------------------------------------------------------

on_gpu() { # on_gpu ARGUMENT...
    require_driver
    if [ "$place" = native ]; then
        say "local environment, GPU with driver $driver: asked for with --native"
        run_native cuda "$@"
        return
    fi
    if [ -z "$place" ] && ! command -v docker >/dev/null 2>&1; then
        say "local environment, GPU with driver $driver: Docker is not installed"
        run_native cuda "$@"
        return
    fi
    [ -z "$docker_trouble" ] || stop "$docker_trouble (or run without a container: --native)"
    require_wired_docker
    say "image kit, GPU with driver $driver"
    run_in_image kit cuda "$@"
}

on_cpu() { # on_cpu ARGUMENT...
    if [ "$place" = docker ]; then
        [ -z "$docker_trouble" ] || stop "$docker_trouble (or run without a container: --native)"
        say "image kit-cpu, $why_no_gpu: asked for with --docker"
        run_in_image kit-cpu cpu "$@"
    elif [ "$place" = native ]; then
        say "local environment, $why_no_gpu: asked for with --native"
        run_native cpu "$@"
    elif [ -z "$docker_trouble" ] && image_digest kit-cpu >/dev/null; then
        say "image kit-cpu, $why_no_gpu: it has been built here"
        run_in_image kit-cpu cpu "$@"
    elif has_python; then
        say "local environment, $why_no_gpu: ${docker_trouble:-the image kit-cpu has not been built here}"
        run_native cpu "$@"
    elif [ -z "$docker_trouble" ]; then
        say "image kit-cpu, $why_no_gpu: there is no Python to install with"
        run_in_image kit-cpu cpu "$@"
    else
        "$checkout/locks/any-python.sh" >/dev/null || exit 2
    fi
}

checkout=$(cd -- "$(dirname -- "$0")" && pwd)
hub_cache=${HF_HOME:-${HOME:-/nonexistent}/.cache/huggingface}
place='' gpus=auto dry_run='' left=$#
while [ "$left" -gt 0 ]; do
    word=$1
    shift
    left=$((left - 1))
    case $word in
    --native | --docker) place=${word#--} ;;
    --dry-run) dry_run=1 ;;
    --gpus=*) gpus=${word#*=} ;;
    --gpus)
        gpus=all
        case "$left ${1:-}" in
        [1-9]*' all' | [1-9]*' none' | [1-9]*' '[0-9] | [1-9]*' '[0-9],*) gpus=$1 && shift && left=$((left - 1)) ;;
        esac ;;
    --help | -h) help && exit 0 ;;
    *) set -- "$@" "$word" ;;
    esac
done
case $gpus in
auto | all) gpus_wanted=all ;;
none) gpus_wanted=none ;;
[0-9]*) gpus_wanted="\"device=$gpus\"" ;; # Docker reads the value as CSV
*) stop "--gpus=$gpus: write all, none, or numbers such as 0,1" ;;
esac

source='' previous=''
for word in "$@"; do
    case $previous in --out | --store | --root | --key) previous='' && continue ;; esac
    previous=$word
    case $word in -*) ;; *) source=$word && break ;; esac
done
if [ -z "$source" ]; then
    help >&2
    exit 2
fi
[ -e "$source" ] || stop "$source: there is no such file or folder; look for a typing error"

require_platform
require_token
warn_of_memory
find_gpu
find_docker
why_no_gpu="no GPU"
if [ "$gpus" = none ]; then
    why_no_gpu="no GPU wanted"
elif [ -z "$driver" ] && [ "$gpus" != auto ]; then
    stop "nvidia-smi finds no GPU: $(install_driver) (or run without one: --gpus=none)"
fi
if [ -n "$driver" ] && [ "$gpus" != none ]; then on_gpu "$@"; else on_cpu "$@"; fi
