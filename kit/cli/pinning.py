"""A draft is pinned, and written beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from kit.spec.manifest.pin import Pinned


def pinned_path(draft: Path) -> Path:
    """Return where a pinned draft goes: `x.draft.json` becomes `x.json`, anything else `x.pinned.json`."""
    stem = draft.name.removesuffix(".json")
    return draft.with_name(f"{stem.removesuffix('.draft')}.json" if stem.endswith(".draft") else f"{stem}.pinned.json")


def pinned(draft: Path, root: Path | None = None) -> Pinned:
    """Pin a draft to this machine; its files lie in `root`, or beside it.

    Raises:
        OperationalError: it cannot be read, or the Hub does not give what it names.
        CheckFailed: it is not valid, or names files that do not exist.
    """
    from kit.cli.environ import environment, hub, places
    from kit.spec.manifest.pin import pin

    return pin(draft, environment(), places(root or draft.parent), hub())


def write_pinned(found: Pinned, target: Path) -> None:
    """Write a pinned manifest.

    Raises:
        OSError: it cannot be written.
    """
    text = json.dumps(found.document, indent=2, ensure_ascii=False) + "\n"
    target.write_text(text, encoding="utf-8", newline="\n")
