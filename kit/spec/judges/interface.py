"""What a judge is: something that gives one completion a verdict and says by which rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kit.core.rows import Completion, Judgement, Prompt


class Judge(Protocol):
    """A judge; the same rows and the same `rules` give the same verdict everywhere."""

    @property
    def kind(self) -> str:
        """The name that a manifest chooses it by."""

    @property
    def rules(self) -> str:
        """The `xxh3_128:` digest of everything that decides its verdicts, so that a manifest can pin the judge."""

    def judge(self, prompt: Prompt, completion: Completion) -> Judgement:
        """Return the verdict on one completion, and the rule that decided.

        Raises:
            CheckFailed: the prompt lacks what this judge needs.
        """
