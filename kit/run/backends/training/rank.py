"""One of the processes that share a training.

Run as `python -m kit.run.backends.training.rank JOB NUMBER` below PyTorch's launcher. It tells the process that started
it how far it is, in marked lines among all that libraries print.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec
import torch

from kit.run.backends.training.distributed import EVENT
from kit.run.backends.training.trl import enable_determinism, train_one
from kit.run.backends.worker.child import described, stop, stop_with_parent
from kit.run.backends.worker.jobs import JobError, JobMemoryError, TrainingJob

if TYPE_CHECKING:
    from types import TracebackType


class _LineReport:
    """Tells the process that started this one how far it is; one of several is enough."""

    def loaded(self, job: int) -> None:
        """Say nothing: a trainer loads no engine."""

    def progress(self, job: int, done: int, total: int) -> None:
        """Say how far the job has come."""
        if os.environ["RANK"] == "0":
            _tell(job=job, done=done, total=total)

    def finished(self, job: int) -> None:
        """Say nothing: the end of all processes says it."""


def _tell(**event: object) -> None:
    sys.stdout.write(f"{EVENT}{json.dumps(event)}\n")
    sys.stdout.flush()


def _broke(number: int, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> NoReturn:
    traceback.print_exception(kind, error, trace)
    what = f"one of the training's processes stopped: {described(error)}"
    _tell(job=number, what=what, remedy="its log says where; finished steps are kept", wants_memory=False)
    stop(1)


def main(arguments: list[str]) -> int:
    """Be one of the processes; exit code 0 when the training is finished."""
    threading.Thread(target=stop_with_parent, args=(0,), daemon=True).start()
    path, number = arguments
    sys.excepthook = partial(_broke, int(number))
    job = msgspec.json.decode(Path(path).read_bytes(), type=TrainingJob)
    enable_determinism()
    try:
        train_one(int(number), job, _LineReport())
    except JobError as error:
        # Whichever is first: its end breaks the connections of the others, which may not get to say it.
        wants_memory = isinstance(error, JobMemoryError)
        _tell(job=int(number), what=error.what, remedy=error.remedy, wants_memory=wants_memory)
        return 1
    torch.distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    stop(main(sys.argv[1:]))
