"""Programs that tests run and no lock brings: the tests of one that is missing are skipped, and say its package."""

from __future__ import annotations

import shutil

import pytest

PACKAGES = {
    "bash": "bash",
    "openssl": "openssl",
    "pdfdetach": "poppler-utils",
    "qpdf": "qpdf",
    "ssh-add": "openssh-client",
    "ssh-agent": "openssh-client",
    "ssh-keygen": "openssh-client",
}
"""Program → Debian's and Ubuntu's package."""


def tool(name: str) -> str:
    """Return the name of a program that is here; skip the test where it is not."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed: apt-get install {PACKAGES[name]}")
    return name
