"""A Docker Engine for the tests: the one that answers, else one of the tests' own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).parents[1]
SCRIPTS = CHECKOUT / "tests/image"
NEEDED = ("dockerd", "debootstrap")


class Engine:
    """A client of one Docker Engine."""

    def __init__(self, host: str | None) -> None:
        # A client on the path may lack BuildKit; Debian's own, which came with the engine, has it.
        clients = f"/usr/bin{os.pathsep}{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": clients, "DOCKER_BUILDKIT": "1"}
        if host:
            self._environment["DOCKER_HOST"] = host

    def docker(self, *arguments: object, code: int | None = 0, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the client, and hold it to an exit code."""
        return self._run("docker", *arguments, code=code, **options)

    def build(self, lock: str, name: str, *, checkout: Path = CHECKOUT) -> None:
        """Build the image of a checkout on the stand-in base."""
        self._run(checkout / "tests/image/build.sh", lock, name)

    def inspect(self, image: str) -> dict[str, Any]:
        """Return what the engine knows of an image."""
        return json.loads(self.docker("image", "inspect", image).stdout)[0]  # type: ignore[no-any-return]

    def answers(self) -> bool:
        """Tell whether there is an engine at all."""
        return self.docker("version", code=None).returncode == 0

    def _run(self, *command: object, code: int | None = 0, **options: Any) -> subprocess.CompletedProcess[str]:
        words = list(map(str, command))
        result = subprocess.run(words, env=self._environment, capture_output=True, text=True, check=False, **options)
        assert code in (None, result.returncode), f"{words}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
        return result


@contextmanager
def engine() -> Iterator[Engine]:
    """Yield an engine on which the image can be built from packages alone; skip where there is none."""
    if os.geteuid() != 0 or not all(map(shutil.which, NEEDED)):
        pytest.skip(
            f"building the image here needs root and {', '.join(NEEDED)}: apt-get install docker.io debootstrap"
        )
    folder = CHECKOUT / ".venv/engine"
    started = subprocess.run([SCRIPTS / "engine.sh", "start", folder], capture_output=True, text=True, check=False)
    if started.returncode != 0:
        pytest.skip(f"no Docker Engine starts here: {started.stderr.strip()}")
    try:
        yield Engine(started.stdout.strip())
    finally:
        subprocess.run([SCRIPTS / "engine.sh", "stop", folder], check=True)
