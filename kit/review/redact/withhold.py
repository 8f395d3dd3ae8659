"""Rows without their texts: which are withheld, and what stands in their place."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.bundle.streamed import ChangedRows
from kit.review.redact.commitment import Place

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import PurePosixPath

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json
    from kit.core.rows import Completion, Prompt
    from kit.review.redact.commitment import RedactionKey
    from kit.spec.manifest.model import Manifest


def not_for_publication(manifest: Manifest) -> tuple[str, ...]:
    """Return the evaluations whose data set's text may not be published, by name."""
    return tuple(name for name, one in sorted(manifest.evaluations.items()) if not manifest.data[one.data].publish)


def withhold(contents: Contents, evaluations: Collection[str], key: RedactionKey) -> Contents:
    """Return the same rows with commitments in place of the texts of some evaluations.

    Withheld are the prompts, the answers that are expected, the completions with their tokens, and what judges' models
    answered; the digest of a prompt's tokens as well, by which a prompt could be guessed. What is withheld already
    stays as it is.
    """
    return replace(
        contents,
        prompts={
            name: [_prompt(row, name, key) for row in rows] if name in evaluations else rows
            for name, rows in contents.prompts.items()
        },
        completions={
            cell: _withheld(rows, layout.completions_file(cell), key) if cell.evaluation in evaluations else rows
            for cell, rows in contents.completions.items()
        },
        judging={
            (cell, judge): _withheld(rows, layout.judging_file(cell, judge), key)
            if cell.evaluation in evaluations
            else rows
            for (cell, judge), rows in contents.judging.items()
        },
    )


def prompt_fields(prompt: Prompt) -> dict[str, Json]:
    """Return what of a prompt is withheld."""
    return {"text": prompt.text, **({} if prompt.answer is None else {"answer": prompt.answer})}


def completion_fields(completion: Completion) -> dict[str, Json]:
    """Return what of a completion is withheld."""
    return {
        "text": completion.text,
        "token_ids": list(completion.token_ids),
        "prompt_tokens": completion.prompt_tokens,
    }


def _prompt(row: Prompt, evaluation: str, key: RedactionKey) -> Prompt:
    if row.withheld is not None:
        return row
    file = layout.prompts_file(evaluation)
    return replace(row, text="", answer=None, withheld=_commitments(prompt_fields(row), file, row.id, key))


def _withheld(rows: Sequence[Completion], file: PurePosixPath, key: RedactionKey) -> ChangedRows[Completion]:
    return ChangedRows(rows, partial(_completion, file=file, key=key))


def _completion(row: Completion, file: PurePosixPath, key: RedactionKey) -> Completion:
    if row.withheld is not None:
        return row
    withheld = _commitments(completion_fields(row), file, row.prompt_id, key)
    return replace(
        row,
        text="",
        token_ids=(),
        prompt_tokens=withheld["prompt_tokens"],
        tokens=len(row.token_ids),
        withheld=withheld,
    )


def _commitments(values: dict[str, Json], file: PurePosixPath, record: str, key: RedactionKey) -> dict[str, str]:
    return {name: key.commit(Place(str(file), record, name), value) for name, value in values.items()}
