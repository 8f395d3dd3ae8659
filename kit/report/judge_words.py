"""What is said of the judges in words: the kit's own kinds say it themselves, others said it when they judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.plugins import is_plugin
from kit.spec.judges import judge_kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json


def method_of(contents: Contents, judge: str) -> str:
    """Return how a judge scores answers, as it follows “answers are scored”; of an unknown one, by whose rules."""
    kind = contents.manifest.judges[judge].kind
    if not is_plugin(kind):
        return judge_kind(kind).method
    return _said(contents, kind, "method") or f"by the rules of {kind}"


def caveat_of(contents: Contents, judge: str) -> str:
    """Return what a reader should hold against a judge, as it follows “The judge NAME”."""
    kind = contents.manifest.judges[judge].kind
    if not is_plugin(kind):
        return judge_kind(kind).caveat
    said = _said(contents, kind, "caveat") or "says nothing here of what it cannot see."
    version = _said(contents, kind, "version")
    return f"comes from outside the kit ({kind}{f', version {version}' if version else ''}), and {said}"


def _said(contents: Contents, kind: str, field: str) -> str:
    """Return what was recorded of a kind from outside when it judged; nothing where nothing was, or was withheld."""
    for record in _records(contents):
        judges = record.get("judges")
        told = judges.get(kind) if isinstance(judges, dict) else None
        value = told.get(field) if isinstance(told, dict) else None
        if isinstance(value, str):
            return value
    return ""


def _records(contents: Contents) -> Iterator[Mapping[str, Json]]:
    for record in (contents.run, *contents.readings):
        plugins = record.get("plugins")
        if isinstance(plugins, dict):
            yield plugins
