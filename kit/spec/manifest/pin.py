"""From a draft to a pinned manifest: defaults, digests, rules of the judges, environment."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from msgspec import structs

from kit.core.canonical import Json, read_json
from kit.core.errors import CheckFailed, OperationalError, Problem, child_path
from kit.core.paths import UnsafePathError
from kit.spec.chat import shipped
from kit.spec.judges import asks_model
from kit.spec.manifest import schema
from kit.spec.manifest.files import TEMPLATE, NamedFiles, is_source, named_files, outside_remedy, usability_problems
from kit.spec.manifest.judge_rules import rules_of
from kit.spec.manifest.load import document_problems, loaded
from kit.spec.manifest.parts import Model, Source
from kit.spec.manifest.pin_folder import fill_in
from kit.spec.manifest.pin_hub import is_pinned, pin_repo
from kit.spec.manifest.places import Places
from kit.spec.manifest.templates import reads_clock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kit.spec.hub.interface import Hub
    from kit.spec.manifest.parts import Document


@dataclass(frozen=True, slots=True)
class Pinned:
    """A pinned document, and what `kit pin` filled in, by JSON path."""

    document: dict[str, Json]
    filled: dict[str, Json]


def pin(path: Path, environment: dict[str, Json], places: Places | None = None, hub: Hub | None = None) -> Pinned:
    """Resolve a draft; a manifest that is pinned already comes out as it went in.

    Args:
        path: the draft.
        environment: this machine's.
        places: where its files lie; below its own folder unless something else is said.
        hub: who is asked about repositories; None refuses a draft that names one.

    Raises:
        OperationalError: the draft cannot be read, or the Hub does not give what it names.
        CheckFailed: the draft is not valid, or names files that do not exist or could run code.
    """
    where = str(path)
    given = read_json(path)
    full, filled = schema.with_defaults(given)
    if found := document_problems(full, where, draft=True):
        raise CheckFailed(found)
    document = cast("Document", copy.deepcopy(full))
    places = places or Places(path.parent)
    problems = pin_files(places, named_files(document), where, filled, hub)
    for name, judge in document["judges"].items():
        place = child_path("$.judges", name)
        rules, wrong = rules_of(judge, where, place)
        problems += wrong
        if judge.get("rules") is None and rules is not None:
            judge["rules"] = filled[f"{place}.rules"] = rules
    if not problems:
        _pin_dates(document, places, filled)
    if document.get("environment") is None:
        document["environment"] = environment
        filled["$.environment"] = (
            f"Python {environment['python']}, {len(cast('Document', environment['packages']))} packages"
        )
    if problems := problems or document_problems(document, where):
        raise CheckFailed(problems)
    loaded(path, places, document)
    return Pinned(document, filled)


def _pin_dates(document: Document, places: Places, filled: dict[str, Json]) -> None:
    """Fill in today for each model with a template that writes the date, a variation's template included."""
    parts = {"$.model": document["model"]} if "answers" not in document["model"] else {}
    for name, judge in document["judges"].items():
        if asks_model(judge["kind"]):
            parts[f"{child_path('$.judges', name)}.model"] = judge["model"]
    varied = [one["set"][TEMPLATE] for one in document["variations"] if is_source(one["set"].get(TEMPLATE))]
    for place, part in parts.items():
        ways = [part.get("template"), *(varied if place == "$.model" else ())]
        if part.get("template_date") is None and any(reads_clock(places, _model(part, way)) for way in ways):
            part["template_date"] = filled[f"{place}.template_date"] = datetime.now(UTC).date().isoformat()


def _model(part: Document, template: Document | None) -> Model:
    """Return the model of a document that may still be wrong, as if it were asked with this template."""
    own = Source.named_in(template) if template else None
    return Model(**structs.asdict(Source.named_in(part)), dtype=part["dtype"], template=own)


def pin_files(
    places: Places,
    sources: Iterable[tuple[NamedFiles, Document]],
    where: str,
    filled: dict[str, Json],
    hub: Hub | None = None,
) -> list[Problem]:
    """Fill in commits and digests; what is there already is left for `kit check` to compare. Return what is wrong.

    Raises:
        OperationalError: the Hub does not give what it was asked for; all problems at once.
    """
    problems: list[Problem] = []
    has_trouble = False
    for named, part in sources:
        if named.source.repo and is_pinned(part):
            continue
        try:
            whole, wrong = _listed(places, named, part, where, filled, hub)
        except OperationalError as error:
            problems += error.problems
            has_trouble = True
            continue
        wrong = wrong or usability_problems(places, whole, where)
        problems += wrong
        unknown = [] if wrong else [name for name in whole.names if part["files"][name] is None]
        for name, digest in places.digests_of(whole.source, unknown).items():
            part["files"][name] = filled[child_path(f"{named.place}.files", name)] = digest
    if has_trouble:
        raise OperationalError(problems)
    return problems


def _listed(
    places: Places, named: NamedFiles, part: Document, where: str, filled: dict[str, Json], hub: Hub | None
) -> tuple[NamedFiles, list[Problem]]:
    """Return a source whose files are known and, if they are on the Hub, here; and what is wrong."""
    if named.source.repo:
        if hub is None:
            return named, [
                Problem(where, "lies on the Hub, whose files have no place here", "set HF_HOME", f"{named.place}.repo")
            ]
        return pin_repo(named, part, where, filled, places, hub)
    if named.source.shipped is not None:
        part["files"] = part.get("files") or {shipped.file_name(named.source.shipped): None}
    if part.get("files") is None:
        try:
            wrong = fill_in(places, named, part, where, filled)
        except UnsafePathError as error:
            wrong = [Problem(where, str(error), outside_remedy(places, named), f"{named.place}.path")]
        if wrong:
            return named, wrong
    return replace(named, names=tuple(part["files"])), []
