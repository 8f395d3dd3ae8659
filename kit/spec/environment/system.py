"""What the locked packages need of the operating system, since no lock can bring it, and which command installs it.

Nothing but the standard library, in the language of Python 3.8, and nothing of the kit: `locks/machine.py` reads this
file with whatever Python the machine has, before there is any environment.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OS_RELEASE = Path("/etc/os-release")
"""Which distribution this is (freedesktop.org, os-release)."""
PACKAGE_LISTS = Path("/var/lib/apt/lists")
"""What apt knows of its archive; empty in a fresh container."""


class Need(NamedTuple):
    """Something of the operating system's that packages rely on."""

    what: str
    why: str
    packages: Mapping[str, str]
    """Package manager → the packages that bring it there."""


LIBNUMA = Need(
    "the library libnuma.so.1",
    "which vLLM loads on a processor",
    {"apt-get": "libnuma1", "dnf": "numactl-libs", "zypper": "libnuma1", "pacman": "numactl"},
)
COMPILER = Need(
    "a C compiler",
    "with which Triton compiles the launchers of its kernels",
    {"apt-get": "gcc libc6-dev", "dnf": "gcc glibc-devel", "zypper": "gcc glibc-devel", "pacman": "gcc"},
)
HEADERS = Need(
    "Python's header Python.h",
    "with which Triton compiles the launchers of its kernels",
    {"apt-get": "python3-dev", "dnf": "python3-devel", "zypper": "python3-devel", "pacman": "python"},
)
_INSTALL = {"apt-get": "install", "dnf": "install", "zypper": "install", "pacman": "-S"}
_MANAGERS = {
    "debian": "apt-get",
    "ubuntu": "apt-get",
    "fedora": "dnf",
    "rhel": "dnf",
    "suse": "zypper",
    "arch": "pacman",
}


def lacking(*, accelerated: bool, headers: str | None = None) -> list[Need]:
    """Return what is needed to run and not here.

    Args:
        accelerated: for the build of the packages that runs on NVIDIA's accelerators; else for that of processors.
        headers: folder of the headers of the Python that will run it; they are not looked for without.
    """
    if not accelerated:
        return [] if _loads("libnuma.so.1") else [LIBNUMA]
    # The order in which Triton looks for one (`triton/runtime/build.py`); a worker does not inherit `CC`.
    found = shutil.which("clang") or shutil.which("gcc")
    missing = [] if found and _compiles(found, "stdio.h") else [COMPILER]
    if headers is not None and not Path(headers, "Python.h").is_file():
        missing.append(HEADERS)
    return missing


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _compiles(compiler: str, header: str) -> bool:
    """Tell whether a compiler works and finds a header: one without the C library's is installed often enough."""
    command = [compiler, "-fsyntax-only", "-x", "c", "-"]
    try:
        checked = subprocess.run(  # noqa: S603 - the compiler that Triton would run
            command, input=f"#include <{header}>\n".encode(), capture_output=True, check=False, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return checked.returncode == 0


def sentence(needs: Sequence[Need]) -> str:
    """Return what is missing and why, in one sentence without its end."""
    named = [f"{need.what}, {need.why}," for need in needs]
    return f"{' and '.join(named)} {'is' if len(named) == 1 else 'are'} missing"


def remedy(needs: Sequence[Need]) -> str:
    """Return the one command that installs everything that is missing, as it is written on this distribution."""
    manager = package_manager()
    if manager is None:
        return f"install {' and '.join(need.what for need in needs)} with your package manager"
    packages = " ".join(need.packages[manager] for need in needs)
    return install_command(manager, packages)


def install_command(manager: str, packages: str) -> str:
    """Return the command that installs packages: with sudo where it is needed and there."""
    command = f"{manager} {_INSTALL[manager]} {packages}"
    commands = [command]
    if manager == "apt-get" and not any(PACKAGE_LISTS.glob("*_Packages*")):
        commands.insert(0, "apt-get update")
    if os.geteuid() == 0:
        return " && ".join(commands)
    if shutil.which("sudo"):
        return " && ".join(f"sudo {one}" for one in commands)
    return f"as root: {' && '.join(commands)}"


def package_manager() -> str | None:
    """Return the package manager of this distribution, of those that are known here."""
    described = distribution()
    families = [described.get("ID", ""), *described.get("ID_LIKE", "").split()]
    return next((_MANAGERS[one] for one in families if one in _MANAGERS), None)


def distribution() -> dict[str, str]:
    """Return what /etc/os-release says, such as `ID` and `VERSION_ID`; empty where there is none."""
    try:
        text = OS_RELEASE.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE)
    return {name: value.strip().strip("\"'") for name, value in pairs}
