"""reproduce.sh: the right place to run for each machine, and the cure for each broken one."""

from __future__ import annotations

import json
import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
TOOLS = (
    "awk", "cat", "chmod", "cp", "dirname", "env", "grep", "head", "id", "ls", "mkdir", "rm", "sed", "sh", "sleep",
    "sort", "tar", "tr", "uname",
)  # fmt: skip
DIGEST = "sha256:" + "a" * 64

DOCKER = """#!/bin/sh
echo "$@" >>"$WORLD/docker.log"
case "$*" in
--version) echo "${DOCKER_NAME:-Docker version 28.2.2, build e6534b4}" ;;
version*) [ -z "$DAEMON" ] || { echo "$DAEMON" >&2; exit 1; } ;;
'image inspect'*) for last; do :; done; case " $IMAGES " in *" $last "*) echo DIGEST ;; *) exit 1 ;; esac ;;
info*) echo "$WORLD" ;;
import*) cat >/dev/null ;;
*kit-probe*) [ -z "$UNWIRED" ] || { echo "docker: Error response from daemon: $UNWIRED." >&2; exit 125; }; exit 127 ;;
build*) exit "${BUILD_CODE:-0}" ;;
run*) echo ran; exit "${RUN_CODE:-0}" ;;
esac
""".replace("DIGEST", DIGEST)
INSTALL = """#!/bin/sh
echo "$@" >>"$WORLD/install.log"
mkdir -p "$2/bin"
cp "$WORLD/kit" "$2/bin/kit"
"""
KIT = """#!/bin/sh
trap 'exit 42' INT
for word; do printf '<%s>' "$word"; done
echo " CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES-unset}"
[ -z "$SLOW" ] || while :; do sleep 0.05; done
exit "${RUN_CODE:-0}"
"""
NO_DAEMON = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
NO_PERMISSION = "permission denied while trying to connect to the Docker daemon socket"
UNWIRED = 'could not select device driver "" with capabilities: [[gpu]]'


@dataclass
class World:
    """A machine: what is on its path, and what that answers."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir(parents=True)
        for name in TOOLS:
            (self.folder / "bin" / name).symlink_to(shutil.which(name) or name)
        # A path with spaces, as people have them.
        locks = self.checkout / "locks"
        locks.mkdir(parents=True)
        shutil.copy(CHECKOUT / "reproduce.sh", self.checkout)
        for name in ("bases", "any-python.sh"):
            shutil.copy(CHECKOUT / "locks" / name, locks)
        self.program(INSTALL, locks / "install.sh")
        self.program(KIT, self.folder / "kit")
        self.program("#!/bin/sh\nprintf 'x\\nx 0 0 %s 0 /\\n' \"${FREE:-900000000}\"\n", self.folder / "bin/df")
        self.manifest().write_text("{}")

    @property
    def checkout(self) -> Path:
        return self.folder / "my check out"

    def manifest(self) -> Path:
        return self.folder / "a study.json"

    @staticmethod
    def program(text: str, path: Path) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def gpu(self, driver: str = "580.95.05") -> World:
        self.program(f"#!/bin/sh\necho {driver}\n", self.folder / "bin/nvidia-smi")
        return self

    def docker(self, *images: str, **answers: str) -> World:
        self.program(DOCKER, self.folder / "bin/docker")
        self.environment |= {"IMAGES": " ".join(images), "DAEMON": "", "UNWIRED": "", **answers}
        return self

    def python(self) -> World:
        (self.folder / "bin/python3.11").symlink_to(sys.executable)
        return self

    def on_arm64(self) -> World:
        (self.folder / "bin/uname").unlink()
        self.program("#!/bin/sh\necho Linux aarch64\n", self.folder / "bin/uname")
        return self

    def command(self, *arguments: object) -> tuple[list[str], dict[str, str]]:
        environment = {
            "PATH": str(self.folder / "bin"), "WORLD": str(self.folder), "HOME": str(self.folder), "SLOW": "",
        }  # fmt: skip
        return [str(self.checkout / "reproduce.sh"), *map(str, arguments)], environment | self.environment

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        command, environment = self.command(*(arguments or (self.manifest(),)))
        return subprocess.run(
            command, env=environment, cwd=self.folder, capture_output=True, text=True, check=False, timeout=60
        )

    def log(self, program: str) -> list[str]:
        path = self.folder / f"{program}.log"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


def ran_in(world: World, result: subprocess.CompletedProcess[str]) -> str:
    """Tell where a world's run took place."""
    assert result.returncode == 0, result.stderr
    runs = [line for line in world.log("docker") if line.startswith("run") and "kit-probe" not in line]
    if not runs:
        (installed,) = world.log("install")
        return f"native {installed.split()[0]}"
    image = "kit-cpu" if " kit-cpu reproduce " in runs[0] else "kit"
    return image + (" with GPU" if " --gpus " in runs[0] else "")


@pytest.mark.parametrize(
    ("machine", "arguments", "place"),
    [
        ("gpu docker", [], "kit with GPU"),
        ("gpu", [], "native cuda"),
        ("gpu docker", ["--native"], "native cuda"),
        ("gpu docker python", ["--gpus=none"], "native cpu"),
        ("gpu docker python", ["--gpus", "none", "--docker"], "kit-cpu"),
        ("docker python", [], "native cpu"),
        ("docker+kit-cpu python", [], "kit-cpu"),
        ("docker+kit-cpu python", ["--native"], "native cpu"),
        ("docker", [], "kit-cpu"),
        ("docker python", ["--docker"], "kit-cpu"),
        ("python", [], "native cpu"),
    ],
)
def test_each_machine_gets_the_place_that_suits_it(
    world: World, machine: str, arguments: list[str], place: str
) -> None:
    if "gpu" in machine:
        world.gpu()
    if "docker" in machine:
        world.docker(*(["kit-cpu"] if "+kit-cpu" in machine else []))
    if "python" in machine:
        world.python()
    result = world.run(*arguments, world.manifest())
    assert ran_in(world, result) == place
    assert len([line for line in result.stderr.splitlines() if "GPU" in line]) == 1, "one line says what and why"


def test_a_machine_whose_engine_is_down_runs_locally_and_says_why(world: World) -> None:
    result = world.docker(DAEMON=NO_DAEMON).python().run()
    assert ran_in(world, result) == "native cpu"
    assert "no Docker Engine answers" in result.stderr


GATED = {"model": {"files": {"a": "b"}, "gated": True, "repo": "meta-llama/Llama-2-7b-chat-hf", "revision": "0" * 40}}
BROKEN = {
    "no docker": ("", ["--docker"], "Docker is not installed", "apt-get install docker.io"),
    "no daemon": ("docker", ["--docker"], "no Docker Engine answers", "systemctl start docker"),
    "no permission": ("docker", ["--docker"], "may not talk to Docker", "usermod -aG docker"),
    "no NVIDIA runtime": ("gpu docker", [], "container runtime is missing", "nvidia-ctk runtime configure"),
    "no GPU": ("docker", ["--gpus"], "nvidia-smi finds no GPU", "--gpus=none"),
    "podman": ("gpu docker", [], "podman, which ignores --gpus", "install Docker"),
    "old driver": ("gpu docker", [], "the NVIDIA driver is 535.104.05", "--gpus=none"),
    "full disk, image": ("gpu docker", [], "needs 12 GB", "docker system prune"),
    "gated, no token": ("python", [], "Llama-2-7b-chat-hf is gated", "export HF_TOKEN"),
    "no Python, no Docker": ("apt", [], "no Python to begin with", "apt-get install python3"),
    "arm64": ("arm64 docker python", [], "this is Linux aarch64", "reviewing works here"),
    "arm64, native": ("arm64 docker python", ["--native"], "this is Linux aarch64", "another machine"),
    "no such manifest": ("python", ["missing.json"], "there is no such file", "typing error"),
    "GPUs by name": ("gpu docker", ["--gpus=first"], "--gpus=first", "numbers such as 0,1"),
    "build fails": ("docker", ["--docker"], "could not be built", "--native"),
}
ANSWERS = {
    "no daemon": {"DAEMON": NO_DAEMON},
    "no permission": {"DAEMON": NO_PERMISSION},
    "no NVIDIA runtime": {"UNWIRED": UNWIRED},
    "podman": {"DOCKER_NAME": "podman version 4.3.1"},
    "full disk, image": {"FREE": "9000000"},
    "build fails": {"BUILD_CODE": "1"},
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_machine_gets_the_cause_and_the_cure(world: World, name: str) -> None:
    machine, arguments, cause, cure = BROKEN[name]
    if "gpu" in machine:
        world.gpu("535.104.05" if name == "old driver" else "580.95.05")
    if "docker" in machine:
        world.docker()
    if "python" in machine:
        world.python()
    if "apt" in machine:
        world.program("#!/bin/sh\n", world.folder / "bin/apt-get")
    if "arm64" in machine:
        world.on_arm64()
    if name == "gated, no token":
        world.manifest().write_text(json.dumps(GATED, indent=1))
    world.environment |= ANSWERS.get(name, {})
    result = world.run(*arguments, world.manifest())
    assert result.returncode == 2
    (sentence,) = [line for line in result.stderr.splitlines() if cause in line]
    assert cure in sentence
    assert not world.log("install")
    assert "ran" not in result.stdout


def test_another_processor_is_emulated_where_somebody_asks_for_it(world: World) -> None:
    world.docker().on_arm64()
    result = world.run("--docker", world.manifest())
    assert result.returncode == 0, result.stderr
    (built,) = [line for line in world.log("docker") if line.startswith("build")]
    assert "--platform linux/amd64" in built
    assert " --platform linux/amd64 " in world.log("docker")[-1]
    assert "nobody has tried it" in result.stderr


@pytest.mark.skipif(
    not Path("/usr/bin/docker").exists(), reason="Docker's client is not installed: apt-get install docker.io"
)
def test_the_real_client_is_understood(world: World, tmp_path_factory: pytest.TempPathFactory) -> None:
    world.python()
    (world.folder / "bin/docker").symlink_to("/usr/bin/docker")
    address = tmp_path_factory.mktemp("s") / "engine"
    world.environment["DOCKER_HOST"] = f"unix://{address}"
    missing = world.run("--docker", world.manifest())
    assert missing.returncode == 2
    assert "no Docker Engine answers at DOCKER_HOST=unix:" in missing.stderr

    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("another user, whom the engine's socket refuses, can be tried as root only")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        address.chmod(0o600)
        for folder in (address.parent, *address.parent.parents, world.folder, *world.folder.parents):
            if folder.stat().st_uid == 0 and folder.is_relative_to(Path("/tmp")) and folder != Path("/tmp"):
                folder.chmod(0o755)
        nobody = pwd.getpwnam("nobody")
        (world.folder / "bin/setpriv").symlink_to(shutil.which("setpriv") or "")
        command, environment = world.command("--docker", world.manifest())
        refused = subprocess.run(
            ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", *command],
            env=environment, cwd=world.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert refused.returncode == 2
    assert "user nobody may not talk to Docker" in refused.stderr


@pytest.mark.parametrize("code", [0, 1, 2])
def test_exit_codes_are_those_of_the_kit(world: World, code: int) -> None:
    world.python().environment["RUN_CODE"] = str(code)
    assert world.run().returncode == code
    world.docker("kit-cpu")
    assert world.run().returncode == code


def test_an_interrupt_reaches_the_kit(world: World) -> None:
    world.python().environment["SLOW"] = "1"
    command, environment = world.command(world.manifest())
    with subprocess.Popen(
        command, env=environment, cwd=world.folder, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("<reproduce>")
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(10) == 42
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_what_is_not_for_the_script_goes_to_the_kit_as_it_is(world: World) -> None:
    result = world.python().run("--native", "--strict", "--out", "my results/first", world.manifest(), "--json")
    assert result.stdout.startswith(f"<reproduce><--strict><--out><my results/first><{world.manifest()}><--json> ")


def test_native_gpus_can_be_chosen(world: World) -> None:
    assert world.gpu().run("--native", "--gpus", "0,1", world.manifest()).stdout.endswith("DEVICES=0,1\n")


def test_the_container_is_locked_down_and_reaches_what_was_named(world: World, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    (elsewhere / "study").mkdir(parents=True)
    manifest = elsewhere / "study/manifest.json"
    manifest.write_text("{}")
    out = elsewhere / "out/first"
    world.docker("kit-cpu").environment |= {"KIT_SIGNING_KEY": f"{elsewhere}/key", "HOME": str(world.folder)}
    assert world.run("--out", out, manifest).returncode == 0
    line = world.log("docker")[-1]
    for flag in (
        "--rm", "--init", "--read-only", "--cap-drop ALL", "no-new-privileges", "--network none", "--tmpfs /tmp:exec",
        f"--user {os.getuid()}:{os.getgid()}", f"--workdir {world.folder}", f"KIT_IMAGE={DIGEST}",
        "--env KIT_SIGNING_KEY",
    ):  # fmt: skip
        assert flag in line
    assert f"source={elsewhere}/out,target={elsewhere}/out " in line
    assert f"source={elsewhere}/study,target={elsewhere}/study,readonly " in line
    assert f"source={elsewhere},target={elsewhere},readonly " in line, "the key's folder"
    assert f"source={world.folder}/.config/kit,target=" in line
    assert line.endswith(f" kit-cpu reproduce --out {out} {manifest}")
    assert out.parent.is_dir()


PREPARE = """#!/bin/sh
echo "$@" >>"$WORLD/prepare.log"
exit "${PREPARE_CODE:-0}"
"""


def study_with_a_program(world: World, folder: Path) -> Path:
    """Write a manifest that names a folder which is not there, and a program beside it that would make it."""
    (folder / "own").mkdir(parents=True)
    world.program(PREPARE, folder / "own/prepare.sh")
    manifest = folder / "own.json"
    manifest.write_text(json.dumps({"model": {"path": "own/model/aligned"}, "data": {"a": {"path": "own"}}}, indent=1))
    return manifest


def test_what_a_shipped_manifest_lacks_is_made_first_and_once(world: World) -> None:
    manifest = study_with_a_program(world.python(), world.checkout / "manifests")
    result = world.run(manifest)
    assert result.returncode == 0
    assert world.log("prepare") == [f"{world.checkout}/.venv/run"]
    assert f"made once: {world.checkout}/manifests/own/prepare.sh" in result.stderr
    assert "<reproduce>" in result.stdout

    (world.checkout / "manifests/own/model/aligned").mkdir(parents=True)
    assert world.run(manifest).returncode == 0
    assert len(world.log("prepare")) == 1


def test_what_cannot_be_made_stops_the_run(world: World) -> None:
    manifest = study_with_a_program(world.python(), world.checkout / "manifests")
    world.environment["PREPARE_CODE"] = "1"
    result = world.run(manifest)
    assert result.returncode == 2
    assert "could not be made" in result.stderr
    assert "<reproduce>" not in result.stdout


def test_a_dry_run_shows_what_would_be_made(world: World) -> None:
    manifest = study_with_a_program(world.python(), world.checkout / "manifests")
    result = world.run("--dry-run", manifest)
    assert not world.log("prepare")
    assert f"'{world.checkout}/manifests/own/prepare.sh' '{world.checkout}/.venv/run'" in result.stdout


def test_outside_of_the_image_is_where_it_is_made(world: World) -> None:
    manifest = study_with_a_program(world.docker("kit-cpu").python(), world.checkout / "manifests")
    result = world.run("--docker", manifest)
    assert result.returncode == 2
    assert f"'{world.checkout}/manifests/own/prepare.sh' '{world.checkout}/.venv/run'" in result.stderr
    assert "--native" in result.stderr
    assert not [line for line in world.log("docker") if line.startswith("run")]


def test_no_program_is_run_that_came_with_a_manifest_from_elsewhere(world: World) -> None:
    manifest = study_with_a_program(world.python(), world.folder / "downloads")
    assert world.run(manifest).returncode == 0
    assert not world.log("prepare")


def test_no_program_is_run_beyond_the_folder_of_the_manifests(world: World) -> None:
    manifest = study_with_a_program(world.python(), world.checkout / "manifests")
    study_with_a_program(world, world.folder / "downloads")
    manifest.write_text(json.dumps({"model": {"path": "../../downloads/own/model"}}))
    assert world.run(manifest).returncode == 0
    manifest.write_text(json.dumps({"model": {"path": f"{world.folder}/downloads/own/model"}}))
    assert world.run(manifest).returncode == 0
    assert not world.log("prepare")


def test_a_token_is_never_on_a_command_line(world: World) -> None:
    world.manifest().write_text(json.dumps(GATED))
    world.docker("kit-cpu").environment["HF_TOKEN"] = "hf_secret"
    assert world.run().returncode == 0
    line = world.log("docker")[-1]
    assert "--env HF_TOKEN" in line
    assert "hf_secret" not in "\n".join(world.log("docker"))
    assert "--network none" not in line, "a repository has to be fetched"


def test_a_saved_token_will_do(world: World) -> None:
    world.manifest().write_text(json.dumps(GATED))
    (world.folder / ".cache/huggingface").mkdir(parents=True)
    (world.folder / ".cache/huggingface/token").write_text("hf_x")
    assert world.python().run().returncode == 0


def test_a_dry_run_prints_what_can_be_pasted_and_changes_nothing(world: World) -> None:
    world.docker().gpu()
    before = sorted(world.folder.rglob("*"))
    result = world.run("--dry-run", "--gpus=0,1", "--out", "results/it's", world.manifest())
    assert result.returncode == 0
    assert [path for path in sorted(world.folder.rglob("*")) if path not in before] == [world.folder / "docker.log"]
    assert not [line for line in world.log("docker") if line.startswith(("build", "run")) and "kit-probe" not in line]
    words = shlex.split(result.stdout.splitlines()[-1])
    assert words[:2] == ["docker", "run"]
    assert words[words.index("--gpus") + 1] == '"device=0,1"'
    assert words[-5:] == ["kit", "reproduce", "--out", "results/it's", str(world.manifest())]


def test_it_explains_itself(world: World) -> None:
    assert world.run("--help").stdout.startswith("usage: ./reproduce.sh")
    without = world.run("--native")
    assert without.returncode == 2
    assert "usage: ./reproduce.sh" in without.stderr


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed: apt-get install shellcheck")
def test_every_shell_script_is_portable() -> None:
    scripts = [
        path
        for path in (*CHECKOUT.glob("*.sh"), *CHECKOUT.glob("locks/*.sh"), *CHECKOUT.glob("tests/**/*.sh"))
        if path.is_file()
    ]
    assert len(scripts) > 5
    result = subprocess.run(
        ["shellcheck", *scripts, CHECKOUT / "tests/run", CHECKOUT / ".ci/run"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
