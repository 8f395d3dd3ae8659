"""The kit as a user has it: a process of its own."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def kit(*arguments: object, home: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the kit, with its configuration in a folder of the test's, and hold it to an exit code."""
    result = subprocess.run(
        [sys.executable, "-m", "kit", *map(str, arguments)],
        env={**os.environ, "XDG_CONFIG_HOME": str(home / "config")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code, result.stderr
    return result


def build_type(bundle: Path) -> str:
    """Return how a bundle's signed statement says that it was made."""
    envelope = json.loads((bundle / "signatures/statement.dsse.json").read_text())
    statement = json.loads(base64.b64decode(envelope["payload"]))
    return str(statement["predicate"]["buildDefinition"]["buildType"])
