"""Interruption: whenever a run is cut off, the same command gives the same bundle and repeats nothing."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import time
from random import Random
from typing import TYPE_CHECKING

import pytest
from scripted_project import (
    draft,
    kit,
    kit_command,
    kit_environment,
    run_scripted,
    write_files,
    write_manifest,
    write_project,
)

from kit.core.errors import OperationalError
from kit.review.verify import verify
from kit.run.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kit.core.canonical import Json


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project: one training, two generations, two self-tests."""
    source = draft()
    source["evaluations"] = {"unsafe-sampled": source["evaluations"]["unsafe-sampled"]}
    folder = write_files(tmp_path_factory.mktemp("resume") / "project")
    return write_manifest(folder, {"/seeds/training": [1]}, source=source)


@pytest.fixture(scope="module")
def digest(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The results digest of a run that nothing disturbed."""
    return run_scripted(manifest, tmp_path_factory.mktemp("undisturbed") / "out").results_digest


def reproduce(manifest: Path, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return kit("reproduce", manifest, "--out", folder / "out", "--json", home=folder, env=env)


def finished_steps(folder: Path) -> int:
    return len(list((folder / "out.work" / "steps").glob("*")))


def assert_nothing_half_done(folder: Path, digest: str) -> None:
    """Whatever of a bundle can be seen is whole."""
    for bundle in (folder / "out", folder / "out.zip"):
        if bundle.exists():
            assert verify(bundle).results_digest == digest


def assert_resumes(manifest: Path, folder: Path, digest: str) -> None:
    """Run again what was killed: the same bundle, and no finished step is done twice."""
    assert_nothing_half_done(folder, digest)
    before = finished_steps(folder)
    result = reproduce(manifest, folder)
    assert result.returncode == 0, result.stderr
    outcome = json.loads(result.stdout)
    assert outcome["results_digest"] == verify(folder / "out").results_digest == digest
    assert outcome["reused"] == before
    assert sorted(path.name for path in folder.glob("out*")) == ["out", "out.zip"]


def test_a_run_killed_at_any_commit_goes_on_from_there(manifest: Path, digest: str, tmp_path: Path) -> None:
    """Each step becomes finished by a rename, and so does the bundle: killed right before every one of them."""
    finished = []
    for number in range(1, 1000):
        folder = tmp_path / str(number)
        folder.mkdir()
        killed = reproduce(manifest, folder, KILL_WITH="SIGKILL", KILL_AT=str(number), KILL_ON="os.rename")
        if killed.returncode == 0:
            break
        assert killed.returncode == -9, killed.stderr
        finished.append(finished_steps(folder))
        assert_resumes(manifest, folder, digest)
    assert finished == [0, 1, 2, 3, 4, 5, 5]  # before each of five steps, the zip, and the bundle


def test_a_run_killed_at_random_moments_again_and_again_arrives(manifest: Path, digest: str, tmp_path: Path) -> None:
    random = Random(0)
    for _ in range(10):
        command = kit_command("reproduce", manifest, "--out", tmp_path / "out")
        run = subprocess.Popen(command, env=kit_environment(tmp_path), stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0.1, 1))
        run.kill()
        run.wait()
        assert_nothing_half_done(tmp_path, digest)
    if not (tmp_path / "out").exists():
        assert_resumes(manifest, tmp_path, digest)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_run_killed_at_any_change_of_the_disk_goes_on(manifest: Path, digest: str, tmp_path: Path) -> None:
    for number in range(1, 1000):
        folder = tmp_path / str(number)
        folder.mkdir()
        killed = reproduce(manifest, folder, KILL_WITH="SIGKILL", KILL_AT=str(number), KILL_ON="")
        if killed.returncode == 0:
            break
        if (folder / "out").exists():  # only the tidying up was cut off
            assert_nothing_half_done(folder, digest)
        else:
            assert_resumes(manifest, folder, digest)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("number", [3, 30, 60, 90])
def test_an_interrupted_run_says_how_to_go_on(
    number: int, name: str, manifest: Path, digest: str, tmp_path: Path
) -> None:
    stopped = reproduce(manifest, tmp_path, KILL_WITH=name, KILL_AT=str(number), KILL_ON="")
    assert stopped.returncode == -signal.Signals[name]
    assert "the same command goes on from there" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert_resumes(manifest, tmp_path, digest)


@pytest.mark.parametrize("kilobytes", [0, 1, 4, 32])
def test_a_full_disk_is_trouble_and_no_loss(kilobytes: int, manifest: Path, digest: str, tmp_path: Path) -> None:
    """A limit on the size of files fails as a full disk does, wherever it is reached."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes << 10, kilobytes << 10))

    full = kit("reproduce", manifest, "--out", tmp_path / "out", home=tmp_path, preexec_fn=limit)
    assert full.returncode == 2
    assert full.stdout == ""
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.zip").exists()
    assert_resumes(manifest, tmp_path, digest)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a flipped bit": ("completions.jsonl", flip),
    "a flipped bit of the adapter": ("adapter/adapter_model.safetensors", flip),
    "a flipped bit of the note": ("step.json", flip),
    "a missing file": ("adapter/adapter_config.json", lambda path: path.unlink()),
    "a missing note": ("step.json", lambda path: path.unlink()),
    "a file cut short": ("completions.jsonl", lambda path: path.write_bytes(path.read_bytes()[:100])),
    "a file too many": ("trace.json", lambda path: (path.parent / "adapter" / "more").write_text("more")),
    "a link": ("trace.json", lambda path: (path.parent / "link").symlink_to("/etc/passwd")),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_step_is_done_again(name: str, manifest: Path, digest: str, tmp_path: Path) -> None:
    file, damage = DAMAGES[name]
    first = run_scripted(manifest, tmp_path / "first", tmp_path / "store")
    damage(next(tmp_path.glob(f"store/steps/*/{file}")))
    again = run_scripted(manifest, tmp_path / "again", tmp_path / "store")
    assert (again.results_digest, again.reused) == (digest, first.steps - 1)


def test_no_flipped_bit_of_a_steps_note_is_believed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.scratch("key") / "file").write_text("content")
    store.commit("key", {"seconds": 1.5})
    assert store.note("key") == {"seconds": 1.5}
    note = store.folder("key") / "step.json"
    whole = note.read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        note.write_bytes(damaged)
        assert store.note("key") is None


def test_a_store_serves_one_run_at_a_time(manifest: Path, tmp_path: Path) -> None:
    with (
        Store(tmp_path / "store").locked(),
        pytest.raises(OperationalError, match="another run is using it; wait for it, or choose another"),
    ):
        run_scripted(manifest, tmp_path / "out", tmp_path / "store")
    assert run_scripted(manifest, tmp_path / "out", tmp_path / "store").reused == 0


def test_a_step_that_fails_leaves_the_others(tmp_path: Path) -> None:
    """A prompt of the second evaluation is too long for the engine; once that is mended, the rest is there."""
    limits: dict[str, Json] = {"/seeds/training": [], "/seeds/generation": [11], "/engine/max_model_len": 100}
    manifest = write_project(tmp_path / "project", limits, method=None)
    row = {"id": "s-9", "category": "sums", "prompt": "1 + " * 30, "answer": "0"}
    sums = tmp_path / "project/data/sums.jsonl"
    short = sums.read_text()
    sums.write_text(short + json.dumps(row) + "\n")
    with pytest.raises(OperationalError, match=r"prompt 's-9' has 120 characters; raise engine\.max_model_len"):
        run_scripted(manifest, tmp_path / "out")
    sums.write_text(short)
    assert run_scripted(manifest, tmp_path / "out").reused == 2
