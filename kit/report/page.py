"""The report's content, before it is set: one object that holds every word and number that the template prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.report.categories import Categories, categories
from kit.report.caveats import Caveats, caveats
from kit.report.changes import Changes, changes
from kit.report.finding import Finding, find
from kit.report.flips import MeasureFlips, flips
from kit.report.judges import ConclusionRow, PairRow, conclusions, judges
from kit.report.luck import Luck, Sources, luck, sources
from kit.report.machine import Machine, machine
from kit.report.method import Method, method
from kit.report.notices import Notice, notices
from kit.report.rates import Beside, Panel, beside, panels
from kit.report.results import Results
from kit.report.wording import percent

if TYPE_CHECKING:
    from kit.bundle.contents import Contents
    from kit.core.canonical import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the report says, in its order."""

    name: str
    description: str
    results_digest: str
    original_digest: str
    """Of the bundle that this one was made of by leaving texts out; empty where nothing was."""
    incomplete: str
    """What the run could not measure; empty where nothing is missing."""
    several_generation_seeds: bool
    """Whether tables need a column for them."""
    finding: Finding
    notices: list[Notice]
    """What must be known before any number."""
    panels: list[Panel]
    changes: list[Changes]
    luck: list[Luck]
    sources: list[Sources]
    beside: Beside
    judges: list[PairRow]
    conclusions: list[ConclusionRow]
    categories: list[Categories]
    flips: list[MeasureFlips]
    caveats: Caveats
    method: Method
    machine: Machine
    expected: str
    """What a rerun should reach; empty where the manifest promises nothing."""


def build(contents: Contents, metrics: dict[str, Json], results_digest: str) -> Page:
    """Return the report's content."""
    results = Results(contents.manifest, metrics)
    return Page(
        name=contents.manifest.name,
        description=contents.manifest.description,
        results_digest=results_digest,
        original_digest=contents.redaction.original if contents.redaction else "",
        incomplete=contents.incomplete,
        several_generation_seeds=len(contents.manifest.seeds.generation) > 1,
        finding=find(results),
        notices=notices(results, contents.arms),
        panels=panels(results),
        changes=changes(results),
        luck=luck(contents, results),
        sources=sources(results),
        beside=beside(results),
        judges=judges(results),
        conclusions=conclusions(results),
        categories=categories(results),
        flips=flips(contents, results),
        caveats=caveats(contents, results),
        method=method(contents),
        machine=machine(contents.environment),
        expected=_expected(contents),
    )


def _expected(contents: Contents) -> str:
    expect = contents.manifest.expect
    if expect is None:
        return ""
    return f"grade “{expect.grade}” on the same software and hardware; elsewhere, rates within {percent(expect.margin)}"
