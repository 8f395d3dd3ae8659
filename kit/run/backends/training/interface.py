"""What a trainer must do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kit.run.backends.worker.jobs import Report, TrainingJob


class Trainer(Protocol):
    """Does training jobs one after the other, in the process that calls it.

    For each job it writes into `job.out`:

    - `adapter/` (LoRA) or `model/` (full fine-tuning);
    - `trace.json`: `step0_weights` and `weights` (digests of the trainable weights, as safetensors), `losses` (one
      `{"step", "loss", "grad_norm", "learning_rate"}` a step), `order` (ids of the rows in the order in which they
      were seen, those that were packed together one after the other), `rows` (how many there were to see), `cut` and
      `dropped` (how many were longer than `max_length`, and cut or left out), `dropped_ids` (the first of those),
      `notes` (what a reader should know of the rows), `template` (digest of the chat template), `trainable_parameters`
      (a count).

    Everything random is seeded from `job.seed` before the adapter exists, so that no job depends on the one before.
    """

    def __call__(self, jobs: list[TrainingJob], report: Report) -> None:
        """Do the jobs.

        Raises:
            JobError: for a reason that the user can mend.
            JobMemoryError: some jobs do not fit into memory; those after them are asked of a fresh process.
        """
