"""What a reviewer does, on systems that lack what only Linux, or only POSIX, has: simulated by taking it away."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sample_bundle import write_sample

from kit.bundle import layout
from kit.bundle.files import open_file
from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.seal import seal
from kit.core.errors import CheckFailed

if TYPE_CHECKING:
    from pathlib import Path

WITHOUT = """
import os, shutil, signal, socket, sys
for name in {names!r}:
    if hasattr(os, name):
        delattr(os, name)
for name in {modules!r}:
    sys.modules[name] = None
if {is_windows}:
    del socket.AF_UNIX
from kit.cli import main
main()
"""
NOT_ON_MACOS = ("preadv", "RWF_NOWAIT", "sched_getaffinity")
NOT_ON_WINDOWS = (
    *(*NOT_ON_MACOS, "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "geteuid", "getuid", "set_blocking"),
    "sysconf",
)
SYSTEMS = {
    "macOS": WITHOUT.format(names=NOT_ON_MACOS, modules=(), is_windows=False),
    "Windows": WITHOUT.format(names=NOT_ON_WINDOWS, modules=("fcntl", "grp", "pwd", "resource"), is_windows=True),
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    for name, day in {"a": "2026-11-02", "b": "2026-11-03"}.items():
        run = write_sample(folder / name) / layout.RUN
        run.write_text(run.read_text().replace("2026-11-02", day))
        seal(folder / name, FixedSigner(1))
    return folder


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_reviewer_needs_nothing_that_only_linux_has(system: str, bundles: Path, tmp_path: Path) -> None:
    steps: list[tuple[object, ...]] = [
        ("verify", bundles / "a"),
        ("diff", bundles / "a", bundles / "b", "--html", "diff.html"),
        ("keygen", "key"),
        ("receipt", bundles / "a", bundles / "b", "--key", "key"),
        ("report", bundles / "a", "--out", "report.html"),
        ("redact", bundles / "a", "--out", "shared"),
        ("export", bundles / "a", "--latex", "paper"),
        ("rejudge", bundles / "a", "--judge", f"again={tmp_path / 'judge.json'}", "--key", "key", "--out", "judged"),
        ("init", "study.draft.json"),
        ("environment",),
    ]
    (tmp_path / "judge.json").write_text('{"kind": "pattern"}')
    variables = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    for step in steps:
        command = [sys.executable, "-c", SYSTEMS[system], *map(str, step)]
        got = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
        assert got.returncode == 0, f"{step}\n{got.stdout}\n{got.stderr}"


def test_a_link_is_opened_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no flag for it, so the name is looked at."""
    (tmp_path / "file").write_text("a")
    (tmp_path / "link").symlink_to("file")
    monkeypatch.setattr("kit.bundle.files.NO_FOLLOW", 0)
    with open_file(tmp_path / "file") as stream:
        assert stream.read() == b"a"
    with pytest.raises(CheckFailed, match="is not a regular file"):
        open_file(tmp_path / "link")
