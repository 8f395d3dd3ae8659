"""Whether what stays in the clear can be a name: ids, categories and rules must not be texts themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.core.errors import Problem
from kit.spec.judges import find_kind, settings_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from kit.bundle.contents import Contents
    from kit.spec.manifest.model import Manifest

_ID = re.compile(r"\S{1,64}")
_LABEL = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,80}")
_RULE = re.compile(r"[a-z0-9:-]{1,64}")
_DIGEST = re.compile(r"xxh3_128:[0-9a-f]{32}")
_MAX_NAMED = 20
_REMEDY = "give it a short name in the data set, and run again"


def name_problems(folder: Path, contents: Contents, evaluations: Collection[str]) -> list[Problem]:
    """Return what would stay in the clear and may be a text, of the evaluations whose texts are to be withheld."""
    problems = [
        *_prompt_problems(folder, contents, evaluations),
        *_answer_problems(folder, contents, evaluations),
        *_rule_problems(folder, contents, evaluations),
        *_training_problems(folder, contents),
    ]
    rest = len(problems) - _MAX_NAMED
    more = [Problem(str(folder), f"{rest} more values may be texts")] if rest > 0 else []
    return [*problems[:_MAX_NAMED], *more]


def _prompt_problems(folder: Path, contents: Contents, evaluations: Collection[str]) -> Iterator[Problem]:
    for evaluation in evaluations:
        where = f"{folder}/{layout.prompts_file(evaluation)}"
        for number, row in enumerate(contents.prompts[evaluation], 1):
            texts = {_folded(text) for text in (row.text, row.answer) if text is not None}
            if not _ID.fullmatch(row.id) or _folded(row.id) in texts:
                yield Problem(f"{where}:{number}", "has an id that may be a text, and ids are published", _REMEDY)
            if not _LABEL.fullmatch(row.category) or _folded(row.category) in texts:
                what = "has a category that may be a text, and categories are published"
                yield Problem(f"{where}:{number}", what, _REMEDY)
        selection = contents.manifest.data[contents.manifest.evaluations[evaluation].data].rows
        allowed = {_folded(value) for values in selection.where.values() for value in values}
        if allowed & {_folded(row.text) for row in contents.prompts[evaluation]}:
            yield Problem(f"{folder}/{layout.MANIFEST}", f"selects the rows of {evaluation} by their text")


def _answer_problems(folder: Path, contents: Contents, evaluations: Collection[str]) -> Iterator[Problem]:
    answers = [(layout.completions_file(cell), cell, rows) for cell, rows in contents.completions.items()]
    answers += [(layout.judging_file(cell, judge), cell, rows) for (cell, judge), rows in contents.judging.items()]
    for name, cell, rows in answers:
        if cell.evaluation in evaluations:
            for number, row in enumerate(rows, 1):
                if not _RULE.fullmatch(row.finish_reason) or not _DIGEST.fullmatch(row.template):
                    what = "has a reason for its end or a template's digest that may be a text"
                    yield Problem(f"{folder}/{name}:{number}", what)


def _rule_problems(folder: Path, contents: Contents, evaluations: Collection[str]) -> Iterator[Problem]:
    for (cell, judge), rows in contents.verdicts.items():
        choice = contents.manifest.judges[judge]
        kind = find_kind(choice.kind)
        known = kind.named_rules(settings_of(choice.to_json())) if kind else {}
        for number, row in enumerate(rows if cell.evaluation in evaluations else [], 1):
            if not _RULE.fullmatch(row.rule) and row.rule not in known:
                where = f"{folder}/{layout.verdicts_file(cell, judge)}:{number}"
                yield Problem(where, "has a rule that may be a text, and rules are published")


def _training_problems(folder: Path, contents: Contents) -> Iterator[Problem]:
    if not is_trained_on_withheld(contents.manifest):
        return
    for weights, trace in contents.training.items():
        lists = (trace.get("order"), trace.get("dropped_ids"))
        if not all(_ID.fullmatch(str(one)) for found in lists if isinstance(found, list) for one in found):
            where = f"{folder}/{layout.training_file(weights)}"
            yield Problem(where, "has an id of a training row that may be a text, and ids are published", _REMEDY)


def is_trained_on_withheld(manifest: Manifest) -> bool:
    """Tell whether something is trained on a data set whose text may not be published."""
    data = manifest.finetune.data if manifest.finetune else None
    return data is not None and not manifest.data[data].publish


def known_answers(contents: Contents) -> Iterable[str]:
    """Yield the names by which a self-test calls the answers that came out otherwise."""
    for cell in contents.completions:
        for row in contents.prompts[cell.evaluation]:
            yield row.id
            yield f"{cell}:{row.id}"


def _folded(text: str) -> str:
    """Return a text as it is compared with a name: neither case nor white space tells them apart."""
    return " ".join(text.split()).casefold()
