"""The parent's side: starts a worker, follows its events, and is not outlived by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from kit.canonical import parse_json
from kit.environment.switches import ISOLATION
from kit.errors import Trouble
from kit.worker.home import livable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kit.canonical import Json
    from kit.worker.jobs import GenerationJob, TrainingJob

KEPT_VARIABLES = frozenset({"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "USER", "LOGNAME", "XDG_CACHE_HOME"})
"""All that a worker inherits: whatever else stands in the user's shell must not reach a result."""
KEPT_PREFIXES = ("CUDA_", "NVIDIA_")
"""Which device to use, and where its libraries are."""
LAST_LINES = 5
"""How much of a worker's log an error quotes."""


class Worker:
    """Runs jobs in fresh processes that inherit next to nothing."""

    def __init__(self, inherited: Mapping[str, str]) -> None:
        """Keep what may be passed on of the user's own environment."""
        self._inherited = {
            name: value for name, value in inherited.items() if name in KEPT_VARIABLES or name.startswith(KEPT_PREFIXES)
        }

    def run(
        self, implementation: str, jobs: Sequence[TrainingJob | GenerationJob], switches: Mapping[str, str], log: Path
    ) -> Iterator[dict[str, Json]]:
        """Run jobs in one fresh process and yield its events: `loaded`, `progress` and `finished`, each with its `job`.

        Args:
            implementation: `trl`, `vllm`, or one of the tests' own.
            jobs: what to do, in this order.
            switches: environment variables to set before anything is imported.
            log: where everything that the worker prints is appended.

        Raises:
            Trouble: a job failed or the worker died.
        """
        own = {"PYTHONPATH": str(Path(__file__).parents[2])}
        with livable(self._inherited) as inherited:
            yield from _events(implementation, jobs, inherited | dict(switches) | ISOLATION | own, log)


def _events(
    implementation: str, jobs: Sequence[TrainingJob | GenerationJob], environment: Mapping[str, str], log: Path
) -> Iterator[dict[str, Json]]:
    command = [sys.executable, "-P", "-m", "kit.worker.child", implementation]
    with tempfile.TemporaryFile() as request, log.open("ab") as output:
        request.write(json.dumps([job.to_json() for job in jobs]).encode())
        request.seek(0)
        events, for_child = os.pipe()
        # The child watches this pipe: when the parent dies, however it dies, its end closes and the child stops.
        alive, for_parent = os.pipe()
        child = subprocess.Popen(  # noqa: S603 - this very package, with this very interpreter
            [*command, str(for_child), str(alive)],
            stdin=request,
            stdout=output,
            stderr=output,
            env=environment,
            pass_fds=(for_child, alive),
            # A Ctrl-C at the terminal is the parent's to handle.
            start_new_session=True,
        )
        os.close(for_child)
        os.close(alive)
        try:
            with os.fdopen(events, "rb") as stream:
                for line in stream:
                    event = parse_json(line, "worker")
                    assert isinstance(event, dict)
                    if event["event"] == "failed":
                        raise Trouble.of(implementation, str(event["what"]), str(event["remedy"]))
                    yield event
            if child.wait() != 0:
                raise _died(implementation, child.returncode, log)
        finally:
            os.close(for_parent)
            child.kill()
            child.wait()


def _died(implementation: str, code: int, log: Path) -> Trouble:
    with log.open(encoding="utf-8", errors="replace") as stream:
        last = "".join(deque(stream, LAST_LINES)).strip()
    cause = "was killed, perhaps for want of memory" if code == -9 else f"stopped with exit code {code}"
    error = Trouble.of(implementation, f"the worker {cause}", f"its log is {log}; it ends with:\n{last}")
    return Trouble(error.problems)
