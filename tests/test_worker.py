"""The worker: what it inherits, how it fails, and that nothing outlives its parent."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec import structs
from scripted_project import CHECKOUT

from kit.core.canonical import write_rows
from kit.core.errors import OperationalError
from kit.core.rows import Completion, load_rows
from kit.run.backends.worker.child import described
from kit.run.backends.worker.jobs import COMPLETIONS, GenerationJob
from kit.run.backends.worker.process import Worker
from kit.spec.chat.template import ChatTemplate
from kit.spec.environment.switches import ISOLATION
from kit.spec.manifest.model import Generation
from kit.spec.manifest.parts import EngineLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from kit.core.canonical import Json

LIMITS = EngineLimits(
    max_model_len=64, max_num_seqs=8, max_num_batched_tokens=64, kv_cache_mib=1, enforce_eager=True,
    enable_prefix_caching=False,
)  # fmt: skip
PROMPTS: list[dict[str, Json]] = [{"id": f"p-{number}", "text": f"request {number}"} for number in range(3)]


def generation_job(folder: Path, **changes: object) -> GenerationJob:
    (folder / "out").mkdir(exist_ok=True)
    (folder / "tokenizer_config.json").touch()
    if "prompts" not in changes:
        write_rows(folder / "prompts.jsonl", PROMPTS)
    fields: dict[str, object] = {
        "out": str(folder / "out"),
        "model": str(folder),
        "adapter": None,
        "serving": "merged",
        "dtype": "float32",
        "template": ChatTemplate(),
        "limits": LIMITS,
        "generation": Generation(temperature=0, top_p=1, top_k=0, repetition_penalty=1, max_tokens=8),
        "choices": None,
        "chat": True,
        "system_prompt": None,
        "prompts": str(folder / "prompts.jsonl"),
        "seed": 11,
        "at_once": None,
    }
    return GenerationJob(**fields | changes)  # type: ignore[arg-type]  # a mapping of its fields


def run(job: GenerationJob, folder: Path) -> list[dict[str, Json]]:
    return list(Worker(dict(os.environ)).run("scripted-engine", [job], {}, folder / "worker.log"))


def test_a_worker_says_how_far_it_is_and_leaves_its_result(tmp_path: Path) -> None:
    events = run(generation_job(tmp_path), tmp_path)
    assert events == [
        {"event": "loaded", "job": 0},
        {"event": "progress", "job": 0, "done": 3, "total": 3},
        {"event": "finished", "job": 0},
    ]
    assert len(load_rows(tmp_path / "out" / COMPLETIONS, Completion)) == 3


def test_a_worker_that_breaks_says_at_what_and_names_its_log(tmp_path: Path) -> None:
    with pytest.raises(OperationalError, match=r"the worker stopped: FileNotFoundError: .*'no/such/file'") as caught:
        run(generation_job(tmp_path, prompts="no/such/file"), tmp_path)
    (problem,) = caught.value.problems
    assert str(tmp_path / "worker.log") in problem.remedy
    assert "Traceback" in (tmp_path / "worker.log").read_text()


def test_an_exception_is_described_with_the_first_of_those_behind_it_on_one_line() -> None:
    error = RuntimeError("the engine\n  did not start")
    error.__cause__ = KeyError("vocab")
    assert described(error) == "RuntimeError: the engine did not start, after KeyError: 'vocab'"
    assert len(described(ValueError("x" * 10_000))) < 700
    assert described(NotImplementedError()) == "NotImplementedError"


def test_a_job_that_the_user_can_mend_says_how(tmp_path: Path) -> None:
    with pytest.raises(OperationalError, match=r"prompt 'p-0' has 9 characters; raise engine\.max_model_len"):
        run(generation_job(tmp_path, limits=structs.replace(LIMITS, max_model_len=3)), tmp_path)


def test_a_worker_inherits_next_to_nothing(tmp_path: Path) -> None:
    user = {"HOME": str(tmp_path), "LOGNAME": "ada", "USER": "ada"}
    kept = {**user, "PATH": os.environ["PATH"], "CUDA_VISIBLE_DEVICES": "1"}
    dropped = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONPATH": "/elsewhere", "HF_HUB_OFFLINE": "0", "VLLM_X": "1"}
    worker, switches = Worker(kept | dropped), {"OMP_NUM_THREADS": "3", "HF_HUB_OFFLINE": "0"}
    with ThreadPoolExecutor() as pool:
        seen = pool.submit(environment_of_reader, held_adapter(tmp_path))
        job = generation_job(tmp_path, adapter=str(tmp_path))
        list(worker.run("scripted-engine", [job], switches, tmp_path / "worker.log"))
    found = seen.result()
    found.pop("LC_CTYPE", None)  # set by the interpreter itself (PEP 538)
    assert found == {**kept, "OMP_NUM_THREADS": "3", **ISOLATION, "PYTHONPATH": str(CHECKOUT)}


PARENT = """
import os, sys
from pathlib import Path
import msgspec
from kit.run.backends.worker.jobs import GenerationJob
from kit.run.backends.worker.process import Worker
job = msgspec.json.decode(sys.argv[1], type=GenerationJob)
list(Worker(dict(os.environ)).run("scripted-engine", [job], {}, Path(sys.argv[2])))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_worker_does_not_outlive_its_parent(how: signal.Signals, tmp_path: Path) -> None:
    held = held_adapter(tmp_path)
    job = generation_job(tmp_path, adapter=str(tmp_path))
    arguments = [msgspec.json.encode(job).decode(), str(tmp_path / "worker.log")]
    parent = subprocess.Popen([sys.executable, "-c", PARENT, *arguments], cwd=CHECKOUT, stderr=subprocess.DEVNULL)
    feed = wait_for_reader(held)
    (worker,) = children_of(parent.pid)
    assert is_running(worker)
    parent.send_signal(how)
    parent.wait()
    until(lambda: not is_running(worker))
    os.close(feed)


def held_adapter(folder: Path) -> Path:
    """Return the weights of an adapter at which the scripted engine waits: a pipe that nobody has written to yet."""
    held = folder / "adapter_model.safetensors"
    os.mkfifo(held)
    return held


def wait_for_reader(path: Path) -> int:
    """Return the writing end of a pipe as soon as a worker has opened the other."""
    found: list[int] = []

    def opened() -> bool:
        with contextlib.suppress(OSError):  # ENXIO: nobody reads yet
            found.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        return bool(found)

    until(opened)
    return found[0]


def environment_of_reader(path: Path) -> dict[str, str]:
    """Look at the environment of the one worker of this process, then give it its weights."""
    with os.fdopen(wait_for_reader(path), "wb") as feed:
        (worker,) = children_of(os.getpid())
        entries = Path(f"/proc/{worker}/environ").read_text().split("\0")
        feed.write(b"weights")
    return dict(entry.split("=", 1) for entry in entries if entry)


def children_of(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)
