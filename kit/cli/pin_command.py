"""`kit pin`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from kit.cli.present import errors_as_json, json_option, show_json


@click.command("pin")
@click.argument("draft", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the pinned manifest.")
@json_option
def command(draft: Path, out: Path | None, *, as_json: bool) -> None:
    """Fill in a draft: defaults, digests, this environment.

    Writes x.json for x.draft.json, and x.pinned.json for x.json. A manifest that is pinned already stays as it is.
    """
    from kit.cli.pinning import pinned, pinned_path, write_pinned

    with errors_as_json(as_json=as_json):
        found = pinned(draft)
        target = out or pinned_path(draft)
        write_pinned(found, target)
    if as_json:
        show_json({"ok": True, "manifest": str(target), "filled": found.filled})
        return
    for path, value in found.filled.items():
        click.echo(f"{path} = {json.dumps(value, ensure_ascii=False)}")
    click.echo(f"wrote {target}: {len(found.filled)} values filled in; next: kit check {target}")
