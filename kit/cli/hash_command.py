"""`kit hash`."""

from __future__ import annotations

from pathlib import Path

import click

from kit.cli.present import errors_as_json, json_option, show_json
from kit.core.errors import CheckFailed, OperationalError


@click.command("hash")
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def command(path: Path, *, as_json: bool) -> None:
    """Print the xxh3_128 digest of a file, or of a folder's files."""
    from kit.core.digests import file_digest
    from kit.core.paths import UnsafePathError, regular_files

    with errors_as_json(as_json=as_json):
        try:
            if path.exists() and not path.is_dir() and not path.is_file():
                raise OperationalError.of(path, "is neither a file nor a folder", "name something that ends")
            names = regular_files(path) if path.is_dir() else [path.name]
            root = path if path.is_dir() else path.parent
            digests = {name: file_digest(root / name) for name in names}
        except UnsafePathError as error:
            raise CheckFailed.of(path, str(error)) from error
        except OSError as error:
            raise OperationalError.of(path, f"cannot be read ({error.strerror})", "check the name") from error
    if as_json:
        show_json(dict(digests))
        return
    for name, digest in digests.items():
        click.echo(f"{digest}  {name}")
