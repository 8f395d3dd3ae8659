"""The rules of a judge: what it judges by here, against what was pinned. Whoever verifies needs this alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.errors import Problem
from kit.core.plugins import is_plugin
from kit.spec.judges import find_kind, judge_of, missing_kind, missing_remedy, settings_of
from kit.spec.manifest import schema

if TYPE_CHECKING:
    from kit.spec.judges.interface import Settings
    from kit.spec.manifest.model import JudgeChoice


def rules_of(entry: Settings, where: str, place: str) -> tuple[str | None, list[Problem]]:
    """Return the rules that a judge would judge by here, or why it cannot.

    Args:
        entry: of a manifest's `judges`, whose shape is right.
        where: the manifest.
        place: the JSON path of the entry.
    """
    kind = find_kind(entry["kind"])
    if kind is None:
        name = entry["kind"]
        return None, [Problem(where, missing_kind(name), missing_remedy(name), f"{place}.kind")]
    if is_plugin(kind.name):
        told = {"type": "object", "properties": kind.fields, "required": [*kind.fields], "additionalProperties": False}
        if wrong := schema.part_problems(settings_of(entry), told, where, f"{place}.settings"):
            return None, wrong
    return judge_of(entry).rules, []


def rules_problems(judge: JudgeChoice, where: str, place: str) -> list[Problem]:
    """Return that a judge was pinned with other rules than this kit's, or is not installed."""
    rules, wrong = rules_of(judge.to_json(), where, place)
    if wrong or rules == judge.rules:
        return wrong
    what = f"was pinned with {judge.rules}; this kit's judge has {rules}"
    return [Problem(where, what, "install the kit that pinned it, or pin the manifest anew", f"{place}.rules")]
