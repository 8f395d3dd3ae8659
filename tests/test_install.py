"""locks/*.sh on machines that lack things: what is missing is found before any download, with what mends it."""

from __future__ import annotations

import ast
import base64
import functools
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from scripted_project import write_project

from kit.run.preflight.system import system_problems
from kit.spec.environment import system
from kit.spec.manifest.load import load_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHECKOUT = Path(__file__).parents[1]
LOCKS = CHECKOUT / "locks"
WITHOUT_ANYTHING = [LOCKS / "fetch.py", LOCKS / "machine.py", Path(system.__file__)]
"""What runs before there is an environment, with whatever Python there is."""
TOOLS = (
    *("awk", "cat", "chmod", "cmp", "cp", "cut", "dirname", "env", "grep", "id", "ls", "mkdir", "rm", "sed", "sh"),
    *("sleep", "tail", "uname"),
)
OS_RELEASES = {
    "debian 12": 'ID=debian\nVERSION_ID="12"\n',
    "ubuntu 24.04": "NAME=Ubuntu\nID=ubuntu\nID_LIKE=debian\n",
    "rocky 9": 'ID="rocky"\nID_LIKE="rhel centos fedora"\n',
    "arch": "ID=arch\n",
    "unknown": "ID=void\n",
}


def sha256(data: bytes) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize().hex()


@contextmanager
def served(folder: Path, authorization: str | None = None) -> Iterator[str]:
    """Serve a folder on the loopback interface, to those who send this header if one is wanted."""

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if authorization and self.headers.get("Authorization") != authorization:
                self.send_error(401)
                return
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def python(script: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables}
    command = [sys.executable, "-E", "-s", str(script), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


# ---- before there is anything --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WITHOUT_ANYTHING, ids=lambda path: path.name)
def test_what_installs_runs_with_an_old_python_and_nothing_else(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    modules = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert {module.partition(".")[0] for module in modules} <= {*sys.stdlib_module_names, "fetch"}
    newer = {"removeprefix", "removesuffix", "is_relative_to", "hardlink_to"}
    assert not {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & newer


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Write a package index with a uv of our own, and the lock that says its hash."""
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("uv-1.2.3.data/scripts/uv", "#!/bin/sh\necho ours\n")
    name = "uv-1.2.3-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    page = tmp_path / "site/simple/uv/index.html"
    page.parent.mkdir(parents=True)
    (tmp_path / "site/files").mkdir()
    (tmp_path / "site/files" / name).write_bytes(wheel.getvalue())
    links = ["uv-1.2.3.tar.gz", "uv-1.2.3-py3-none-musllinux_1_1_x86_64.whl", name]
    page.write_text("\n".join(f'<a href="../../files/{one}#sha256=0">{one}</a>' for one in links))
    (tmp_path / "lock.txt").write_text(f"uv==1.2.3 \\\n    --hash=sha256:{sha256(wheel.getvalue())}\n")
    return tmp_path


def test_the_installer_comes_from_the_index_that_the_user_names(index: Path) -> None:
    secret = base64.b64encode(b"me:se cret").decode()
    with served(index / "site", f"Basic {secret}") as host:
        address = f"http://me:se%20cret@{host}/simple/"
        got = python(LOCKS / "fetch.py", index / "lock.txt", index / "uv", UV_DEFAULT_INDEX=address)
    assert got.returncode == 0, got.stderr
    assert subprocess.check_output([index / "uv/bin/uv"], text=True) == "ours\n"


def test_an_installer_of_another_hash_is_never_unpacked(index: Path) -> None:
    (index / "lock.txt").write_text(f"uv==1.2.3 \\\n    --hash=sha256:{'0' * 64}\n")
    with served(index / "site") as host:
        got = python(LOCKS / "fetch.py", index / "lock.txt", index / "uv", UV_DEFAULT_INDEX=f"http://{host}/simple")
    assert got.returncode == 2
    assert "is not what lock.txt says" in got.stderr
    assert not (index / "uv").exists()


def test_without_a_network_one_sentence_says_so(index: Path) -> None:
    got = python(LOCKS / "fetch.py", index / "lock.txt", index / "uv", UV_DEFAULT_INDEX="http://127.0.0.1:9/simple")
    assert got.returncode == 2
    assert got.stderr.count("\n") == 1
    assert "is the network there?" in got.stderr


# ---- what the machine lacks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("distribution", "command"),
    [
        ("debian 12", "apt-get install libnuma1"),
        ("ubuntu 24.04", "apt-get install libnuma1"),
        ("rocky 9", "dnf install numactl-libs"),
        ("arch", "pacman -S numactl"),
        ("unknown", "install the library libnuma.so.1 with your package manager"),
    ],
)
def test_a_library_that_is_missing_is_named_with_the_command_of_the_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, distribution: str, command: str
) -> None:
    (tmp_path / "os-release").write_text(OS_RELEASES[distribution])
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/archive_Packages").touch()
    monkeypatch.setattr(system, "OS_RELEASE", tmp_path / "os-release")
    monkeypatch.setattr(system, "PACKAGE_LISTS", tmp_path / "lists")
    monkeypatch.setattr("ctypes.CDLL", _no_library)
    needs = system.lacking(accelerated=False)
    assert "libnuma.so.1" in system.sentence(needs)
    assert system.remedy(needs).endswith(command)
    (tmp_path / "lists/archive_Packages").unlink()
    is_apt = "apt-get" in command
    assert ("apt-get update && " in system.remedy(needs)) is is_apt, "a fresh container knows no packages"


def _no_library(name: str) -> None:
    raise OSError(f"{name}: cannot open shared object file")


def test_whoever_is_not_root_gets_the_command_that_works_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert system.install_command("dnf", "gcc") == "as root: dnf install gcc"
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/sudo")
    assert system.install_command("dnf", "gcc") == "sudo dnf install gcc"


@pytest.mark.parametrize("compiler", [None, "#!/bin/sh\nexit 1\n"], ids=["none", "without the C library's headers"])
def test_a_gpu_needs_a_compiler_that_compiles_and_the_headers_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str | None
) -> None:
    if compiler:
        (tmp_path / "gcc").write_text(compiler)
        (tmp_path / "gcc").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    needs = system.lacking(accelerated=True, headers=str(tmp_path))
    assert needs == [system.COMPILER, system.HEADERS]
    assert "C compiler" in system.sentence(needs)


def test_a_machine_is_looked_at_before_anything_is_downloaded(tmp_path: Path) -> None:
    got = python(LOCKS / "machine.py", "cuda", tmp_path / "run", PATH="")
    assert got.returncode == 2
    assert "C compiler" in got.stderr
    assert "docs/install.md" in got.stderr


@pytest.mark.parametrize(
    ("said", "named"), [("glibc 2.28", "is glibc 2.28"), (None, "is not glibc"), ("glibc 2.31", "")]
)
def test_a_c_library_that_is_too_old_or_another_is_named(
    monkeypatch: pytest.MonkeyPatch, said: str | None, named: str
) -> None:
    monkeypatch.syspath_prepend(str(LOCKS))
    import machine  # not before its folder is on the path

    monkeypatch.setattr("os.confstr", lambda _: said)
    problems = machine.library_problems()
    assert bool(problems) is bool(named)
    assert named in "".join(problems)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no second file system to try it on")
def test_packages_are_kept_on_the_disk_that_they_are_installed_on(tmp_path: Path) -> None:
    if tmp_path.stat().st_dev == Path("/dev/shm").stat().st_dev:
        pytest.skip("temporary files lie in /dev/shm here, which was to be the other file system")
    small = "/dev/shm/somebody"
    for home, named, kept in (
        (str(tmp_path), "", f"{tmp_path}/.cache/uv"),
        (small, "", f"{CHECKOUT}/.venv/cache"),
        (small, f"{small}/uv", f"{small}/uv"),
        ("", "", f"{CHECKOUT}/.venv/cache"),
    ):
        got = python(LOCKS / "machine.py", "crate", tmp_path / "run", HOME=home, UV_CACHE_DIR=named)
        assert f"export UV_CACHE_DIR={shlex.quote(kept)}\n" in got.stdout, got.stderr


# ---- the right Python ----------------------------------------------------------------------------------------------

PRETENDING = """#!/bin/sh
# A Python that says that it is another release: `-c PROGRAM` is all that it is asked.
exec '{python}' -c "import sys; sys.version_info = {version}; exec(sys.argv.pop(1))" "$2"
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Make a checkout with the installer, in a path with spaces, on a machine with no Python at all."""
    (tmp_path / "bin").mkdir()
    for name in TOOLS:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    checkout = tmp_path / "my check out"
    shutil.copytree(LOCKS, checkout / "locks", ignore=shutil.ignore_patterns("wheels"))
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert uv
    (checkout / ".venv/installer/bin").mkdir(parents=True)
    (checkout / ".venv/installer/bin/uv").symlink_to(uv)
    return tmp_path


def chosen(machine: Path, lock: str = "cpu", **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(machine / "bin"), "HOME": str(machine), "UV_HTTP_RETRIES": "0", **variables}
    command = [str(machine / "my check out/locks/python.sh"), lock]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def pretend(machine: Path, name: str, version: tuple[int | str, ...]) -> Path:
    path = machine / "bin" / name
    path.write_text(PRETENDING.format(python=sys.executable, version=version))
    path.chmod(0o755)
    return path


NOWHERE = {"UV_PYTHON_INSTALL_MIRROR": "http://127.0.0.1:9"}


def test_a_python_that_is_there_is_asked_first(machine: Path) -> None:
    pretend(machine, "python3", (3, 12, 1, "final", 0))
    there = pretend(machine, "python3.11", (3, 11, 4, "final", 0))
    got = chosen(machine, **NOWHERE)
    assert got.stdout == f"{there}\n", got.stderr
    assert chosen(machine, "cuda", **NOWHERE).stdout == f"{there}\n"


@pytest.mark.parametrize("version", [(3, 11, 0, "candidate", 1), (3, 12, 1, "final", 0), (3, 13, 0, "final", 0)])
def test_a_python_that_does_not_fit_is_not_taken_and_no_command_is_advised_that_fails(
    machine: Path, version: tuple[int | str, ...]
) -> None:
    pretend(machine, "python3", version)
    pretend(machine, "apt-cache", ()).write_text("#!/bin/sh\necho '  Candidate: 3.11.0~rc1-1~22.04'\n")
    got = chosen(machine, **NOWHERE)
    assert got.returncode == 2
    (_, sentence) = got.stderr.splitlines()
    assert "Python 3.11 is needed and could not be downloaded (" in sentence
    assert "apt-get" not in sentence
    assert "UV_PYTHON_INSTALL_MIRROR" in sentence

    (machine / "bin/apt-cache").write_text("#!/bin/sh\necho '  Candidate: 3.11.2-6'\n")
    assert "apt-get install python3.11," in chosen(machine, **NOWHERE).stderr


def test_a_gpu_is_given_a_python_with_headers(machine: Path) -> None:
    bare = machine / "bin/python3"
    bare.write_text(
        f"#!/bin/sh\nexec '{sys.executable}' -c \"import sys, sysconfig; sys.version_info = (3, 12, 3, 'final', 0)\n"
        f"sysconfig.get_paths = lambda: {{'include': '{machine}'}}\nexec(sys.argv.pop(1))\" \"$2\"\n"
    )
    bare.chmod(0o755)
    (machine / "bin/apt-cache").write_text("#!/bin/sh\n[ $2 != python3.12-dev ] || echo '  Candidate: 3.12.3-1'\n")
    (machine / "bin/apt-cache").chmod(0o755)
    got = chosen(machine, "cuda", **NOWHERE)
    assert got.returncode == 2
    assert "apt-get install python3.12-dev," in got.stderr


def python_build(machine: Path, name: str) -> Mapping[str, object]:
    """Make an archive like those of python-build-standalone, and return how uv's own list describes it."""
    program = f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n".encode()
    variables = "lib/python3.11/_sysconfigdata__linux_x86_64-linux-gnu.py"
    generated = b"# system configuration generated and used by the sysconfig module\nbuild_time_vars = {}\n"
    archive = machine / "mirror/20260101/python.tar.gz"
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as tar:
        for path, data in {"bin/python3": program, "bin/python3.11": program, variables: generated}.items():
            entry = tarfile.TarInfo(f"python/{path}")
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    patch = int(name.split("-")[1].split(".")[2])
    origin = "https://github.com/astral-sh/python-build-standalone/releases/download"
    return {
        "name": "cpython", "arch": {"family": "x86_64", "variant": None}, "os": "linux", "libc": "gnu",
        "major": 3, "minor": 11, "patch": patch, "prerelease": "", "variant": None, "build": "20260101",
        "url": f"{origin}/20260101/python.tar.gz", "sha256": sha256(archive.read_bytes()),
    }  # fmt: skip


def test_a_python_is_brought_where_there_is_none_and_checked_against_its_hash(machine: Path) -> None:
    name = (LOCKS / "python").read_text().strip()
    build = python_build(machine, name)
    known = machine / "known.json"
    known.write_text(json.dumps({name: build}))
    with served(machine / "mirror") as host:
        variables = {"UV_PYTHON_INSTALL_MIRROR": f"http://{host}", "UV_PYTHON_DOWNLOADS_JSON_URL": str(known)}
        got = chosen(machine, **variables)
        assert got.returncode == 0, got.stderr
    brought = machine / "my check out/.venv/python" / name / "bin/python3"
    assert got.stdout == f"{brought}\n"
    assert not (machine / ".local").exists(), "nothing is put into the user's folders"
    again = chosen(machine, **NOWHERE)
    assert (again.stdout, again.stderr) == (got.stdout, ""), "it is found again without a network"

    shutil.rmtree(machine / "my check out/.venv/python")
    known.write_text(json.dumps({name: {**build, "sha256": "0" * 64}}))
    with served(machine / "mirror") as host:
        refused = chosen(machine, **{**variables, "UV_PYTHON_INSTALL_MIRROR": f"http://{host}"})
    assert refused.returncode == 2
    assert "hash" in refused.stderr.lower()
    assert not brought.exists()


def test_the_python_that_is_brought_is_one_that_the_locked_uv_knows() -> None:
    command = ["uv", "python", "list", "--only-downloads", "--all-versions", "--output-format", "json", "3.11"]
    search_path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    listed = subprocess.check_output(command, env={**os.environ, "PATH": search_path}, text=True)
    assert (LOCKS / "python").read_text().strip() in {one["key"] for one in json.loads(listed)}


WITHOUT_LIBNUMA = """
from kit.cli import main
from kit.spec.environment import system
system._loads = lambda name: False
main()
"""


@pytest.mark.parametrize("command", ["check", "reproduce"])
def test_the_kit_says_the_same_before_a_run(tmp_path: Path, command: str) -> None:
    manifest = write_project(tmp_path)
    program = [sys.executable, "-c", WITHOUT_LIBNUMA, command, str(manifest)]
    got = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert got.returncode == 2, got.stderr
    assert "libnuma.so.1, which vLLM loads on a processor, is missing; " in got.stderr
    assert not (tmp_path / "bundles").exists() or not [*(tmp_path / "bundles").iterdir()]


def test_nothing_is_said_of_the_system_where_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", _no_library)
    loaded = load_manifest(write_project(tmp_path))
    for packages, accelerated in (({}, False), ({"vllm": "0.32.0"}, False)):
        assert not system_problems(loaded, packages, accelerated=accelerated)
    monkeypatch.setenv("PATH", "")
    assert system_problems(loaded, {"vllm": "0.32.0"}, accelerated=True)
