"""Hostile files of keys: none of them names the author, whatever a reader that is less strict would see in it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.public_key import ssh_line, to_pem

if TYPE_CHECKING:
    from collections.abc import Iterator

AUTHOR, OTHER = FixedSigner(1), FixedSigner(2)
A, B = ssh_line(AUTHOR.public_key), ssh_line(OTHER.public_key)
_DER = base64.b64decode("".join(to_pem(AUTHOR.public_key).decode().splitlines()[1:-1]))
_SEPARATORS = {"carriage return": "\r", "vertical tab": "\v", "form feed": "\f", "file separator": "\x1c"}
_SEPARATORS |= {"next line": "\x85", "line separator": "\u2028", "paragraph separator": "\u2029"}


def _lines() -> Iterator[tuple[str, str]]:
    """Yield what ssh-keygen does not take for the author's key either."""
    for name, separator in _SEPARATORS.items():
        yield f"in a comment, behind a {name}", f"# gone: {separator}alice {A}\nbob {B}\n"
        yield f"behind another key and a {name}", f"bob {B} his {separator}alice {A}\n"
    for name, space in {"no-break space": "\u00a0", "ideographic space": "\u3000", "em space": "\u2003"}.items():
        yield f"behind a {name}", f"alice{space}{A}\n"
    yield "expired", f'alice valid-before="20200101Z" {A}\n'
    yield "expired somewhere", f'alice valid-before="20200101" {A}\n'
    yield "not yet valid", f'alice valid-after="29990101Z" {A}\n'
    yield "no day", f'alice valid-before="20259999Z" {A}\n'
    yield "authority", f"alice cert-authority {A}\n"
    yield "AUTHORITY", f"alice CERT-AUTHORITY {A}\n"
    yield "another namespace", f'alice namespaces="git" {A}\n'
    yield "every namespace but ours", f'alice namespaces="*,!kit-*" {A}\n'
    yield "no namespace", f'alice namespaces="" {A}\n'
    yield "namespaces with a space", f'alice namespaces="git kit-bundle" {A}\n'
    yield "namespaces without quotes", f"alice namespaces=kit-bundle {A}\n"
    yield "a quote that is not closed", f'alice namespaces="git {A}\n'
    yield "quotes that close each other", f'"alice namespaces="git" {A}\n'
    yield "an option twice", f'alice namespaces="git",namespaces="kit-bundle" {A}\n'
    yield "an unknown option", f"alice restrict {A}\n"
    yield "a comma too many", f"alice cert-authority, {A}\n"
    yield "stars without end", f'alice namespaces="{"*" * 60}x" {A}\n'
    yield "quotes without end", '"' + '\\"' * 500_000
    yield "options without end", "alice " + "cert-authority," * 60_000 + f" {A}\n"
    yield "100,000 lines that are none", "x y z\n" * 100_000
    yield "a security key", f"alice sk-ssh-ed25519@openssh.com {A.split()[1]}\n"
    yield "a certificate", f"alice ssh-ed25519-cert-v01@openssh.com {A.split()[1]}\n"
    yield "another kind", f"alice ssh-rsa {A.split()[1]}\n"
    yield "cut off", A[:-4] + "\n"
    yield "longer", A + "AAAA\n"
    yield "more padding", A + "====\n"
    yield "too large", "#" * (1 << 20) + f"\n{A}\n"


def _pem(der: bytes, name: str = "PUBLIC KEY") -> str:
    return f"-----BEGIN {name}-----\n{base64.b64encode(der).decode()}\n-----END {name}-----\n"


def _pems() -> Iterator[tuple[str, str]]:
    yield "PEM: an unknown kind", _pem(_DER.replace(b"\x2b\x65\x70", b"\x2b\x65\x7f"))
    yield "PEM: another curve", _pem(_DER.replace(b"\x2b\x65\x70", b"\x2b\x65\x71"))
    yield "PEM: cut off", _pem(_DER[:-1])
    yield "PEM: longer", _pem(_DER + b"x")
    yield "PEM: nothing", _pem(b"")
    yield "PEM: a certificate", _pem(_DER, "CERTIFICATE")
    yield "PEM: a private key", _pem(_DER, "PRIVATE KEY")
    yield "PEM: begins", "-----BEGIN"
    yield "PEM: two", to_pem(OTHER.public_key).decode() + to_pem(AUTHOR.public_key).decode()
    yield "PEM: a line of keys behind", to_pem(OTHER.public_key).decode() + A
    yield (
        "PEM: an explicit curve",
        _pem(bytes.fromhex("304b300706072a8648ce3d0201") + b"\x06\x09\x2b\x24\x03\x03\x02\x08\x01\x01\x01" + bytes(60)),
    )
    yield "PEM: nested without end", _pem(b"\x30\x80" * 10_000)


KEYS = {label: text.encode() for label, text in (*_lines(), *_pems())}
