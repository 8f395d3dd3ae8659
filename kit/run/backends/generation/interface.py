"""What an engine must do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kit.run.backends.worker.jobs import GenerationJob, Report


class Engine(Protocol):
    """Asks prompts of weights, in the process that calls it.

    Jobs with the same weights come one after the other and are served by one load of them. For each job it writes
    `completions.jsonl` (rows of `kit.core.rows.Completion`) and, if it can tell, `logprob-margins.jsonl` (rows of
    `kit.core.rows.LogprobMargins`) into `job.out`, in the order of the prompts. Each request has its own seed, made
    from the job's seed and the prompt's id, so that neither order nor batch decides what is drawn.
    """

    def __call__(self, jobs: list[GenerationJob], report: Report) -> None:
        """Do the jobs.

        Raises:
            JobError: for a reason that the user can mend.
            JobMemoryError: some jobs do not fit into memory; those after them are asked of a fresh process.
        """
