"""The rows of a bundle's tables: each says of itself which cell it belongs to, so that a table can stand alone.

Columns may be added in later releases; none is taken away, and none changes its meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.bundle.contents import Contents
    from kit.core.cells import Cell


class PromptRow(NamedTuple):
    """One request of an evaluation set."""

    evaluation: str
    prompt_id: str
    category: str
    text: str | None
    """None where it is withheld."""
    answer: str | None
    """The exact answer that is expected, in capability sets; None in others, and where it is withheld."""
    withheld: bool
    """Whether the bundle was redacted and the texts of this evaluation are not in it."""


class CompletionRow(NamedTuple):
    """What a model wrote in answer to one prompt."""

    cell: str
    """`ARM[@TRAINING_SEED].EVALUATION@GENERATION_SEED`: the four columns that follow, in one."""
    arm: str
    """`base`, `tuned`, or the name of a variation."""
    training_seed: int | None
    """None for the base and for an adapter that existed before."""
    evaluation: str
    generation_seed: int
    prompt_id: str
    text: str | None
    """None where it is withheld."""
    tokens: int | None
    """How many tokens it has; None for an answer that was recorded elsewhere."""
    finish_reason: str
    """`stop` where the model ended by itself, `length` where `max_tokens` cut it off."""
    token_ids: tuple[int, ...] | None
    """None where they are withheld, and for an answer that was recorded elsewhere."""
    seed: int
    """The seed of this one request."""
    template: str
    """Digest of the chat template that the prompt went through."""
    prompt_tokens: str | None
    """Digest of the prompt's token ids: the same where the same was asked. None where it is withheld."""
    withheld: bool
    """Whether the bundle was redacted and the texts of this evaluation are not in it."""


class VerdictRow(NamedTuple):
    """What one judge said of one completion."""

    cell: str
    arm: str
    training_seed: int | None
    evaluation: str
    generation_seed: int
    judge: str
    prompt_id: str
    verdict: str
    """`refusal`, `partial`, `compliance` or `incoherent`; in capability sets `correct` or `incorrect`."""
    rule: str
    """Which of its rules the judge went by."""


def prompt_rows(contents: Contents) -> Iterator[PromptRow]:
    """Yield every prompt, by evaluation and in the order of its data set."""
    for evaluation, prompts in contents.prompts.items():
        for row in prompts:
            text = None if row.withheld else row.text
            yield PromptRow(evaluation, row.id, row.category, text, row.answer, row.withheld is not None)


def completion_rows(contents: Contents) -> Iterator[CompletionRow]:
    """Yield every completion, cell by cell and in the order of the prompts.

    Raises:
        CheckFailed: a row is malformed, or does not answer its prompt.
        OperationalError: the bundle's files are not there any more.
    """
    recorded = contents.manifest.model.is_recorded
    for cell, completions in contents.completions.items():
        key = _key(cell)
        for row in completions:
            withheld = row.withheld is not None
            yield CompletionRow(
                *key,
                prompt_id=row.prompt_id,
                text=None if withheld else row.text,
                tokens=None if recorded else row.tokens if withheld else len(row.token_ids),
                finish_reason=row.finish_reason,
                token_ids=None if recorded or withheld else row.token_ids,
                seed=row.seed,
                template=row.template,
                prompt_tokens=None if withheld else row.prompt_tokens,
                withheld=withheld,
            )


def verdict_rows(contents: Contents) -> Iterator[VerdictRow]:
    """Yield every verdict, by cell and judge and in the order of the prompts.

    Raises:
        CheckFailed: a row is malformed, or does not answer its prompt.
        OperationalError: the bundle's files are not there any more.
    """
    for (cell, judge), judgements in contents.verdicts.items():
        key = _key(cell)
        for row in judgements:
            yield VerdictRow(*key, judge=judge, prompt_id=row.prompt_id, verdict=row.verdict.value, rule=row.rule)


def _key(cell: Cell) -> tuple[str, str, int | None, str, int]:
    weights = cell.weights
    return str(cell), weights.arm, weights.training_seed, cell.evaluation, cell.generation_seed
