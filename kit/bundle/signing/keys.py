"""Key files: the user's own SSH key, or one that the kit makes."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_ssh_private_key

from kit.bundle.signing.allowed import KEY_TYPE
from kit.bundle.signing.public_key import from_ssh_base64, ssh_line, to_pem
from kit.core.errors import CheckFailed, OperationalError
from kit.core.paths import open_at_once

_MAX_KEY_FILE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class KeySigner:
    """Signs with a private key in memory."""

    key: Ed25519PrivateKey

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return self.key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return self.key.sign(message)


def load_private_key(path: Path, passphrase: bytes | None = None) -> KeySigner:
    """Read an OpenSSH private key file.

    Raises:
        CheckFailed: it is not an Ed25519 private key, or others than its owner may read it.
        OperationalError: it cannot be read, or the passphrase is missing or wrong.
    """
    data = read_private_file(path, "check the name, or make a key: `kit keygen PATH`")
    try:
        key = load_ssh_private_key(data, passphrase)
    except TypeError as error:
        what, remedy = ("is encrypted", "give its passphrase") if passphrase is None else ("is not encrypted", "")
        raise OperationalError.of(path, what, remedy) from error
    except UnsupportedAlgorithm as error:
        remedy = f"install the package bcrypt, or sign with another key: `kit keygen {path}.kit`"
        raise OperationalError.of(path, "is encrypted, and what decrypts it is not installed", remedy) from error
    except ValueError as error:
        if passphrase is not None:
            raise OperationalError.of(path, "cannot be opened with this passphrase") from error
        raise CheckFailed.of(path, "is not an OpenSSH private key", "`kit keygen PATH` makes one") from error
    if not isinstance(key, Ed25519PrivateKey):
        remedy = "only Ed25519 keys sign bundles: `kit keygen PATH` makes one"
        raise CheckFailed.of(path, f"is not an Ed25519 key ({type(key).__name__})", remedy)
    return KeySigner(key)


def read_public_key(path: Path) -> bytes | None:
    """Return the Ed25519 key of a `.pub` file, or None for a file that is none.

    Raises:
        CheckFailed: it is a public key of another kind.
    """
    try:
        with open_at_once(path) as stream:
            words = stream.read(_MAX_KEY_FILE_BYTES).decode(errors="replace").split()
    except OSError:
        return None  # whoever reads it as a private key says so
    if len(words) < 2 or not KEY_TYPE.fullmatch(words[0]):
        return None
    try:
        return from_ssh_base64(words[1])
    except ValueError as error:
        remedy = "only Ed25519 keys sign bundles: `kit keygen PATH` makes one"
        raise CheckFailed.of(path, f"{error} ({words[0]})", remedy) from error


def generate_key(path: Path, comment: str) -> KeySigner:
    """Make a key: `path` (private, OpenSSH), `path.pub` (for ssh-keygen) and `path.pem` (public, for openssl).

    Raises:
        OperationalError: one of the files exists, or cannot be written.
    """
    signer = KeySigner(Ed25519PrivateKey.generate())
    private = signer.key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    line = f"{ssh_line(signer.public_key)} {comment}".rstrip() + "\n"
    files = {"": (private, 0o600), ".pub": (line.encode(), 0o644), ".pem": (to_pem(signer.public_key), 0o644)}
    places = {Path(f"{path}{ending}"): content for ending, content in files.items()}
    if existing := [place for place in places if place.exists()]:
        raise OperationalError.of(existing[0], "exists", "choose another name: a key is never overwritten")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for place, (data, mode) in places.items():
            write_new_file(place, data, mode)
    except OSError as error:
        raise OperationalError.of(error.filename, f"cannot be written ({error.strerror})") from error
    return signer


def write_new_file(path: Path, data: bytes, mode: int) -> None:
    """Write a file whole or not at all: half a key would be found by the next run, and be of no use to it.

    Raises:
        OSError: the name is taken, or the file cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
            stream.write(data)
        path.hardlink_to(unfinished)  # fails where the name is taken
    finally:
        unfinished.unlink(missing_ok=True)


def read_private_file(path: Path, remedy: str) -> bytes:
    """Return the bytes of a small file that nobody but its owner may read.

    Raises:
        CheckFailed: others may read it.
        OperationalError: it cannot be read; `remedy` says what to do.
    """
    try:
        with open_at_once(path) as stream:
            mode = os.fstat(stream.fileno()).st_mode
            data = stream.read(_MAX_KEY_FILE_BYTES)
    except OSError as error:
        raise OperationalError.of(path, f"cannot be read ({error.strerror})", remedy) from error
    # As ssh does: a key that others could have copied proves nothing. Windows keeps who may read elsewhere.
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise CheckFailed.of(path, "may be read by others than its owner", f"chmod 600 {path}")
    return data
