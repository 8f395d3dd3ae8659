"""`kit keygen`."""

from __future__ import annotations

from pathlib import Path

import click

from kit.core.errors import OperationalError


@click.command("keygen")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--comment", default="kit", show_default=True, help="Stands behind the public key.")
def command(path: Path, comment: str) -> None:
    """Make an Ed25519 key: PATH, PATH.pub (ssh), PATH.pem.

    PATH is the private key; PATH.pem is the public one, for openssl.
    """
    from kit.bundle.signing.keys import generate_key
    from kit.bundle.signing.public_key import fingerprint

    if not comment.isprintable():
        raise OperationalError.of(
            "--comment", "is not a line of printable text", "leave it out, or use letters and digits"
        )
    signer = generate_key(path, comment)
    click.echo(f"{fingerprint(signer.public_key)}  {path}")
