"""From a file to a `Manifest`, or to every reason why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from kit.core.canonical import read_json
from kit.core.cells import BASE, TUNED
from kit.core.digests import json_digest
from kit.core.errors import CheckFailed, Problem
from kit.spec.manifest import schema
from kit.spec.manifest.limits import cell_problems, value_problems
from kit.spec.manifest.model import Manifest
from kit.spec.manifest.places import Places
from kit.spec.manifest.pointer import PointerError, patched
from kit.spec.manifest.references import name_problems, reference_problems, variation_problems

if TYPE_CHECKING:
    from pathlib import Path

    from kit.core.canonical import Json
    from kit.spec.manifest.parts import Document


class DraftGiven(CheckFailed):
    """A draft was given where a pinned manifest is needed; all that it lacks can be filled in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedManifest:
    """A pinned manifest and where it stands."""

    path: Path
    places: Places
    """Where its files lie."""
    document: dict[str, Json]
    """As the file has it, remarks included."""
    manifest: Manifest
    arms: dict[str, Manifest]
    """Every arm and the manifest that it follows: base, tuned, and each variation's patched one."""

    @property
    def digest(self) -> str:
        """Identity of the manifest, whatever its remarks and its layout."""
        return json_digest(self.manifest.to_json())


def load_manifest(path: Path, places: Places | None = None) -> LoadedManifest:
    """Read a pinned manifest, whose files lie in these places, or below its own folder.

    Raises:
        OperationalError: the file cannot be read.
        DraftGiven: it is a valid draft.
        CheckFailed: it is not a valid, pinned manifest; all problems at once.
    """
    return checked_manifest(read_json(path), path, places or Places(path.parent))


def checked_manifest(document: Json, path: Path, places: Places) -> LoadedManifest:
    """Return a document as the pinned manifest that it is; problems are told with `path` as its place.

    Raises:
        CheckFailed: it is not a valid, pinned manifest; all problems at once.
    """
    found = document_problems(document, str(path))
    if found:
        if not document_problems(schema.with_defaults(document)[0], str(path), draft=True):
            what = f"this is a draft: {len(found)} values are not filled in, the first is {found[0].path}"
            raise DraftGiven.of(path, what, f"`kit pin {path}` fills them in")
        raise CheckFailed(found)
    return loaded(path, places, cast("Document", document))


def document_problems(document: Json, where: str, *, draft: bool = False) -> list[Problem]:
    """Return what is wrong with the shape and the names of a document, which may still be a draft."""
    if too_large := value_problems(document, where):
        return too_large
    shape = schema.problems(document, where, draft=draft)
    said = {problem.path for problem in shape}
    return shape + [problem for problem in name_problems(document, where) if problem.path not in said]


def loaded(path: Path, places: Places, document: Document) -> LoadedManifest:
    """Return the manifest that a document is, whose shape and names are right.

    Raises:
        CheckFailed: values do not fit each other, or a variation is wrong; all problems at once.
    """
    where = str(path)
    manifest = Manifest.from_json(document)
    problems = reference_problems(manifest, where)
    # What is wrong without a patch too is said once.
    known = {(problem.what, problem.path) for problem in problems}
    arms = {BASE: manifest} | ({TUNED: manifest} if manifest.finetune else {})
    for index, variation in enumerate(manifest.variations):
        place = f"$.variations[{index}].set"
        try:
            varied = patched(document, variation.set)
        except PointerError as error:
            problems.append(Problem(where, str(error), "", place))
            continue
        of_variation = f"{where} (variation {variation.name!r})"
        if wrong := document_problems(varied, of_variation):
            problems.extend(wrong)
            continue
        arms[variation.name] = Manifest.from_json(varied)
        again = [
            *reference_problems(arms[variation.name], of_variation),
            *variation_problems(manifest, arms[variation.name], of_variation),
        ]
        problems.extend(problem for problem in again if (problem.what, problem.path) not in known)
    problems += cell_problems(arms, where)
    if problems:
        raise CheckFailed(problems)
    return LoadedManifest(path=path, places=places, document=document, manifest=manifest, arms=arms)
