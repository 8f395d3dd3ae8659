"""One more judge for a manifest that is pinned already."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, cast

from kit.core.errors import CheckFailed, Problem, child_path
from kit.spec.judges import judge_kind
from kit.spec.manifest import schema
from kit.spec.manifest.files import judge_files, source_problems
from kit.spec.manifest.judge_check import asking_problems
from kit.spec.manifest.judge_rules import rules_of, rules_problems
from kit.spec.manifest.load import document_problems
from kit.spec.manifest.model import Manifest
from kit.spec.manifest.pin import pin_files

if TYPE_CHECKING:
    from kit.core.canonical import Json
    from kit.spec.hub.interface import Hub
    from kit.spec.manifest.parts import Document
    from kit.spec.manifest.places import Places


def with_judge(
    document: Document, name: str, entry: Json, places: Places, where: str, hub: Hub | None = None
) -> Document:
    """Return a pinned document with one judge more, which judges every evaluation that its kind can judge.

    Args:
        document: a valid, pinned manifest; its own files need not be here.
        name: of the judge.
        entry: as it would stand in `judges`; digests and what has a default may be left out.
        places: where the entry's files lie.
        where: the file that the entry stands in, for what is wrong with it.
        hub: who is asked about repositories; None refuses an entry that names one.

    Raises:
        CheckFailed: the name is taken, the entry is not valid, or its files are missing or others than were pinned.
        OperationalError: a file cannot be read.
    """
    if name in document["judges"]:
        what = f"the bundle has a judge of the name {name!r} already"
        raise CheckFailed.of(where, what, "choose another name: what it said stays beside what this one says")
    place = child_path("$.judges", name)
    filled: dict[str, Json] = {}
    draft = copy.deepcopy(document)
    draft["judges"][name] = copy.deepcopy(entry)
    full = cast("Document", schema.with_defaults(draft)[0])
    if problems := document_problems(full, where, draft=True):
        raise CheckFailed(_within(problems, place))
    judge = full["judges"][name]
    problems = pin_files(places, judge_files(judge, place), where, filled, hub)
    rules, wrong = rules_of(judge, where, place)
    if problems := problems + wrong:
        raise CheckFailed(_within(problems, place))
    if judge.get("rules") is None:
        judge["rules"] = rules
    judges = judge_kind(judge["kind"]).evaluation
    fitting = [one for one in full["evaluations"].values() if one["kind"] == judges]
    if not fitting:
        problems.append(Problem(where, f"a judge of the kind {judge['kind']!r} can judge no evaluation of the bundle"))
    for evaluation in fitting:
        evaluation["judges"].append(name)
    problems = problems or document_problems(full, where) or source_problems(judge_files(judge, place), places, where)
    if not problems:
        choice = Manifest.from_json(full).judges[name]
        problems = rules_problems(choice, where, place)
        problems += asking_problems(places, choice.asked, where, place) if choice.asked else []
    if problems:
        raise CheckFailed(_within(problems, place))
    return full


def _within(problems: list[Problem], place: str) -> list[Problem]:
    """Return the problems with their paths inside the entry, which stands in a file of its own."""
    return [
        Problem(one.where, one.what, one.remedy, f"${one.path.removeprefix(place)}")
        if one.path.startswith(place)
        else one
        for one in problems
    ]
