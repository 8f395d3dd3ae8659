"""The steps in which a judge's model is asked about the completions of a cell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kit.core.digests import json_digest
from kit.core.rows import Completion
from kit.run.versions import GENERATION_VERSION
from kit.spec.judges.answered import answered
from kit.spec.judges.template import fill
from kit.spec.manifest.model import Generation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kit.core.canonical import Json
    from kit.core.cells import Cell
    from kit.core.rows import Prompt
    from kit.spec.manifest.judge_model import JudgeModel

SELF_TEST_PROMPTS = 32
"""How many questions each judge is asked again."""
SELF_TEST_AT_ONCE = 5
"""And how many at a time, so that batches differ in size and company."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeStep:
    """One model asked about the completions of one cell."""

    key: str
    cell: Cell
    judge: str
    """Its name in the manifest."""
    asked: JudgeModel
    template: str
    prompts: Sequence[Prompt]
    """In the order of asking."""
    engine: str
    """Digest of what an engine is loaded with: steps that have it in common share one."""
    answer_after: str | None = None
    """What ends the thinking before a completion's answer; None where all of it is the answer."""
    at_once: int | None = None
    is_self_test: bool = False

    @property
    def label(self) -> str:
        """How the step is called in progress and record."""
        return f"self-test judge {self.judge}" if self.is_self_test else f"judge {self.cell} by {self.judge}"

    @property
    def generation(self) -> Generation:
        """The parameters of the answers: every judge is asked greedily."""
        return Generation(temperature=0, top_p=1, top_k=0, repetition_penalty=1, max_tokens=self.asked.max_tokens)

    def questions(self, completions: Iterable[Completion]) -> list[tuple[str, str]]:
        """Return the prompts' ids and what is asked about their answers, in the order of asking.

        Nothing is asked about a completion whose thinking did not end.
        """
        answers = {completion.prompt_id: answered(completion, self.answer_after) for completion in completions}
        asked = ((prompt, answers[prompt.id]) for prompt in self.prompts)
        return [(prompt.id, fill(self.template, prompt, answer)) for prompt, answer in asked if answer]

    def complete(self, answers: Iterable[Completion]) -> list[Completion]:
        """Return what the model answered, in the order of the prompts, with an empty row where it was not asked."""
        by_id = {answer.prompt_id: answer for answer in answers}
        return [by_id.get(prompt.id) or _not_asked(prompt.id) for prompt in self.prompts]


def _not_asked(prompt_id: str) -> Completion:
    nothing = json_digest(None)
    return Completion(
        prompt_id=prompt_id,
        text="",
        token_ids=(),
        finish_reason="stop",
        prompt_tokens=nothing,
        template=nothing,
        seed=0,
    )


def judge_step(
    cell: Cell,
    judge: str,
    asked: JudgeModel,
    template: str,
    prompts: Sequence[Prompt],
    *,
    judged: str,
    answer_after: str | None,
    where_run: Json,
) -> JudgeStep:
    """Return the step in which a judge's model is asked about a cell.

    Args:
        cell: whose completions are judged.
        judge: its name in the manifest.
        asked: the model, and how it is asked.
        template: what it is asked, with places for what is judged.
        prompts: of the cell, in the order of the data set.
        judged: identity of the completions: the key of the step that generates them, or their own digest.
        answer_after: as the evaluation names it.
        where_run: the part of an environment that can decide bytes.
    """
    engine: dict[str, Json] = {
        "model": dict(asked.model.source.files),
        "dtype": asked.model.dtype,
        "engine": asked.engine.to_json(),
    }
    decides: dict[str, Json] = {
        "step": "judge",
        "version": GENERATION_VERSION,
        **engine,
        **asked.model.identity(),
        "question": template,
        "chat": asked.chat,
        "max_tokens": asked.max_tokens,
        "judged": judged,
        "prompts": [[prompt.id, prompt.category, prompt.text] for prompt in prompts],
        "where": where_run,
        **({} if answer_after is None else {"answer_after": answer_after}),
    }
    return JudgeStep(
        key=json_digest(decides),
        cell=cell,
        judge=judge,
        asked=asked,
        template=template,
        prompts=prompts,
        engine=json_digest(engine),
        answer_after=answer_after,
    )


def judge_self_tests(steps: Iterable[JudgeStep]) -> list[JudgeStep]:
    """Return, for each judge, a part of its last cell asked again, backwards and in small batches."""
    last = {step.judge: step for step in steps}
    return [
        replace(
            step,
            key=json_digest([step.key, "self-test", SELF_TEST_PROMPTS, SELF_TEST_AT_ONCE]),
            prompts=step.prompts[:SELF_TEST_PROMPTS][::-1],
            at_once=SELF_TEST_AT_ONCE,
            is_self_test=True,
        )
        for step in last.values()
    ]


def in_order_of_engines(steps: Iterable[JudgeStep]) -> list[JudgeStep]:
    """Return the steps with those together that share an engine."""
    groups: dict[str, list[JudgeStep]] = {}
    for step in steps:
        groups.setdefault(step.engine, []).append(step)
    return [step for group in groups.values() for step in group]
