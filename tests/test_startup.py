"""What each command imports: a command starts quickly when it leaves out what it does not need."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from scripted_project import CHECKOUT, kit_environment, run_scripted, write_project

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"torch", "transformers", "peft", "trl", "vllm", "datasets", "accelerate", "numpy", "scipy", "huggingface_hub"}
CORE = {"jsonschema", "jinja2", "cryptography", "msgspec", "rfc8785", "xxhash"}
"""What the reviewer's install has beside click."""

UNNEEDED: dict[str, set[str]] = {
    "--help": CORE,
    "--version": CORE,
    "reproduce --help": CORE,
    "init new.draft.json": CORE,
    "keygen key": {"jsonschema", "jinja2"},
    "hash project": {"jsonschema", "jinja2", "cryptography"},
    "environment": {"jsonschema", "jinja2", "cryptography"},
    "check project/scripted.json": {"cryptography"},
    "pin project/scripted.draft.json": {"cryptography"},
    "verify out": set(),
    "diff out out.zip": {"jinja2"},
    "report out --out report.html": set(),
    "export out --latex paper": {"jinja2"},
    "attach --checklist out": {"jinja2", "pikepdf"},
    "extract --help": CORE | {"pikepdf"},
}
LISTING = """
import sys
from kit.cli import main
try:
    main()
finally:
    print(*sys.modules, sep="\\n", file=sys.stderr)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("startup")
    run_scripted(write_project(folder / "project"), folder / "out")
    return folder


@pytest.mark.parametrize("command", UNNEEDED)
def test_a_command_imports_only_what_it_needs(command: str, folder: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", LISTING, *command.split()],
        cwd=folder,
        env=kit_environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.partition(".")[0] for line in result.stderr.splitlines()}
    assert "click" in imported
    assert imported & (HEAVY | {"rich"} | UNNEEDED[command]) == set()


def test_the_core_can_be_used_without_the_command_line(folder: Path) -> None:
    code = (
        "import sys, kit.run.pipeline, kit.review.verify, kit.review.diff.compare, kit.report.html; print(*sys.modules)"
    )
    listed = subprocess.run(
        [sys.executable, "-c", code],
        env=kit_environment(folder),
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {name.partition(".")[0] for name in listed.stdout.split()} & (HEAVY | {"click", "rich"}) == set()
