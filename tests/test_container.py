"""How the kit behaves in its container image: what it knows of it, and what it says before something is lost."""

from __future__ import annotations

import getpass
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from sample_bundle import sample_environment
from scripted_kit import scripted_backends
from scripted_project import write_project

from kit.cli import group
from kit.core.errors import KitError, OperationalError
from kit.run.backends.worker.home import can_hold_programs, sandbox_home
from kit.spec.environment import mounts
from kit.spec.environment.image import CONTENTS, image_contents, is_image_digest
from kit.spec.environment.lock import LOCK
from kit.spec.environment.mounts import mount_of, outlives_container, parse_mounts
from kit.spec.environment.record import record_environment
from kit.spec.manifest.load import document_problems

if TYPE_CHECKING:
    from collections.abc import Callable

DOCKER = r"""
1203 1021 0:95 / / rw,relatime master:470 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/A:/B,upperdir=/C
1204 1203 0:98 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
1206 1205 0:100 / /dev/pts rw,nosuid,noexec,relatime - devpts devpts rw,gid=5,mode=620,ptmxmode=666
1208 1207 0:30 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot
1210 1205 0:97 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k,inode64
1211 1203 0:102 / /tmp rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,inode64
1212 1203 254:1 /home/ada/my\040study\134x /workspace rw,relatime master:1 shared:7 - ext4 /dev/vda1 rw
1213 1203 254:1 /var/lib/docker/containers/1/hosts /etc/hosts rw,relatime - ext4 /dev/vda1 rw
1214 1203 0:30 /ada/work /fast\040disk rw - tmpfs tmpfs rw
1215 1203 0:44 / /data rw,relatime - nfs4 server:/data rw,vers=4.2
1216 1215 0:103 / /data/scratch rw,relatime - tmpfs tmpfs rw
1217 1203 0:104 / /mnt rw,relatime - tmpfs tmpfs rw
1218 1203 0:44 / /mnt rw,relatime - nfs4 server:/data rw,vers=4.2
not a line of mountinfo
"""


def test_the_deepest_mount_counts_and_of_two_at_one_place_the_later() -> None:
    found = parse_mounts(DOCKER)
    assert len(found) == 13
    for path, point, kind in (
        ("/opt/kit", "/", "overlay"),
        ("/workspace/bundles/x", "/workspace", "ext4"),
        ("/workspaces", "/", "overlay"),
        ("/fast disk/x", "/fast disk", "tmpfs"),
        ("/data/scratch/x", "/data/scratch", "tmpfs"),
        ("/mnt/x", "/mnt", "nfs4"),
    ):
        mount = mount_of(Path(path), found)
        assert mount
        assert (mount.point, mount.file_system) == (point, kind)
    lent = mount_of(Path("/workspace"), found)
    assert lent
    assert lent.root == "/home/ada/my study\\x"


@pytest.mark.parametrize(
    ("path", "stays"),
    [
        ("/workspace/bundles", True),
        ("/bundles", False),
        ("/tmp/bundles", False),
        ("/data/bundles", True),
        ("/data/scratch/bundles", False),
        ("/fast disk/bundles", True),  # in memory, but the host's
        ("/mnt/bundles", True),
    ],
)
def test_what_stays_is_on_a_mount_that_is_not_in_memory(
    path: str, *, stays: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mountinfo").write_text(DOCKER)
    monkeypatch.setattr(mounts, "MOUNTINFO", tmp_path / "mountinfo")
    assert outlives_container(Path(path)) is stays


def test_a_link_out_of_a_mount_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lent").mkdir()
    (tmp_path / "own").mkdir()
    (tmp_path / "lent/link").symlink_to(tmp_path / "own")
    mounted(tmp_path / "lent", tmp_path, monkeypatch)
    assert outlives_container(tmp_path / "lent/new/bundles")
    assert not outlives_container(tmp_path / "lent/link/new")


def mounted(folder: Path | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that this is a container into which one folder is mounted, or none."""
    lines = ["1 0 0:95 / / rw - overlay overlay rw", f"2 1 254:1 /x {folder} rw - ext4 /dev/vda rw"]
    (tmp_path / "mountinfo").write_text("\n".join(lines[: 2 if folder else 1]))
    monkeypatch.setattr(mounts, "MOUNTINFO", tmp_path / "mountinfo")


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pretend to be in the image, with nothing mounted; return the folder that stands for /workspace."""
    prefix, workspace = tmp_path / "opt", tmp_path / "workspace"
    (prefix / CONTENTS).parent.mkdir(parents=True)
    packages = {"libc6:amd64": "2.36-9", "bash": "5.2.15-2"}
    (prefix / CONTENTS).write_text(json.dumps({"base": "debian@sha256:0", "lock": "cpu", "system_packages": packages}))
    monkeypatch.setattr(sys, "prefix", str(prefix))
    for name in ("KIT_SIGNING_KEY", "KIT_IMAGE", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    write_project(workspace, {"/environment/packages/peft": "0"})
    monkeypatch.chdir(workspace)
    mounted(None, tmp_path, monkeypatch)
    return workspace


def kit(*arguments: str) -> Result:
    return CliRunner().invoke(group, arguments, obj=scripted_backends())


def problems(error: BaseException | None) -> str:
    assert isinstance(error, KitError)
    return str(error)


def test_an_image_is_recorded_with_what_it_holds(image: Path) -> None:
    found: Any = record_environment(image=None)
    assert found["base_image"] == "debian@sha256:0"
    assert found["system_packages"] == {"bash": "5.2.15-2", "libc6:amd64": "2.36-9"}
    manifest = json.loads((image / "scripted.json").read_text())
    assert document_problems({**manifest, "environment": found}, "manifest") == []


def test_a_manifest_of_before_images_were_described_stays_valid(image: Path) -> None:
    manifest = json.loads((image / "scripted.json").read_text())
    assert not sample_environment().keys() & {"base_image", "system_packages"}
    assert document_problems(manifest, "manifest") == []


@pytest.mark.parametrize("text", ["[]", '{"base": "x"}', '{"base": 1, "lock": "cpu", "system_packages": {}}', "{"])
def test_a_damaged_description_is_no_traceback(text: str, image: Path) -> None:
    assert image
    (Path(sys.prefix) / CONTENTS).write_text(text)
    with pytest.raises(KitError, match=r"image\.json"):
        image_contents()


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("sha256:" + "a" * 64, True),
        ("registry.example:5000/lab/kit@sha256:" + "0" * 64, True),
        ("sha256:" + "a" * 63, False),
        ("sha256:" + "A" * 64, False),
        ("kit:latest", False),
        ("sha256:" + "a" * 64 + "\n", False),
    ],
)
def test_only_a_digest_names_an_image(
    value: str, *, is_one: bool, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert image
    assert is_image_digest(value) is is_one
    monkeypatch.setenv("KIT_IMAGE", value)
    result = kit("environment")
    if is_one:
        assert f"image          {value}" in result.stdout
    else:
        assert "KIT_IMAGE: " in problems(result.exception)
        assert "docker image inspect" in problems(result.exception)


def test_a_run_whose_bundle_would_go_says_so_before_and_after(image: Path) -> None:
    result = kit("reproduce", "scripted.json")
    assert result.exit_code == 0, result.output
    lines = result.stderr.splitlines()
    said = [number for number, line in enumerate(lines) if "is inside the container and goes with it" in line]
    assert len(said) == 2
    assert said[0] < next(number for number, line in enumerate(lines) if "train tuned" in line) < said[1]
    assert f'-v "$PWD/bundles:{image}/bundles"' in lines[said[0]]
    key = next(line for line in lines if "made a signing key" in line)
    assert "it goes with the container" in key
    assert "-e KIT_SIGNING_KEY=/key" in key
    assert result.stdout.splitlines()[-1].startswith("results digest: sha256:")


def test_a_run_into_a_mount_says_nothing_of_it(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(tmp_path, tmp_path, monkeypatch)
    result = kit("reproduce", "scripted.json")
    assert result.exit_code == 0, result.output
    assert "goes with" not in result.stderr
    assert "keep it" in result.stderr
    assert len(list((image / "bundles").glob("*.zip"))) == 1


def test_where_nothing_can_be_written_the_temporary_folder_takes_the_bundle(image: Path, tmp_path: Path) -> None:
    (image / "bundles").touch()  # stands in the way of the folder, for root too
    result = kit("reproduce", "scripted.json")
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "bundles").glob("*.zip"))) == 1
    assert f"{tmp_path}/bundles is inside the container" in result.stderr
    chosen = kit("reproduce", "scripted.json", "--out", "bundles/mine")
    assert problems(chosen.exception).startswith("bundles: cannot be made"), (
        "a place that was asked for is never another"
    )


def test_a_mount_that_cannot_be_written_to_is_not_passed_by(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (image / "bundles").touch()
    mounted(image, tmp_path, monkeypatch)
    monkeypatch.setattr(os, "getuid", lambda: 10001)
    said = problems(kit("reproduce", "scripted.json").exception)
    assert f"belongs to user {image.stat().st_uid}, and the container runs as user 10001" in said
    assert '--user "$(id -u):$(id -g)"' in said


@pytest.mark.parametrize(
    "arguments", [("reproduce", "mine.json"), ("reproduce", "scripted.json", "--key", "/home/ada/.ssh/id_ed25519")]
)
def test_a_file_that_was_not_mounted_is_said_to_be_so(arguments: tuple[str, ...], image: Path) -> None:
    said = problems(kit(*arguments).exception)
    assert said.startswith(f"{arguments[-1]}: is not in the container; mount the folder that holds it")
    assert f'-v "$PWD:{image}"' in said


def test_the_key_that_a_variable_names_must_be_mounted_too(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert image
    monkeypatch.setenv("KIT_SIGNING_KEY", "/keys/mine")
    assert "/keys/mine: is not in the container" in problems(kit("reproduce", "scripted.json").exception)


def test_without_a_temporary_folder_the_cure_is_named(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    assert image
    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert "--tmpfs /tmp" in problems(kit("reproduce", "scripted.json").exception)


def test_a_user_without_a_name_or_a_home_has_both_in_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    unusable: tuple[dict[str, str], ...] = ({}, {"HOME": ""}, {"HOME": "relative"}, {"HOME": str(tmp_path / "file/x")})
    for given in unusable:
        with sandbox_home(given | {"XDG_CACHE_HOME": str(tmp_path / "file/x"), "PATH": "/bin"}) as made:
            assert Path(made["HOME"]).is_dir()
            assert made.keys() == {"HOME", "PATH", "USER", "LOGNAME"}
            for name in ("USER", "LOGNAME"):
                monkeypatch.setenv(name, made[name])
            assert getpass.getuser() == made["USER"] != ""
        assert not Path(made["HOME"]).exists()
    own = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "new/cache"), "LOGNAME": "ada"}
    with sandbox_home(own) as made:
        assert made == own | {"USER": "ada"}


def test_a_folder_mounted_noexec_holds_no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[Path], os.statvfs_result] = os.statvfs
    assert can_hold_programs(str(tmp_path / "new"))
    monkeypatch.setattr(os, "statvfs", lambda path: _Flags(real(path).f_flag | os.ST_NOEXEC))
    assert not can_hold_programs(str(tmp_path / "new"))


class _Flags:
    def __init__(self, flags: int) -> None:
        self.f_flag = flags


def test_the_environment_is_shown_and_held_against_a_manifest(image: Path) -> None:
    plain = kit("environment")
    assert plain.exit_code == 0
    shown = dict(line.split(maxsplit=1) for line in plain.stdout.splitlines())
    assert shown["python"] == sys.version.split()[0]
    assert "debian@sha256:0, 2 system packages" in plain.stdout
    assert "not told: pass KIT_IMAGE" in plain.stdout
    assert plain.stderr == ""
    compared = kit("environment", "scripted.json")
    assert compared.exit_code == 1
    listed = compared.stdout.partition("differs from scripted.json\n")[2]
    assert 0 < listed.index("packages.peft: pinned 0, here") < listed.index("packages.click: pinned absent, here")
    manifest = json.loads((image / "scripted.json").read_text())
    own = {**manifest, "environment": json.loads(kit("environment", "--json").stdout)["environment"]}
    (image / "own.json").write_text(json.dumps(own))
    same = kit("environment", "own.json")
    assert (same.exit_code, same.stdout.splitlines()[-1]) == (0, "is the environment of own.json")


def test_the_environment_for_machines_holds_everything(image: Path) -> None:
    assert image
    (Path(sys.prefix) / LOCK).write_text("click==0.1\n")
    found = kit("environment", "--json")
    document = json.loads(found.stdout)
    assert (found.exit_code, document["ok"], document["differences"]) == (0, True, None)
    (click,) = [one for one in document["lock_deviations"] if one["package"] == "click"]
    assert click["locked"] == "0.1"
    assert document["environment"]["system_packages"]["libc6:amd64"] == "2.36-9"
    assert document["surroundings"]["folder"] == str(image)
    compared = json.loads(kit("environment", "scripted.json", "--json").stdout)
    assert not compared["ok"]
    assert "packages.peft" in [one["field"] for one in compared["differences"]]
    shown = kit("environment")
    assert "lock           cpu, xxh3_128:" in shown.stdout
    assert "click is" in shown.stderr


def test_without_a_home_the_environment_is_shown_all_the_same(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    assert image
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert "no home to keep one in" in kit("environment").stdout
    with pytest.raises(OperationalError, match="--key"):
        raise kit("reproduce", "scripted.json").exception or AssertionError
