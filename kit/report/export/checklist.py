"""Draft answers for the reproducibility questions that conferences ask, from the bundle alone.

What a bundle cannot know is left to the authors, and marked. The questions are worded here; the numbers in brackets are
those of ACL's Responsible NLP checklist and of the NeurIPS paper checklist, as of 2025, that an answer helps with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kit.core.digests import json_digest
from kit.report.answers import by_arm
from kit.report.judge_words import method_of
from kit.report.machine import machine
from kit.report.markdown import marked
from kit.report.method import method
from kit.report.notices import notices
from kit.report.results import Results
from kit.report.settings import settings
from kit.report.wording import count, listed, percent, percent_range, unsigned_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json

AUTHORS = "**Authors:**"
"""Begins every line that the bundle leaves open."""


class _Part(NamedTuple):
    """Questions that are answered together."""

    title: str
    asked: str
    lines: Iterator[str]
    open: tuple[str, ...]
    """What the authors have to say."""


def render(contents: Contents, metrics: dict[str, Json], results_digest: str) -> str:
    """Return Markdown: the same for the same arguments.

    Args:
        contents: a bundle's rows and records; all of its text is taken for hostile.
        metrics: what `kit.stats.metrics.compute` made of these contents.
        results_digest: the line that a rerun of the bundle would print.
    """
    title = f"# Reproducibility answers for {marked(contents.manifest.name)}"
    head = (
        f"Drafted by `kit attach --checklist` from one bundle, results digest `{results_digest}`. In brackets: which "
        "questions of ACL's Responsible NLP checklist and of the NeurIPS paper checklist (2025) an answer helps with. "
        f"Lines that begin with {AUTHORS} are not answered by a bundle."
    )
    parts = _parts(contents, Results(contents.manifest, metrics), results_digest)
    return "\n\n".join([title, head, *map(_section, parts)]) + "\n"


def _section(part: _Part) -> str:
    lines = [*part.lines, *(f"{AUTHORS} {question}" for question in part.open)]
    return f"## {part.title}\n\n*[{part.asked}]*\n\n" + "\n".join(f"- {line}" for line in lines)


def _parts(contents: Contents, results: Results, results_digest: str) -> Iterator[_Part]:
    yield _Part(
        "Which models and data, under which licences?",
        "ACL B1, B2, B3, B5; NeurIPS 12",
        _artefacts(contents),
        (
            "who made each of these, with a citation; the licence of the model, which a manifest does not record.",
            "is this use what their makers allow, and what may be done with what you release?",
            "languages, groups of people, personal data and offensive text in the data, and what was done about them.",
        ),
    )
    yield _Part("How much data?", "ACL B6; NeurIPS 6", _amounts(contents), ("how the sets were split and drawn.",))
    yield _Part(
        "Which settings?",
        "ACL C2; NeurIPS 4, 6",
        _settings(contents),
        ("how these values were chosen, which others were tried, and on which data.",),
    )
    yield _Part("Which seeds, and does it repeat itself?", "ACL C2, C3; NeurIPS 4, 7", _seeds(contents), ())
    yield _Part("How many runs, and what do the error bars say?", "ACL C3; NeurIPS 7", _results(contents, results), ())
    yield _Part(
        "How were answers scored?",
        "ACL C4, D1 to D5; NeurIPS 6, 14, 15",
        _judges(contents, results),
        ("where people judged: who they were, how they were instructed, paid and asked, and who approved it.",),
    )
    yield _Part(
        "How much computing, on what?",
        "ACL C1; NeurIPS 8",
        _compute(contents),
        (
            "the number of the model's parameters.",
            "computing that this bundle does not hold: trials, failed runs, other experiments of the paper.",
        ),
    )
    yield _Part("Which software?", "ACL C4; NeurIPS 4, 6", _software(contents), ())
    yield _Part(
        "How can others repeat it?",
        "NeurIPS 4, 5, 13",
        _repetition(contents, results_digest),
        ("where code, bundle, models and data can be had; under review, without your names.",),
    )
    yield _Part(
        "What no bundle knows",
        "ACL A1, A2, B4, E1; NeurIPS 1, 2, 3, 9, 10, 11, 16",
        iter(()),
        (
            "do the abstract's claims go no further than the numbers above? what limits them?",
            "risks, misuse and effects on society; safeguards for weights or answers that you release.",
            "ethics, proofs where there is theory, and what language models had a part in the work.",
        ),
    )


def _artefacts(contents: Contents) -> Iterator[str]:
    manifest = contents.manifest
    model = manifest.model
    what = "Answers recorded before" if model.is_recorded else "Base model"
    yield f"{what}: {marked(model.source.name)}, {count(len(model.source.files), 'file')}, each fixed by its digest."
    for name, judge in sorted(manifest.judges.items()):
        if judge.asked:
            yield f"Model of the judge {marked(name)}: {marked(judge.asked.model.source.name)}, fixed likewise."
    for row in method(contents).data:
        public = "its text may be published" if row.publish else "its text may not be published"
        yield (
            f"Data set {marked(row.name)}, for {marked(row.use)}: {marked(manifest.data[row.name].source.name)}, "
            f"licence {marked(row.license)}; {public}."
        )


def _amounts(contents: Contents) -> Iterator[str]:
    for name, prompts in sorted(contents.prompts.items()):
        categories = len({prompt.category for prompt in prompts})
        sizes = f"{count(len(prompts), 'prompt')} in {count(categories, 'category', 'categories')}"
        yield f"Evaluation {marked(name)}: {sizes}."
    for weights, trace in sorted(contents.training.items(), key=lambda item: str(item[0])):
        order = trace.get("order")
        if isinstance(order, list):
            yield f"Training of {marked(str(weights))}: {count(len(set(map(str, order))), 'row')}."
    yield from map(marked, method(contents).rows)
    for row in method(contents).data:
        yield f"Rows used of {marked(row.name)}: {marked(row.rows)}."


def _settings(contents: Contents) -> Iterator[str]:
    for group in method(contents).groups:
        if group.heading not in ("Seeds", "Judges"):
            yield f"{marked(group.heading)}: {_named(group.rows)}."
    for name, evaluation in sorted(contents.manifest.evaluations.items()):
        yield f"Evaluation {marked(name)}: {_named(settings(evaluation.to_json()))}."


def _seeds(contents: Contents) -> Iterator[str]:
    seeds = contents.manifest.seeds
    yield f"Training seeds: {', '.join(map(str, seeds.training)) or 'none, nothing is trained'}."
    yield f"Generation seeds: {', '.join(map(str, seeds.generation))}."
    yield f"Self-test, the same prompts in another order and batch: {_named(settings(contents.selftest))}."


def _results(contents: Contents, results: Results) -> Iterator[str]:
    counted = by_arm(results)
    yield from (marked(notice.line) for notice in notices(results, contents.arms))
    for measure in results.measures():
        repeats = {one.arm: one for one in results.repeats(measure)}
        for arm in results.arms(measure):
            moved = repeats.get(arm.arm)
            spread = (
                ""
                if moved is None or moved.sd is None
                else (
                    f", lowest and highest {percent_range(moved.min, moved.max)}, "
                    f"standard deviation {unsigned_points(moved.sd)} points"
                )
            )
            yield (
                f"{marked(measure.heading)}, {marked(arm.arm)}: {percent(arm.mean.estimate)} over "
                f"{count(arm.runs, 'run')}{spread}; 95 % interval {percent_range(arm.mean.low, arm.mean.high)}; "
                f"cut off at max_tokens: {counted[measure.evaluation, arm.arm].cut_off_percent} of the answers."
            )
    yield (
        "The interval is for other prompts and other training runs (clustered by both, Wilson's limits, "
        "Satterthwaite's degrees of freedom); comparisons are paired by prompt and corrected by Holm's method."
    )


def _judges(contents: Contents, results: Results) -> Iterator[str]:
    for name, judge in sorted(contents.manifest.judges.items()):
        yield f"Judge {marked(name)}: {marked(method_of(contents, name))}; rules {judge.rules}."
    for pair in results.judge_pairs():
        where = f" on {marked(pair.evaluation)}" if pair.evaluation else ""
        kappa = "" if pair.kappa is None else f", Cohen's kappa {pair.kappa.estimate:.2f}"
        yield (
            f"Judges {marked(pair.first)} and {marked(pair.second)}{where}: "
            f"the same verdict on {pair.agreeing} of {count(pair.answers, 'answer')}{kappa}."
        )


def _compute(contents: Contents) -> Iterator[str]:
    rows = [row for row in machine(contents.environment).rows if row[0].startswith(("accelerators", "platform"))]
    yield f"Hardware: {_named(rows)}."
    run = contents.run
    yield f"Begun {marked(str(run.get('start', 'unknown')))}, ended {marked(str(run.get('end', 'unknown')))}."
    steps = run.get("steps")
    done = [one for one in steps if isinstance(one, dict)] if isinstance(steps, list) else []
    timed = [
        seconds for one in done if isinstance(seconds := one.get("seconds"), int | float) and not one.get("reused")
    ]
    yield f"Training and generation: {count(len(timed), 'step')}, {sum(timed):.0f} seconds together."
    trained = [trace.get("trainable_parameters") for trace in contents.training.values()]
    for number in sorted({number for number in trained if isinstance(number, int)}):
        yield f"Parameters that were trained: {number:,}."


def _software(contents: Contents) -> Iterator[str]:
    found = machine(contents.environment)
    kit = contents.run.get("kit")
    yield f"kit {marked(str(kit.get('version', 'unknown')) if isinstance(kit, dict) else 'unknown')}."
    yield f"Packages: {_named(found.key_packages)}; {count(len(found.packages), 'package')} in all are recorded."
    rows = [row for row in found.rows if not row[0].startswith(("accelerators", "platform"))]
    yield f"Environment: {_named(rows)}."
    yield f"Switches: {'; '.join(marked(f'{name}={value}') for name, value in found.switches) or 'none'}."


def _repetition(contents: Contents, results_digest: str) -> Iterator[str]:
    manifest = contents.manifest
    yield f"The manifest {marked(manifest.name)} ({json_digest(manifest.to_json())}) says everything that decides it."
    yield f"`kit reproduce BUNDLE` runs it again and compares; the same results print `{results_digest}`."
    yield "`kit verify BUNDLE` computes every number again from the recorded answers, without a GPU."
    if manifest.expect:
        margin = unsigned_points(manifest.expect.margin)
        numbers = listed([f"{marked(name)} {value:.3f}" for name, value in sorted(manifest.expect.numbers.items())])
        yield f"A rerun should reach the grade {manifest.expect.grade}, within {margin} points; expected: {numbers}."


def _named(rows: Iterable[tuple[str, str]]) -> str:
    return "; ".join(f"{marked(name.replace('_', ' '))} {marked(value)}" for name, value in rows) or "none"
