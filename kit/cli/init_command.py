"""`kit init`."""

from __future__ import annotations

from pathlib import Path

import click

from kit.errors import Trouble


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), default=Path("manifest.draft.json"))
def command(path: Path) -> None:
    """Write a commented starter draft: PATH (manifest.draft.json)."""
    from kit.manifest.starter import starter_text

    if path.exists():
        raise Trouble.of(path, "exists already", "choose another name")
    try:
        path.write_text(starter_text(), encoding="utf-8")
    except OSError as error:
        raise Trouble.of(path, f"cannot be written ({error.strerror})", "choose another place") from error
    click.echo(f"wrote {path}: edit it, then run: kit pin {path}")
