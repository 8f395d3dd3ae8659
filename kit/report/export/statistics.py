"""Which statistics a study used, in sentences that cite their sources (docs/numbers.md has them at length)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.report.export.numbers import percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.report.result_types import Change
    from kit.report.results import Results


def statistics(results: Results) -> Iterator[str]:
    """Yield sentences for LaTeX on the methods that gave this bundle's numbers, and on no others."""
    arms = [arm for measure in results.measures() for arm in results.arms(measure)]
    changes = [change for measure in results.measures() for change in results.changes(measure)]
    yield (
        "The mean rate over all runs of an arm has a 95\\,\\% interval for other prompts and other training runs: "
        "Wilson's limits~\\cite{kit-wilson1927} at the number of independent answers that would have the same "
        "error~\\cite{kit-korn1998}, where the error is clustered by prompt and by training run, with Satterthwaite's "
        "degrees of freedom~\\cite{kit-satterthwaite1946}."
    )
    if changes:
        yield from _comparisons(results, changes)
    if any(arm.runs > 1 for arm in arms):
        yield from _repeats()
    if results.judge_pairs():
        yield (
            "Judges are compared by Cohen's kappa~\\cite{kit-cohen1960} over all answers, with an interval by the "
            "jackknife over prompts~\\cite{kit-fleiss1982}."
        )


def _comparisons(results: Results, changes: list[Change]) -> Iterator[str]:
    yield "Arms are compared prompt by prompt and, where both were trained, training seed by training seed."
    single = set(_single_runs(results))
    if False in single:
        yield "The interval of a difference and its two-sided test are Student's at the clustered error."
    if True in single:
        yield (
            "Single runs are compared by McNemar's exact test~\\cite{kit-mcnemar1947} and Newcombe's method "
            "10~\\cite{kit-newcombe1998}."
        )
    yield "Comparisons with the same arm are corrected by Holm's method~\\cite{kit-holm1979}."
    margin = changes[0].margin
    if margin is not None:
        yield (
            "Equivalence is tested by two one-sided tests at 5\\,\\%~\\cite{kit-schuirmann1987}, with a margin of "
            f"{percent(margin)} percentage points."
        )
    if any(change.power for change in changes):
        yield (
            "The detectable difference is the smallest true one that a two-sided test at 5\\,\\% finds with "
            "probability 0.8~\\cite{kit-bloom1995}."
        )


def _single_runs(results: Results) -> Iterator[bool]:
    """Yield for each comparison whether either arm has a single run."""
    for measure in results.measures():
        runs = {arm.arm: arm.runs for arm in results.arms(measure)}
        yield from (runs[one.arm] == runs[one.reference] == 1 for one in results.changes(measure))


def _repeats() -> Iterator[str]:
    yield (
        "What prompts, training seeds and generation seeds contribute is an analysis of "
        "variance~\\cite{kit-searle1992} with modified large-sample limits~\\cite{kit-ting1990}."
    )
    yield "Where one more run is to be expected is a 95\\,\\% prediction interval from the same mean squares."
    yield "Agreement over runs is Krippendorff's alpha~\\cite{kit-krippendorff2011}."
