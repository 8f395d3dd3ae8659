"""Judges: from a prompt and a completion to a verdict. A kind of judge is one file here, or comes from outside."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from kit.core.errors import CheckFailed, OperationalError
from kit.core.kinds import declared
from kit.core.plugins import find_plugin, is_plugin
from kit.spec.judges.interface import JudgeKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kit.core.rows import Completion
    from kit.spec.judges.interface import Judge, Settings

PLUGINS = "kit.judges"
"""The entry points by which an installed distribution offers a `JudgeKind` (docs/extending.md)."""


@cache
def own_kinds() -> Mapping[str, JudgeKind]:
    """Return the kinds that the kit itself brings, by name."""
    return declared(__name__, "KIND", JudgeKind)


@cache
def find_kind(name: str) -> JudgeKind | None:
    """Return the kind that a manifest calls by this name; None where it comes from outside and is not installed.

    Raises:
        OperationalError: it is installed, and cannot be used.
        CheckFailed: no kind can have this name.
    """
    if not is_plugin(name):
        kinds = own_kinds()
        if name not in kinds:
            raise CheckFailed.of("judge", f"{name!r} is not a kind of judge", f"use one of {', '.join(kinds)}")
        return kinds[name]
    kind = find_plugin(PLUGINS, name, JudgeKind)
    if kind is not None and kind.asks_model:
        what = "asks a model, which only the kit's own `model` can"
        raise OperationalError.of(f"plugin {name}", what, "give a template to a judge of that kind")
    return kind and replace(kind, name=name)


def judge_kind(name: str) -> JudgeKind:
    """Return the kind that a manifest calls by this name.

    Raises:
        CheckFailed: there is none, or it comes from outside and is not installed.
        OperationalError: it is installed, and cannot be used.
    """
    kind = find_kind(name)
    if kind is None:
        raise CheckFailed.of("judge", missing_kind(name), missing_remedy(name))
    return kind


def missing_kind(name: str) -> str:
    """Say that a kind comes from a distribution that is not installed here."""
    owner, _, own = name.partition("/")
    return f"the judge {own!r} of the distribution {owner!r} is not installed"


def missing_remedy(name: str) -> str:
    """Say what to do about it."""
    return f"install {name.partition('/')[0]} beside the kit, in the version that the record names"


def asks_model(name: str) -> bool:
    """Tell whether the judges of a kind ask a model; none from outside does."""
    kind = own_kinds().get(name)
    return kind is not None and kind.asks_model


def kinds_for(evaluation: str) -> tuple[str, ...]:
    """Return the kit's own kinds of judge that can judge a kind of evaluation."""
    return tuple(name for name, kind in own_kinds().items() if kind.evaluation == evaluation)


def settings_of(entry: Settings) -> Settings:
    """Return what an entry of a manifest's `judges` says to its judge."""
    return entry.get("settings", {}) if is_plugin(entry["kind"]) else entry


def judge_of(entry: Settings, answers: Iterable[Completion] = ()) -> Judge:
    """Return the judge that an entry of a manifest's `judges` describes.

    Args:
        entry: as JSON that the schema has accepted.
        answers: what the judge's model answered in the cell that is to be judged; of no use to other judges.

    Raises:
        CheckFailed: its kind comes from outside and is not installed.
        OperationalError: it is installed, and cannot be used.
    """
    return judge_kind(entry["kind"]).make(settings_of(entry), answers)
