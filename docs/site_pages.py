# ruff: noqa: INP001 - a hook of mkdocs, beside the pages that it collects
"""Gives the site's pages the places that they have in the repository, so that a link works there and on the site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_LINK = re.compile(r"\]\(([^)#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take the pages at the top, below docs/ and beside manifests, and every file here that one of them links to."""
    for file in [one for one in files if one.src_dir == config.docs_dir]:
        files.remove(file)
    root = Path(config.config_file_path).parent.resolve()
    todo = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("manifests/*/README.md")]
    seen: set[Path] = set()
    while todo:
        path = todo.pop().resolve()
        if path in seen or not path.is_relative_to(root):
            continue
        seen.add(path)
        files.append(File.generated(config, path.relative_to(root).as_posix(), abs_src_path=str(path)))
        if path.suffix == ".md":
            targets = _LINK.findall(path.read_text(encoding="utf-8"))
            todo += [path.parent / one for one in targets if "://" not in one and (path.parent / one).is_file()]
    named = str(config.nav)
    rest = sorted(one.name for one in (root / "docs").glob("*.md") if f"docs/{one.name}" not in named)
    if rest:  # a page for which nobody has chosen a place is shown all the same
        config.nav.append({"More": [f"docs/{name}" for name in rest]})
    return files
