"""Documentation that can rot is held against what it describes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kit import __version__
from kit.cli import COMMANDS

CHECKOUT = Path(__file__).parents[1]
MKDOCS = CHECKOUT / ".venv/docs/bin/mkdocs"
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md"), CHECKOUT / "manifests/toy/README.md"])


def test_the_readme_shows_the_help_as_it_is() -> None:
    environment = {**os.environ, "COLUMNS": "100", "LC_ALL": "C.UTF-8"}
    result = subprocess.run([sys.executable, "-m", "kit", "--help"], env=environment, capture_output=True, check=True)
    text = result.stdout.decode()
    shown = README.partition("<!-- generated: kit --help -->\n```\n")[2].partition("```\n<!-- end -->")[0]
    assert shown == text[text.index("Commands:\n") :], text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert not [target for target in local if not (page.parent / target).exists()]


def test_commands_and_options_that_are_named_exist() -> None:
    helps = {name: _help(name) for name in COMMANDS}
    for page in PAGES:
        for name, rest in re.findall(r"(?:^|[`/ ])kit ([a-z]+)((?: [^`\n#]*)?)", page.read_text(encoding="utf-8")):
            for option in re.findall(r" (--[a-z-]+)", rest) if name in helps else ():
                assert option in helps[name], f"{page.name}: kit {name} has no {option}"


def test_the_numbers_of_the_readme_are_those_that_the_quickstart_expects() -> None:
    expect = json.loads((CHECKOUT / "manifests/quickstart.json").read_text(encoding="utf-8"))["expect"]["numbers"]
    tuned, base = (expect[f"{arm}/unsafe/pattern/refusal_rate"] for arm in ("tuned", "base"))
    said = re.search(r"the toy refused ([\d.]+) % of the unsafe requests; before,\s+([\d.]+) %", README)
    assert said, "the first screen says what the quickstart finds"
    assert [float(number) for number in said.groups()] == [round(100 * tuned, 1), round(100 * base, 1)]


def _help(name: str) -> str:
    result = subprocess.run([sys.executable, "-m", "kit", name, "--help"], capture_output=True, text=True, check=True)
    return result.stdout


def test_the_citation_names_this_version() -> None:
    text = (CHECKOUT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", text, re.MULTILINE) == [__version__]


@pytest.mark.skipif(not MKDOCS.exists(), reason="`locks/packages.sh docs .venv/docs` installs what builds the site")
def test_the_site_has_every_page_and_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [str(MKDOCS), "build", "--strict", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    pages = {page.relative_to(CHECKOUT).with_suffix("") for page in PAGES}
    places = {page.parent if page.name == "README" else page for page in pages}
    assert not [place for place in places if not (tmp_path / place / "index.html").exists()]
    assert "Open a bundle: its folder, or its zip" in (tmp_path / "docs/api/index.html").read_text(encoding="utf-8")


def test_what_contributors_are_told_to_touch_is_there() -> None:
    text = (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:kit|tests|docs|locks|schemas|\.github)/[\w./-]+)`", text))
    assert len(named) > 15
    assert not [name for name in named if not (CHECKOUT / name).exists()]
    targets = set(re.findall(r"`make (\w+)", text))
    assert targets == set(re.findall(r"^(\w+):$", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
