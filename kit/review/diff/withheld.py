"""Bundles whose texts are withheld: how far they can be compared, and both sides brought into one form for it.

Under one key the same text in the same record has the same commitment, so two redactions by one key are compared
without it; a whole bundle and a redaction, by whoever holds the key. Else only lengths and verdicts are left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kit.bundle.streamed import ChangedRows
from kit.core.errors import CheckFailed, Problem
from kit.review.diff.evidence import Change, Compared, Influence
from kit.review.redact.anonymous import anonymous_environment, anonymous_manifest
from kit.review.redact.withhold import withhold
from kit.spec.manifest.model import Manifest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json
    from kit.core.rows import Completion
    from kit.review.redact.commitment import RedactionKey


@dataclass(frozen=True, slots=True)
class Comparable:
    """Two bundles in one form."""

    a: Contents
    b: Contents
    compared: Mapping[str, Compared]
    """By which means, for each evaluation that both have."""
    changes: tuple[Change, ...]
    """Evaluations of which cannot be told whether they ask the same."""


def comparable(a: Contents, b: Contents, key: RedactionKey | None) -> Comparable:
    """Bring two bundles into one form.

    Raises:
        CheckFailed: a redaction was made with another key than the one that is given.
    """
    if key and (problems := [_other_key(one) for one in (a, b) if one.redaction and one.redaction.key != key.id]):
        raise CheckFailed(problems)
    a, b = _with_the_same_left_out(a, b)
    common = sorted(set(a.prompts) & set(b.prompts))
    compared = {name: _means(name, a, b, key) for name in common}
    committed = [name for name in common if compared[name] is Compared.COMMITMENTS]
    measured = [name for name in common if compared[name] is Compared.LENGTHS]
    changes = tuple(_from_other_files(name) for name in measured if _data(a, name) != _data(b, name))
    if key:
        a, b = (withhold(one, committed, key) for one in (a, b))
    return Comparable(_lengths_only(a, measured), _lengths_only(b, measured), compared, changes)


def _means(evaluation: str, a: Contents, b: Contents, key: RedactionKey | None) -> Compared:
    """Return by which means the texts of an evaluation can be compared."""
    redactions = [one.redaction for one in (a, b) if one.redaction and evaluation in one.withheld]
    if not redactions:
        return Compared.TOKENS
    same_key = len(redactions) > 1 and len({one.key for one in redactions}) == 1
    return Compared.COMMITMENTS if key or same_key else Compared.LENGTHS


def _lengths_only(contents: Contents, evaluations: Collection[str]) -> Contents:
    """Leave of the rows of some evaluations what a redacted bundle says in the clear."""
    return replace(
        contents,
        prompts={
            name: [replace(row, text="", answer=None, withheld=None) for row in rows] if name in evaluations else rows
            for name, rows in contents.prompts.items()
        },
        completions={
            cell: ChangedRows(rows, _length_only) if cell.evaluation in evaluations else rows
            for cell, rows in contents.completions.items()
        },
    )


def _length_only(row: Completion) -> Completion:
    tokens = len(row.token_ids) if row.tokens is None else row.tokens
    # Of what decides how a prompt reaches the model, the template is what is left to compare.
    return replace(row, text="", token_ids=(), tokens=tokens, prompt_tokens=row.template, withheld=None)


def _data(contents: Contents, evaluation: str) -> Json:
    """Return what decides the prompts of an evaluation, wherever the files lie and whatever they are called."""
    data = contents.manifest.data[contents.manifest.evaluations[evaluation].data]
    digests: list[Json] = [digest for _, digest in sorted(data.source.files.items())]
    return [digests, data.format, data.rows.to_json()]


def _from_other_files(evaluation: str) -> Change:
    path = f"the prompts of {evaluation}, which are withheld and come from other files"
    return Change("prompts", path, None, None, Influence.EXPERIMENT, "whether they are the same, the key would tell")


def _with_the_same_left_out(a: Contents, b: Contents) -> tuple[Contents, Contents]:
    """Leave out of both what one of them leaves out: that is no difference between the runs."""
    redactions = [one.redaction for one in (a, b) if one.redaction]
    if not all(redaction.adapters for redaction in redactions):
        a, b = _without_losses(a), _without_losses(b)
    if any(redaction.anonymous for redaction in redactions):
        a, b = _anonymous(a), _anonymous(b)
    return a, b


def _without_losses(contents: Contents) -> Contents:
    traces = contents.training.items()
    kept = {weights: {name: one for name, one in trace.items() if name != "losses"} for weights, trace in traces}
    return replace(contents, training=kept)


def _anonymous(contents: Contents) -> Contents:
    return replace(
        contents,
        manifest=Manifest.from_json(anonymous_manifest(contents.manifest.to_json())),
        environment=anonymous_environment(contents.environment),
    )


def _other_key(contents: Contents) -> Problem:
    where = f"the redaction of {contents.redaction.original if contents.redaction else ''}"
    return Problem(where, "was made with another key", "name that key, or leave --key out")
