"""Arithmetic: whether what a bundle says follows from the rows that it holds.

Integrity says that nothing was changed since signing; a signer can sign anything. Here the numbers are computed again,
the verdicts given again, and the adapters held against the record of their training: what contradicts itself is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.bundle.contents import adapter_files, row_files
from kit.core.canonical import canonical_json, read_json
from kit.core.digests import both_digests
from kit.core.errors import CheckFailed, Problem, child_path
from kit.core.rows import row_line
from kit.review.blocks import check_blocks
from kit.spec.judges import find_kind, judge_kind, judge_of, missing_kind, settings_of
from kit.spec.judges.answered import verdict_on
from kit.spec.manifest.judge_rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from kit.bundle.contents import Contents
    from kit.core.cells import Cell
    from kit.core.digests import FileDigests
    from kit.core.rows import Completion, Judgement, Prompt
    from kit.review.blocks import CheckedBlocks
    from kit.spec.judges.interface import Judge, JudgeKind

_MAX_SHOWN = 80
"""How many characters of a stranger's value a message shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """What came of computing a bundle again."""

    problems: tuple[Problem, ...]
    blocks: CheckedBlocks
    """What came of the numbers."""
    verdicts: int
    """Verdicts that were given again."""
    not_recomputed: tuple[str, ...]
    """Which verdicts could not be computed again, and why, in sentences."""


def check_arithmetic(folder: Path, files: Mapping[str, FileDigests], contents: Contents) -> Recomputed:
    """Compute again what a bundle says; `files` are the digests of what lies in its folder.

    Raises:
        CheckFailed: a document is not strict JSON, or a verdict does not belong to its evaluation.
    """
    blocks = check_blocks(folder, files, contents)
    known, not_recomputed = _known_judges(contents)
    readable = {key: rows for key, rows in contents.verdicts.items() if key[0].evaluation not in contents.withheld}
    not_recomputed += [f"the verdicts on {name}: the texts that were judged are withheld" for name in contents.withheld]
    return Recomputed(
        problems=(
            *_form_problems(folder, files, contents),
            *_margin_problems(folder, contents),
            *blocks.problems,
            *_adapter_problems(folder, files, contents),
            *_verdict_problems(folder, contents, readable, known),
            *_rule_problems(folder, contents, known),
        ),
        blocks=blocks,
        verdicts=sum(len(rows) for (_, name), rows in readable.items() if name in known),
        not_recomputed=tuple(not_recomputed),
    )


def _form_problems(folder: Path, files: Mapping[str, FileDigests], contents: Contents) -> Iterator[Problem]:
    """Yield files that another reader could read differently: JSON and rows must stand in their one form.

    An adapter's configuration is another program's file, and its bytes are its own.
    """
    for name, form in _forms(folder, files, contents):
        if both_digests(form) != files[name]:
            yield Problem(f"{folder}/{name}", "is not in the form that the kit writes", "it was written by other means")


def _forms(folder: Path, files: Iterable[str], contents: Contents) -> Iterator[tuple[str, bytes]]:
    """Yield each file of JSON or rows, and what it says in the kit's form."""
    for name in files:
        if name.endswith(".json") and not name.startswith(f"{layout.ADAPTERS}/"):
            yield name, canonical_json(read_json(folder / name))
    for path, rows in row_files(contents):
        yield str(path), b"".join(row_line(row) for row in rows)
    for cell, margins in contents.margins.items():
        yield str(layout.logprob_margins_file(cell)), b"".join(row_line(row) for row in margins)


def _margin_problems(folder: Path, contents: Contents) -> Iterator[Problem]:
    """Yield where margins are recorded of more or fewer tokens than the answer has."""
    for cell, rows in contents.margins.items():
        for number, (row, answer) in enumerate(zip(rows, contents.completions[cell], strict=True), 1):
            if len(row.margins) != len(answer.token_ids):
                what = f"tells of {len(row.margins)} tokens where the answer has {len(answer.token_ids)}"
                yield Problem(f"{folder}/{layout.logprob_margins_file(cell)}:{number}", what)


def _adapter_problems(folder: Path, files: Mapping[str, FileDigests], contents: Contents) -> Iterator[Problem]:
    """Yield adapters that are not those whose training was recorded."""
    for weights, trace in contents.training.items():
        name = str(adapter_files(weights)[0])
        if name in files and trace.get("weights") != files[name].xxh3_128:
            yield Problem(
                f"{folder}/{layout.training_file(weights)}", f"records other weights than {name}", "", "$.weights"
            )


def _known_judges(contents: Contents) -> tuple[set[str], list[str]]:
    """Return the names of the judges whose rules this kit has, and a sentence for each of the others.

    What a judge's model answered is evidence like a completion: that it would answer so again, only a rerun tells.
    """
    known: set[str] = set()
    strange: list[str] = []
    for name, choice in sorted(contents.manifest.judges.items()):
        rules, wrong = rules_of(choice.to_json(), str(layout.MANIFEST), child_path("$.judges", name))
        if wrong:
            what = missing_kind(choice.kind) if find_kind(choice.kind) is None else "its settings are not what it takes"
            strange.append(f"the verdicts of {name}: {what}")
        elif rules == choice.rules:
            known.add(name)
        else:
            strange.append(f"the verdicts of {name}: its rules are not those of this kit's {choice.kind} judge")
    return known, strange


def _verdict_problems(
    folder: Path,
    contents: Contents,
    verdicts: Mapping[tuple[Cell, str], Sequence[Judgement]],
    known: Collection[str],
) -> Iterator[Problem]:
    """Yield the verdicts that a judge does not give when it is asked again."""
    for (cell, name), rows in verdicts.items():
        if name not in known:
            continue
        where = f"{folder}/{layout.verdicts_file(cell, name)}"
        judge = judge_of(contents.manifest.judges[name].to_json(), contents.judging.get((cell, name), ()))
        kind, answer_after = judge_kind(contents.manifest.judges[name].kind), contents.evaluation(cell).answer_after
        asked = zip(contents.prompts[cell.evaluation], contents.completions[cell], rows, strict=True)
        for number, (prompt, completion, row) in enumerate(asked, 1):
            if wrong := _wrong_verdict(kind, judge, prompt, completion, answer_after, row):
                yield Problem(f"{where}:{number}", wrong)


def _rule_problems(folder: Path, contents: Contents, known: Collection[str]) -> Iterator[Problem]:
    """Yield, of verdicts on withheld texts, those that their own rule contradicts: more cannot be told of them."""
    for (cell, name), rows in contents.verdicts.items():
        if name in known and cell.evaluation in contents.withheld:
            where = f"{folder}/{layout.verdicts_file(cell, name)}"
            choice = contents.manifest.judges[name]
            kind, settings = judge_kind(choice.kind), settings_of(choice.to_json())
            for number, row in enumerate(rows, 1):
                if kind.verdict_of(settings, row.rule) not in (None, row.verdict):
                    what = (
                        f"says {row.verdict.value} by the rule {row.rule[:_MAX_SHOWN]!r}, which gives another verdict"
                    )
                    yield Problem(f"{where}:{number}", what)


def _wrong_verdict(
    kind: JudgeKind, judge: Judge, prompt: Prompt, completion: Completion, answer_after: str | None, row: Judgement
) -> str:
    try:
        again = verdict_on(kind, judge, prompt, completion, answer_after)
    except CheckFailed as error:
        return error.problems[0].what
    if again == row:
        return ""
    said, given = (f"{one.verdict.value} by the rule {one.rule[:_MAX_SHOWN]!r}" for one in (row, again))
    return f"says {said} where the judge says {given}"
