"""Fetches uv, checked against the hashes of a lock, without pip: `fetch.py LOCK FOLDER` makes FOLDER/bin/uv.

From a wheel in locks/wheels, else from the package index: the one that uv's own variables name, else PyPI. For any
Python from 3.8 on, whatever parts of it a distribution leaves out.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import os
import re
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path
from typing import NoReturn

WHEELS = Path(__file__).resolve().parent / "wheels"
CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where distributions keep the certificates that downloads are trusted by."""
PLATFORM = "manylinux_2_17_x86_64"
SECONDS = 60


def trust() -> ssl.SSLContext:
    """Return whom to trust: whom this Python does, and whom the system does, which not every Python finds.

    A minimal system has no certificates at all. What comes is held against a hash in any case, so it may come then.
    """
    context = ssl.create_default_context()
    default = ssl.get_default_verify_paths()
    for path in CERTIFICATES:
        if Path(path).is_file():
            context.load_verify_locations(path)
    if not context.get_ca_certs() and not (default.capath and any(Path(default.capath).glob("*.0"))):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def fetch(url: str) -> bytes:
    """Return what a URL names; a user and password in it are sent as HTTP says, to those who are trusted."""
    context = trust()
    parts = urllib.parse.urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host).geturl())  # noqa: S310 - the index that the user names
    if at and context.verify_mode != ssl.CERT_NONE:
        token = base64.b64encode(urllib.parse.unquote(user).encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    with urllib.request.urlopen(request, timeout=SECONDS, context=context) as answer:  # noqa: S310
        data: bytes = answer.read()
    return data


def wheel_of(version: str) -> bytes:
    """Return the wheel of a version for this machine.

    Raises:
        LookupError: the index has none.
        OSError: it cannot be reached.
    """
    name = f"uv-{version}-py3-none-{PLATFORM}"
    for path in WHEELS.glob(f"{name}*.whl"):
        return path.read_bytes()
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL") or "https://pypi.org/simple"
    page = f"{index.rstrip('/')}/uv/"
    for link in re.findall(r'href="([^"]+)"', fetch(page).decode("utf-8", "replace")):
        url = urllib.parse.urljoin(page, html.unescape(link))
        if urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2]).startswith(name):
            return fetch(url.partition("#")[0])
    raise LookupError(f"{page} has no {name}")


def stop(what: str) -> NoReturn:
    """Say what is wrong and end with 2."""
    sys.stderr.write(f"install: {what}\n")
    sys.exit(2)


def main(lock: Path, folder: Path) -> None:
    """Put uv into a folder; with a problem, say it and end with 2."""
    text = lock.read_text(encoding="utf-8")
    (version,) = re.findall(r"^uv==(\S+)", text, re.MULTILINE)
    try:
        wheel = wheel_of(version)
    except (OSError, LookupError) as error:
        reason = getattr(error, "reason", error)
        stop(f"uv {version}, which installs the packages, cannot be downloaded ({reason}); is the network there?")
    digest = hashlib.sha256(wheel).hexdigest()
    if f"--hash=sha256:{digest}" not in text:
        stop(f"what was downloaded as uv {version} is not what {lock.name} says (SHA-256 {digest})")
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    program = folder / "bin/uv"
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        program.write_bytes(archive.read(f"uv-{version}.data/scripts/uv"))
    program.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
