"""`kit pin`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from kit.cli.present import errors_as_json, json_option, show_json


def pinned_path(draft: Path) -> Path:
    """Return where a pinned draft goes: `x.draft.json` becomes `x.json`, anything else `x.pinned.json`."""
    stem = draft.name.removesuffix(".json")
    return draft.with_name(f"{stem.removesuffix('.draft')}.json" if stem.endswith(".draft") else f"{stem}.pinned.json")


@click.command("pin")
@click.argument("draft", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the pinned manifest.")
@json_option
def command(draft: Path, out: Path | None, *, as_json: bool) -> None:
    """Fill in a draft: defaults, digests, this environment.

    Writes x.json for x.draft.json, and x.pinned.json for x.json. A manifest that is pinned already stays as it is.
    """
    from kit.cli.environ import environment, hub, places
    from kit.spec.manifest.pin import pin

    with errors_as_json(as_json=as_json):
        pinned = pin(draft, environment(), places(draft.parent), hub())
        target = out or pinned_path(draft)
        target.write_text(
            json.dumps(pinned.document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n"
        )
    if as_json:
        show_json({"ok": True, "manifest": str(target), "filled": pinned.filled})
        return
    for path, value in pinned.filled.items():
        click.echo(f"{path} = {json.dumps(value, ensure_ascii=False)}")
    click.echo(f"wrote {target}: {len(pinned.filled)} values filled in; next: kit check {target}")
