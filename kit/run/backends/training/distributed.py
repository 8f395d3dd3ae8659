"""One training shared by several processes: starts them and follows them.

The launcher is PyTorch's own; accelerate, inside transformers' trainer, finds in its variables that there are others
(data parallel, one accelerator each; on a machine without, through gloo). Run by the worker's process as
`python -m torch.distributed.run … -m kit.run.backends.training.rank JOB NUMBER`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from kit.run.backends.worker.jobs import JobError, JobMemoryError

if TYPE_CHECKING:
    from kit.run.backends.worker.jobs import Report, TrainingJob

EVENT = "kit-event "
"""Stands before what the first process tells, among all that libraries print."""
LAST_LINES = 5


def train(number: int, job: TrainingJob, report: Report) -> None:
    """Fine-tune once, in `training.processes` processes of this machine.

    Raises:
        JobError: one of them failed.
        JobMemoryError: for want of memory.
    """
    processes = job.training.processes
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "job.json"
        path.write_bytes(msgspec.json.encode(job))
        launcher = ["torch.distributed.run", "--nnodes=1", f"--nproc-per-node={processes}", "--rdzv-backend=c10d"]
        launcher += ["--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1", f"--log-dir={scratch}/logs"]
        # They watch their standard input: when this process ends, however it ends, it closes and they stop.
        child = subprocess.Popen(  # noqa: S603 - this very package, with this very interpreter
            [sys.executable, "-P", "-m", *launcher, "-m", "kit.run.backends.training.rank", str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            last = _follow(child, report)
            if child.wait() != 0:
                raise JobError(f"one of {processes} training processes stopped", f"its log ends with:\n{last}")
        finally:
            assert child.stdin is not None
            child.stdin.close()
            child.kill()
            child.wait()


def _follow(child: subprocess.Popen[str], report: Report) -> str:
    """Pass on what the processes tell until they end; return the last lines of what they printed otherwise."""
    last: deque[str] = deque(maxlen=LAST_LINES)
    assert child.stdout is not None
    for line in child.stdout:
        if not line.startswith(EVENT):
            last.append(line)
            sys.stderr.write(line)
            continue
        event = json.loads(line.removeprefix(EVENT))
        if "what" in event:
            if event["wants_memory"]:
                raise JobMemoryError([event["job"]], event["remedy"])
            raise JobError(event["what"], event["remedy"])
        report.progress(event["job"], event["done"], event["total"])
    return "".join(last).strip()
