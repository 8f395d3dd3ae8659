"""The image, built and run by a real Docker Engine: the same results inside as outside, whoever runs it and however."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
from docker_engine import CHECKOUT, Engine, engine
from real_kit import kit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMAGE = "kit-cpu:test"
LOCKED_DOWN = (
    "--rm", "--init", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL",
    "--security-opt", "no-new-privileges",
)  # fmt: skip
SOMEBODY = 12345
"""A user whom /etc/passwd does not know."""
GIGABYTE = 10**9
HARMLESS = "build_backend.py"
"""What two packages of the CUDA lock leave at the top of site-packages by mistake; nothing imports it."""


@pytest.fixture(scope="module")
def docker() -> Iterator[Engine]:
    with engine() as running:
        running.build("cpu", IMAGE)
        yield running


@pytest.fixture(scope="module")
def workspace(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the manifest that the image carries, with the mount that keeps the bundle."""
    folder = tmp_path_factory.mktemp("workspace")
    os.chown(folder, SOMEBODY, SOMEBODY)
    digest = docker.inspect(IMAGE)["Id"]
    mount = ("--volume", f"{folder}:/workspace/bundles", "--user", f"{SOMEBODY}:{SOMEBODY}")
    docker.docker("run", *LOCKED_DOWN, *mount, "--env", f"KIT_IMAGE={digest}", IMAGE, "reproduce", "manifest.json")
    return folder


@pytest.fixture(scope="module")
def bundle(workspace: Path) -> Path:
    return next(path for path in workspace.iterdir() if path.is_dir())


def test_the_image_gives_the_bytes_that_this_machine_gives_without_it(
    bundle: Path, quickstart_bundle: Path, home: Path
) -> None:
    kit("verify", bundle, home=home)
    report = json.loads(kit("diff", quickstart_bundle, bundle, "--json", "--require", "bitwise", home=home).stdout)
    assert report["grade"] == "bitwise"


def test_what_a_run_leaves_belongs_to_whoever_ran_it(workspace: Path) -> None:
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in workspace.rglob("*")}
    assert owners == {(SOMEBODY, SOMEBODY)}


def test_the_bundle_records_which_image_ran(docker: Engine, bundle: Path) -> None:
    recorded = json.loads((bundle / "record/environment.json").read_text())
    assert recorded["image"] == docker.inspect(IMAGE)["Id"]
    assert "kit-stand-in-base" in json.dumps(recorded)


def small_project(folder: Path) -> Path:
    """Write a manifest of one seed and a few prompts, beside the toy, for everybody to read."""
    folder.chmod(0o755)
    shutil.copytree(CHECKOUT / "manifests/toy", folder / "toy")
    document = json.loads((CHECKOUT / "manifests/quickstart.json").read_text(encoding="utf-8"))
    document["expect"] = None
    document["seeds"]["training"] = [1]
    document["finetune"]["training"]["max_steps"] = 2
    for data in document["data"].values():
        data["rows"]["limit"] = 8
    path = folder / "manifest.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_without_a_mount_it_runs_and_says_that_nothing_will_be_left(docker: Engine, tmp_path: Path) -> None:
    small_project(tmp_path)
    for flags in (LOCKED_DOWN, ("--rm", "--network", "none")):
        result = docker.docker(
            "run", *flags, "--volume", f"{tmp_path}:/study:ro", IMAGE, "reproduce", "/study/manifest.json"
        )
        assert re.match(r"results digest: sha256:[0-9a-f]{64}", result.stdout.splitlines()[-1])
        warnings = [line for line in result.stderr.splitlines() if "mkdir -p bundles" in line]
        assert len(warnings) >= 2, result.stderr  # before the work, and again at the end


def test_a_users_own_folder_is_the_workspace(docker: Engine, tmp_path: Path) -> None:
    manifest = small_project(tmp_path)
    os.chown(tmp_path, SOMEBODY, SOMEBODY)
    run = ("run", *LOCKED_DOWN, "--user", f"{SOMEBODY}:{SOMEBODY}", "--volume", f"{tmp_path}:/workspace", IMAGE)
    result = docker.docker(*run, "reproduce", manifest.name)
    assert "mkdir -p bundles" not in result.stderr
    assert len(list((tmp_path / "bundles").glob("*.zip"))) == 1


def test_a_folder_of_somebody_else_is_refused_with_the_cure(docker: Engine, tmp_path: Path) -> None:
    manifest = small_project(tmp_path)
    run = ("run", *LOCKED_DOWN, "--user", "10001:10001", "--volume", f"{tmp_path}:/workspace", IMAGE)
    result = docker.docker(*run, "reproduce", manifest.name, code=2)
    assert "--user" in result.stderr
    assert not (tmp_path / "bundles").exists()


def test_the_environment_command_shows_the_image(docker: Engine) -> None:
    seen = json.loads(docker.docker("run", *LOCKED_DOWN, IMAGE, "environment", "--json").stdout)
    assert "kit-stand-in-base" in json.dumps(seen)


def test_the_image_is_lean_and_holds_what_the_lock_says(docker: Engine) -> None:
    facts = docker.inspect(IMAGE)
    assert facts["Size"] <= 4 * GIGABYTE
    assert facts["Config"]["Entrypoint"] == ["kit"]
    assert facts["Config"]["WorkingDir"] == "/workspace"
    assert not facts["Config"]["User"].startswith(("0", "root"))
    assert facts["Config"]["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (CHECKOUT / "locks/cpu-3.11.txt").read_text(), re.MULTILINE))
    bill = docker.docker("run", *LOCKED_DOWN, "--entrypoint", "cat", IMAGE, "/opt/kit/share/kit/sbom.cdx.json").stdout
    assert {component["name"] for component in json.loads(bill)["components"]} == locked
    inside = _inside(docker, IMAGE, "torch", "vllm", "transformers", "peft", "trl", "kit")
    assert not inside["conflicts"]
    # The new owner of the machine, nobody else's caches.
    left = docker.docker(
        "run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "sh", IMAGE, "-c",
        "ls -A /root/.cache /var/lib/apt/lists /var/cache/apt /tmp 2>/dev/null | grep -v : | grep .", code=1,
    )  # fmt: skip
    assert not left.stdout


def test_an_edit_of_the_code_rebuilds_only_the_last_layer(docker: Engine, tmp_path: Path) -> None:
    before = docker.inspect(IMAGE)["RootFS"]["Layers"]
    edited = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".git", ".venv", "bundles", "*cache*", "*.work")
    shutil.copytree(CHECKOUT, edited, ignore=ignored, symlinks=True)
    with (edited / "kit/core/identity.py").open("a", encoding="utf-8") as file:
        file.write("# edited\n")
    docker.build("cpu", "kit-cpu:edited", checkout=edited)
    after = docker.inspect("kit-cpu:edited")["RootFS"]["Layers"]
    changed = [number for number, pair in enumerate(zip(before, after, strict=True)) if len(set(pair)) > 1]
    # The empty layer of WORKDIR comes after the code.
    assert changed
    assert min(changed) >= len(before) - 2


@pytest.mark.parametrize("init", [["--init"], []], ids=["with --init", "as the first process"])
def test_it_stops_when_it_is_told_to(docker: Engine, init: list[str]) -> None:
    flags = (*init, *LOCKED_DOWN[2:])
    container = docker.docker("run", "--detach", *flags, IMAGE, "reproduce", "manifest.json").stdout.strip()
    for _ in range(600):
        if "train tuned" in docker.docker("logs", container).stderr:
            break
        time.sleep(0.1)
    docker.docker("stop", "--time", "30", container)
    said = docker.docker("logs", container).stderr
    code = docker.docker("inspect", "--format", "{{.State.ExitCode}}", container).stdout.strip()
    docker.docker("rm", container)
    assert "the same command goes on from there" in said
    assert code not in ("0", "137"), "137 would be the engine's patience running out"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_cuda_image_builds_and_imports(docker: Engine) -> None:
    docker.build("cuda", "kit:test")
    inside = _inside(docker, "kit:test", "torch", "vllm", "flashinfer", "transformers", "peft", "trl", "kit")
    assert "+cu" in inside["versions"]["torch"]
    assert [conflict for conflict in inside["conflicts"] if not conflict.startswith(HARMLESS)] == []


def _inside(docker: Engine, image: str, *modules: str) -> dict[str, Any]:
    script = (CHECKOUT / "tests/image/inside.py").read_text(encoding="utf-8")
    result = docker.docker(
        "run", "--interactive", *LOCKED_DOWN, "--entrypoint", "python", image, "-", *modules, input=script
    )
    return json.loads(result.stdout.splitlines()[-1])  # type: ignore[no-any-return]
