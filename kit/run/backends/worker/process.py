"""The parent's side: starts a worker, follows its events, and is not outlived by it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from kit.core.canonical import parse_json
from kit.core.errors import OperationalError
from kit.core.identity import PACKAGE
from kit.run.backends.worker.home import sandbox_home
from kit.spec.environment.switches import ISOLATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kit.core.canonical import Json
    from kit.run.backends.worker.jobs import GenerationJob, TrainingJob

KEPT_VARIABLES = frozenset({"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "USER", "LOGNAME", "XDG_CACHE_HOME"})
"""All that a worker inherits: whatever else stands in the user's shell must not reach a result."""
KEPT_PREFIXES = ("CUDA_", "NVIDIA_")
"""Which device to use, and where its libraries are."""
FREE_SOME = "end other programs, give the container more memory, or lower what the job needs"
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
        """Run jobs in a fresh process and yield its events, each with its `job`.

        They are `loaded`, `progress`, `finished`, and `lost` with `what` and `remedy`, of a job that does not fit into
        memory: the others go on in another process.

        Args:
            implementation: `trl`, `vllm`, or one of the tests' own.
            jobs: what to do, in this order.
            switches: environment variables to set before anything is imported.
            log: where everything that the worker prints is appended.

        Raises:
            OperationalError: a job failed for another reason, or the worker died.
        """
        own = {"PYTHONPATH": str(PACKAGE.parent)}
        left = list(range(len(jobs)))
        with sandbox_home(self._inherited) as inherited:
            environment = inherited | dict(switches) | ISOLATION | own
            while left:
                settled = set()
                for event in _events(implementation, [jobs[number] for number in left], environment, log):
                    number = left[cast("int", event["job"])]
                    if event["event"] in ("finished", "lost"):
                        settled.add(number)
                    yield {**event, "job": number}
                if not settled:
                    raise OperationalError.of(implementation, "the worker stopped early", f"its log is {log}")
                left = [number for number in left if number not in settled]


def _events(
    implementation: str, jobs: Sequence[TrainingJob | GenerationJob], environment: Mapping[str, str], log: Path
) -> Iterator[dict[str, Json]]:
    command = [sys.executable, "-P", "-m", "kit.run.backends.worker.child", implementation]
    with tempfile.TemporaryFile() as request, log.open("ab") as output:
        request.write(msgspec.json.encode(jobs))
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
        killed_before, current = _killed_for_memory(), 0
        try:
            with os.fdopen(events, "rb") as stream:
                for line in stream:
                    event = parse_json(line, "worker")
                    assert isinstance(event, dict)
                    if event["event"] == "failed":
                        raise OperationalError.of(implementation, str(event["what"]), str(event["remedy"]))
                    if event["event"] == "broke":
                        raise OperationalError.of(implementation, f"the worker stopped: {event['what']}", _log_is(log))
                    current = cast("int", event["job"]) + (event["event"] == "finished")
                    yield event
            if child.wait() == -signal.SIGKILL and _killed_for_memory() > killed_before:
                yield {"event": "lost", "job": current, "what": "was killed for want of memory", "remedy": FREE_SOME}
            elif child.returncode != 0:
                raise _died(implementation, child.returncode, log)
        finally:
            os.close(for_parent)
            child.kill()
            child.wait()


def _killed_for_memory() -> int:
    """Return how many processes the kernel has killed for memory since it started; 0 where it does not tell."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _died(implementation: str, code: int, log: Path) -> OperationalError:
    with log.open(encoding="utf-8", errors="replace") as stream:
        last = "".join(deque(stream, LAST_LINES)).strip()
    cause = f"was killed by signal {-code}" if code < 0 else f"stopped with exit code {code}"
    error = OperationalError.of(implementation, f"the worker {cause}", f"{_log_is(log)}; it ends with:\n{last}")
    return OperationalError(error.problems)


def _log_is(log: Path) -> str:
    return f"finished steps are kept; its log is {log}"
