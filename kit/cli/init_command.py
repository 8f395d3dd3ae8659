"""`kit init`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from kit.core.errors import OperationalError


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), default=Path("manifest.draft.json"))
@click.option(
    "--for",
    "kind",
    type=click.Choice(("finetune", "adapter")),
    default="finetune",
    show_default=True,
    help="What you have: data to fine-tune on, or an adapter of yours.",
)
def command(path: Path, kind: str) -> None:
    """Write a commented starter draft: PATH (manifest.draft.json)."""
    from kit.spec.manifest.starter import starter_text

    if os.path.lexists(path):
        raise OperationalError.of(path, "exists already", "choose another name")
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(starter_text(kind))
    except OSError as error:
        raise OperationalError.of(path, f"cannot be written ({error.strerror})", "choose another place") from error
    click.echo(f"wrote {path}: edit it, then run: kit pin {path}")
