"""What can be known of a judge's model before it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.errors import KitError, Problem
from kit.spec.manifest.template import read_template
from kit.spec.manifest.templates import chat_problems

if TYPE_CHECKING:
    from kit.spec.manifest.judge_model import JudgeModel
    from kit.spec.manifest.places import Places


def asking_problems(places: Places, asked: JudgeModel, where: str, place: str) -> list[Problem]:
    """Return why a judge's model, whose files are as pinned, cannot be asked."""
    problems = chat_problems(places, asked.model, where, f"{place}.model") if asked.chat else []
    try:
        read_template(places, asked.template)
    except KitError as error:
        problems += error.problems
    return problems
