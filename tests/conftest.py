"""What all tests share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from real_kit import kit

# A shell that starts the tests in the background leaves SIGINT ignored, and every child would inherit that: a run under
# test could then not be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which runs with the real parts leave their bundles and their key."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def quickstart_bundle(home: Path) -> Path:
    """Run the quickstart once, outside of any container."""
    manifest = Path(__file__).parents[1] / "manifests/quickstart.json"
    result = kit("reproduce", manifest, "--out", home / "first", home=home)
    assert result.stdout.splitlines()[-1].startswith("results digest: sha256:")
    return home / "first"
