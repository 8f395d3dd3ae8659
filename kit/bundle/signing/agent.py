"""Keys that an SSH agent holds (OpenSSH, PROTOCOL.agent; draft-ietf-sshm-ssh-agent).

The agent signs and never shows the key. What it returns is checked before it is used.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.bundle.signing.public_key import (
    ALGORITHM,
    KEY_BYTES,
    SIGNATURE_BYTES,
    fingerprint,
    is_signature,
    ssh_blob,
    ssh_string,
)
from kit.core.errors import OperationalError, Problem

if TYPE_CHECKING:
    from pathlib import Path

_REQUEST_IDENTITIES, _IDENTITIES_ANSWER = 11, 12
_SIGN_REQUEST, _SIGN_RESPONSE = 13, 14
_MAX_MESSAGE_BYTES = 256 << 10
"""What OpenSSH's agent takes and gives at most."""
_SECONDS = 300
"""How long a person has to confirm."""


@dataclass(frozen=True, slots=True)
class AgentSigner:
    """Signs with an Ed25519 key that the agent behind a socket holds."""

    path: Path
    """Of the agent's socket."""
    public_key: bytes
    """The 32 bytes of the public key."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message.

        Raises:
            OperationalError: the agent is gone, refuses, or gives another signature; or the message is too long for it.
        """
        request = ssh_string(ssh_blob(self.public_key)) + ssh_string(message) + bytes(4)
        if len(request) >= _MAX_MESSAGE_BYTES:
            what = f"takes at most {_MAX_MESSAGE_BYTES} bytes at a time, and this bundle's statement is longer"
            raise OperationalError.of(self.path, what, "sign with a key file: --key FILE")
        remedy = "is it locked (`ssh-add -X`), or did nobody confirm? --key names another key"
        answer = _ask(self.path, _SIGN_REQUEST, request, _SIGN_RESPONSE, remedy)
        signature = answer[-SIGNATURE_BYTES:]
        whole = ssh_string(ssh_string(ALGORITHM) + ssh_string(signature))
        if answer != whole or not is_signature(self.public_key, signature, message):
            raise OperationalError.of(
                self.path, "gave something that is not this key's signature", "sign with a key file"
            )
        return signature


def agent_signer(path: Path, wanted: str) -> AgentSigner:
    """Return the signer for a key that the agent at `path` holds; `wanted` is its fingerprint, `SHA256:…`.

    Raises:
        OperationalError: there is no agent, or it does not hold that Ed25519 key.
    """
    held = {fingerprint(key): key for key in _held(path)}
    if wanted not in held:
        listed = ", ".join(held) or "none"
        raise OperationalError.of(path, f"does not hold the Ed25519 key {wanted}", f"ssh-add adds it; it has: {listed}")
    return AgentSigner(path, held[wanted])


def _held(path: Path) -> list[bytes]:
    """Return the Ed25519 keys that the agent at `path` holds."""
    answer = _ask(path, _REQUEST_IDENTITIES, b"", _IDENTITIES_ANSWER, "unlock it: `ssh-add -X`")
    blobs: list[bytes] = []
    rest = answer[4:]
    for _ in range(int.from_bytes(answer[:4], "big")):
        blob, rest = _string(rest, path)
        _, rest = _string(rest, path)
        blobs.append(blob)
    return [blob[-KEY_BYTES:] for blob in blobs if blob == ssh_blob(blob[-KEY_BYTES:])]


def _string(data: bytes, path: Path) -> tuple[bytes, bytes]:
    """Split what begins with an SSH string into that and the rest."""
    end = 4 + int.from_bytes(data[:4], "big")
    if len(data) < 4 or len(data) < end:
        raise _no_agent(path)
    return data[4:end], data[end:]


def _ask(path: Path, kind: int, content: bytes, expected: int, remedy: str) -> bytes:
    """Send one message to the agent and return the content of its answer, which must be of the expected kind."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SECONDS)
            connection.connect(str(path))
            connection.sendall(ssh_string(bytes([kind]) + content))
            with connection.makefile("rb") as stream:
                size = int.from_bytes(stream.read(4), "big")
                answer = stream.read(min(size, _MAX_MESSAGE_BYTES))
    except OSError as error:
        what = f"is not an SSH agent that answers ({error.strerror or 'it took too long'})"
        raise OperationalError.of(path, what, "start one: eval $(ssh-agent); ssh-add") from error
    if not answer or len(answer) != size:
        raise _no_agent(path)
    if answer[0] != expected:
        raise OperationalError.of(path, "refused", remedy)
    return answer[1:]


def _no_agent(path: Path) -> OperationalError:
    return OperationalError([Problem(str(path), "does not speak as an SSH agent does", "check SSH_AUTH_SOCK")])
