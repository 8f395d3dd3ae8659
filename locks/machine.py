"""Says what no lock brings and this machine lacks, before anything is downloaded: `machine.py LOCK ENVIRONMENT`.

Prints uv's settings for this machine, for a shell to read. For any Python from 3.8 on: nothing is installed yet.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from fetch import CERTIFICATES

CHECKOUT = Path(__file__).resolve().parents[1]
GIGABYTES = {"cpu": 4, "test": 4, "cuda": 12}
"""What the environment of a lock takes; other locks take less than one."""
GLIBC = (2, 31)
"""The oldest that all locked wheels run with (PEP 600)."""


def system() -> Any:  # noqa: ANN401 - a module
    """Return the kit's own list of what a run needs of the system, read by its path: the kit is not installed yet."""
    spec = spec_from_file_location("system", CHECKOUT / "kit/spec/environment/system.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["system"] = module
    spec.loader.exec_module(module)
    return module


def existing(folder: Path) -> Path:
    """Return the nearest folder that is there."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def device(folder: Path) -> int:
    """Return the file system that a folder is on, or would be."""
    return existing(folder).stat().st_dev


def cache_folder(environment: Path) -> Path:
    """Return where uv keeps what it downloads: where the user says, else its usual place, if that is on the same disk.

    Across file systems every package would be written twice, and a home folder is often small.
    """
    named = os.environ.get("UV_CACHE_DIR")
    if named:
        return Path(named).absolute()
    home = os.environ.get("XDG_CACHE_HOME") or (f"{os.environ['HOME']}/.cache" if os.environ.get("HOME") else "")
    usual = Path(home, "uv").absolute() if home else None
    if usual and device(usual) == device(environment) and os.access(str(existing(usual)), os.W_OK):
        return usual
    return CHECKOUT / ".venv/cache"


def disk_problems(lock: str, folders: list[Path]) -> list[str]:
    """Return which folders do not hold what will be written to them; those on one disk share it by hard links."""
    needed = GIGABYTES.get(lock, 1)
    problems = []
    for folder in {device(folder): existing(folder) for folder in reversed(folders)}.values():
        free = shutil.disk_usage(str(folder)).free / 1e9
        if free < needed:
            problems.append(
                f"the packages need {needed} GB in {folder}, where {free:.1f} GB are free: make room, or move the "
                "checkout; UV_CACHE_DIR says where what is downloaded is kept"
            )
    return problems


def settings(cache: Path) -> dict[str, str]:
    """Return the variables that uv reads: the system's certificates where there are any, else those within uv."""
    named = any(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
    trusts_system = named or any(Path(path).is_file() for path in CERTIFICATES)
    return {"UV_CACHE_DIR": str(cache), "UV_SYSTEM_CERTS": "1" if trusts_system else "0", "UV_NO_PROGRESS": "1"}


def library_problems() -> list[str]:
    """Return what is wrong with the C library, of which wheels need one kind, and not too old."""
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        if tuple(map(int, version.split("."))) >= GLIBC:
            return []
    except (ValueError, OSError):
        name, version = "not glibc", ""
    needed = ".".join(map(str, GLIBC))
    found = f"{name} {version}".strip()
    remedy = "run in the image (./reproduce.sh --docker)"
    return [f"the C library is {found}, and the packages need glibc {needed} or newer: {remedy}"]


def main(lock: str, environment: Path) -> None:
    """Print the settings; with a problem, say every one and end with 2."""
    told = system()
    cache = cache_folder(environment)
    problems = []
    if lock in GIGABYTES:
        problems += library_problems()
        missing = told.lacking(accelerated=lock == "cuda")
        if missing:
            problems.append(f"{told.sentence(missing)}: {told.remedy(missing)} (other ways: docs/install.md)")
    problems += disk_problems(lock, [environment.absolute(), cache])
    for problem in problems:
        sys.stderr.write(f"install: {problem}\n")
    if problems:
        sys.exit(2)
    for name, value in settings(cache).items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
