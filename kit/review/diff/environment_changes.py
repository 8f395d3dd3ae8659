"""What ran differently: software, hardware, and whether the engine repeats itself at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.review.diff.evidence import Change, Influence
from kit.spec.environment.compare import DECISIVE_PACKAGES, differences, is_system_library

if TYPE_CHECKING:
    from kit.bundle.contents import Contents
    from kit.core.canonical import Json

_RULES: tuple[tuple[str, Influence, str], ...] = (
    ("accelerators", Influence.LIKELY, "other kernels, other sums"),
    ("switches.", Influence.LIKELY, "decides how sums are formed"),
    ("platform.machine", Influence.LIKELY, "other kernels, other sums"),
    ("platform.vector_extensions", Influence.LIKELY, "other kernels, other sums"),
    ("platform.cpu", Influence.POSSIBLE, "other kernels, other sums"),
    ("platform.cores", Influence.POSSIBLE, "sums split over another number of threads"),
    ("platform.c_library", Influence.POSSIBLE, "its mathematical functions are used"),
    ("base_image", Influence.POSSIBLE, "other system libraries"),
    ("image", Influence.POSSIBLE, "other software"),
    ("python", Influence.UNLIKELY, "the interpreter"),
)
"""Start of a field → what a change there can do."""


def environment_changes(a: Contents, b: Contents) -> list[Change]:
    """Return the differences between what ran on both sides, most consequential first."""
    found = differences(a.environment, b.environment)
    changes = [Change("environment", one.field, one.first, one.second, *_influence(one.field)) for one in found]
    return [*_unstable_engine(a, b), *changes]


def _influence(field: str) -> tuple[Influence, str]:
    section, _, name = field.partition(".")
    if section == "packages":
        if name in DECISIVE_PACKAGES:
            return Influence.LIKELY, "another version can form other sums or tokens"
        return Influence.UNLIKELY, "another version of a package beside the computation"
    if section == "system_packages":
        if is_system_library(name):
            return Influence.POSSIBLE, "mathematical functions, and how sums are split over threads"
        return Influence.UNLIKELY, "another version of a package beside the computation"
    for start, influence, explains in _RULES:
        if field.startswith(start):
            return influence, explains
    return Influence.UNLIKELY, "named for completeness"


def _unstable_engine(a: Contents, b: Contents) -> list[Change]:
    """Name a self-test that failed: then a difference needs no further cause."""
    explains = "the engine answers otherwise in another order or batch"
    before, after = _failed_self_tests(a), _failed_self_tests(b)
    return [
        Change("self-test", name, before.get(name), after.get(name), Influence.LIKELY, explains)
        for name in sorted({*before, *after})
    ]


def _failed_self_tests(contents: Contents) -> dict[str, Json]:
    """Return what was answered otherwise the second time: by the models under test, and by those that judge."""
    judges = contents.selftest.get("judges")
    outcomes = judges if isinstance(judges, dict) else {}
    changed = {f"judges.{name}.changed": one.get("changed") for name, one in outcomes.items() if isinstance(one, dict)}
    return {name: ids for name, ids in {"changed": contents.selftest.get("changed"), **changed}.items() if ids}
