r"""`numbers.tex`: a `\newcommand` for each number that a paper prints, so that its text cannot drift from its rows."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING

from kit.report.answers import by_arm
from kit.report.export.escape import breakable, escaped
from kit.report.wording import SMALLEST_P

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kit.bundle.contents import Contents
    from kit.report.answers import Answers
    from kit.report.result_types import ArmStudy, Change, JudgePair, Measure, Rate, Source
    from kit.report.results import Results

PERCENT, POINTS = "per cent", "percentage points"
_DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


@dataclass(frozen=True, slots=True)
class Number:
    """One fact."""

    words: tuple[str, ...]
    """Whose it is, from the outside in, and last what it is; small letters, digits, `-` and `_`."""
    text: str
    """As LaTeX sets it, in text and in formulas alike."""
    unit: str


def render(contents: Contents, results: Results, results_digest: str, prefix: str) -> str:
    """Return `numbers.tex`; `prefix` begins the name of every command and has letters only."""
    found = [*_of_bundle(contents, results_digest), *_of_results(contents, results)]
    lines = [
        rf"\newcommand{{\{name}}}{{{number.text}}}% {' '.join(number.words)}, {number.unit}"
        for name, number in zip(_names(found, prefix), found, strict=True)
    ]
    return "\n".join(["% Written by `kit export`. Change the bundle, not this file.", *lines, ""])


def _names(numbers: Sequence[Number], prefix: str) -> list[str]:
    """Return a name for each number; where several would have the same, all of them get a numeral."""
    plain = [prefix + "".join(map(_camel_case, number.words)) for number in numbers]
    shared = Counter(plain)
    taken = {name for name, times in shared.items() if times == 1}
    names = []
    for name in plain:
        numbered = (name + _camel_case(str(number)) for number in count(1))
        names.append(name if shared[name] == 1 else next(each for each in numbered if each not in taken))
        taken.add(names[-1])
    return names


def _camel_case(word: str) -> str:
    """Return `lr-1e4` as `LrOneEFour`: names of LaTeX's commands have letters only."""
    parts = re.findall("[a-z]+|[0-9]", word)
    return "".join(part.capitalize() if part.isalpha() else _DIGITS[int(part)] for part in parts)


def _of_bundle(contents: Contents, results_digest: str) -> Iterator[Number]:
    yield Number(("results", "digest"), breakable(results_digest), "a digest")
    kit = contents.run.get("kit")
    version = kit.get("version") if isinstance(kit, dict) else None
    if isinstance(version, str):
        yield Number(("version",), escaped(version), "of the kit that measured")
    for kind, seeds in (
        ("training", contents.manifest.seeds.training),
        ("generation", contents.manifest.seeds.generation),
    ):
        yield Number((kind, "seeds"), str(len(seeds)), "how many")
        yield Number((kind, "seed", "list"), ", ".join(map(str, seeds)), "seeds")
    for evaluation, prompts in contents.prompts.items():
        yield Number((evaluation, "prompts"), str(len(prompts)), "how many")


def _of_results(contents: Contents, results: Results) -> Iterator[Number]:
    for (evaluation, arm), counted in by_arm(results).items():
        yield from _answers(counted, (arm, evaluation))
    for measure in results.measures():
        yield from _spreads(results, measure)
        yield from chain.from_iterable(_arm(arm, _of(measure, arm.arm)) for arm in results.arms(measure))
        yield from chain.from_iterable(_change(one, _of(measure, one.arm)) for one in results.changes(measure))
        yield from _cells(results, measure)
    for evaluation in contents.prompts:
        if pooled := results.pooled(evaluation):
            yield from _sources(pooled.sources, ("pooled", evaluation))
    for pair in results.judge_pairs():
        yield from _judges(pair)


def _answers(counted: Answers, words: tuple[str, ...]) -> Iterator[Number]:
    """Yield what is counted of the answers, whatever judges say of them."""
    if counted.cut_off_share is not None:
        yield Number((*words, "cut_off"), percent(counted.cut_off_share), f"{PERCENT} of the answers")
    if counted.same_as_base is not None and counted.n:
        yield Number((*words, "same_as_base"), percent(counted.same_as_base / counted.n), f"{PERCENT} of the answers")


def _of(measure: Measure, arm: str, rate: str = "") -> tuple[str, ...]:
    """Return the words of a rate of an arm; the judge is named where there are several."""
    judge = () if measure.only_judge else (measure.judge,)
    return (arm, measure.evaluation, *judge, rate or measure.rate)


def _spreads(results: Results, measure: Measure) -> Iterator[Number]:
    """Yield how every rate moved between runs, those included on which arms are not compared."""
    arms = results.metrics["repeats"]
    for arm in sorted(arms, key=results.arm_order):
        for rate, spread in arms[arm].get(measure.evaluation, {}).get(measure.judge, {}).items():
            words = _of(measure, arm, rate)
            yield Number((*words, "mean"), percent(spread["mean"]), PERCENT)
            if spread["sd"] is not None:
                yield Number((*words, "sd"), percent(spread["sd"]), POINTS)
            yield Number((*words, "min"), percent(spread["min"]), PERCENT)
            yield Number((*words, "max"), percent(spread["max"]), PERCENT)
            yield Number((*words, "runs"), str(spread["repeats"]), "how many")


def _arm(arm: ArmStudy, words: tuple[str, ...]) -> Iterator[Number]:
    yield from _limits(arm.mean, words)
    if arm.next_run:
        yield from _limits(arm.next_run, (*words, "next_run"))
    if agreement := arm.agreement:
        yield Number((*words, "flip_rate"), percent(agreement.flip_rate), PERCENT)
        if agreement.alpha is not None:
            yield Number((*words, "alpha"), _coefficient(agreement.alpha), "coefficient")
        for name in ("never", "sometimes", "always"):
            yield Number((*words, name), percent(getattr(agreement, name)), f"{PERCENT} of the prompts")
    yield from _sources(arm.sources, words)


def _sources(sources: Iterable[Source], words: tuple[str, ...]) -> Iterator[Number]:
    for source in sources:
        if source.rate_sd:
            of_source = (*words, "from", source.name.replace(" ", "_"), "sd")
            yield Number(of_source, percent(source.rate_sd.estimate), POINTS)
            yield from _limits(source.rate_sd, of_source, POINTS)


def _change(change: Change, words: tuple[str, ...]) -> Iterator[Number]:
    against = f"{POINTS}, {change.arm} minus {change.reference}"
    for name in ("estimate", "low", "high"):
        part = () if name == "estimate" else (name,)
        yield Number((*words, "difference", *part), _signed(getattr(change.difference, name)), against)
    yield Number((*words, "p"), _p_value(change.p_value), "p-value")
    yield Number((*words, "p_holm"), _p_value(change.p_value_holm), "p-value")
    if change.margin is not None:
        yield Number((*words, "margin"), percent(change.margin), POINTS)
    if power := change.power:
        yield Number((*words, "detectable"), percent(power.detectable), POINTS)
        yield Number((*words, "wanted"), percent(power.wanted), POINTS)
        for name in ("training_runs_needed", "prompts_needed"):
            if (needed := getattr(power, name)) is not None:
                yield Number((*words, name), str(needed), "how many")


def _cells(results: Results, measure: Measure) -> Iterator[Number]:
    for result in results.cells(measure):
        arm, *rest = _of(measure, result.cell.weights.arm)
        seed = result.cell.weights.training_seed
        trained = () if seed is None else ("training", str(seed))
        words = (arm, *trained, *rest, "generation", str(result.cell.generation_seed))
        yield Number(words, percent(result.rates[measure.rate].estimate), PERCENT)


def _judges(pair: JudgePair) -> Iterator[Number]:
    words = (pair.evaluation or "all", pair.first, pair.second)
    yield Number((*words, "answers"), str(pair.answers), "how many")
    yield Number((*words, "agreeing"), str(pair.agreeing), "how many")
    yield Number((*words, "parted"), str(len(pair.parted)), "prompts")
    if pair.kappa:
        for name in ("estimate", "low", "high"):
            part = () if name == "estimate" else (name,)
            yield Number((*words, "kappa", *part), _coefficient(getattr(pair.kappa, name)), "coefficient")


def _limits(rate: Rate, words: tuple[str, ...], unit: str = PERCENT) -> Iterator[Number]:
    yield Number((*words, "low"), percent(rate.low), unit)
    yield Number((*words, "high"), percent(rate.high), unit)


def percent(proportion: float) -> str:
    """Return a proportion in per cent, or a distance of two in percentage points, for LaTeX."""
    return _number(f"{100 * proportion:.1f}")


def _signed(proportion: float) -> str:
    return _number(f"{100 * proportion:+.1f}")


def _coefficient(value: float) -> str:
    return _number(f"{value:.2f}")


def _number(text: str) -> str:
    """Return a number whose sign is a minus, not a hyphen, wherever it stands; zero has none."""
    digits = text.lstrip("+-")
    return digits if text == digits or not digits.strip("0.") else rf"\ensuremath{{{text}}}"


def _p_value(value: float) -> str:
    """Return a p-value with its relation: a text with `p=` of its own would be wrong for the small ones."""
    return rf"\ensuremath{{{f'<{SMALLEST_P}' if value < SMALLEST_P else f'={value:.3f}'}}}"
