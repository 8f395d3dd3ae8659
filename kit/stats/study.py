"""What the repeats say together: how sure a rate is, what moves it, and what a design like this one can see."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from kit.core.cells import BASE, TUNED
from kit.stats.agreement import agreement, kappa_interval
from kit.stats.anova import GENERATION, JUDGE, PROMPT, TRAINING, VARIATION, Table
from kit.stats.compare import compare
from kit.stats.mean import mean_of, rate_interval
from kit.stats.multiplicity import holm
from kit.stats.next_run import next_run
from kit.stats.split import split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kit.core.canonical import Json
    from kit.stats.judged import RunTable
    from kit.stats.measured import Measured

    _Cluster = tuple[str, list[tuple[str, str]]]

WANTED = 0.05
"""A difference that a study should be able to see: nothing of `expect` may reach a result."""


def means(measured: Measured) -> list[Json]:
    """Return the block `means`: the rate of each arm over all its runs, and where one more run is to be expected."""
    return [_mean(key, table, measured) for key, table in measured.tables.items()]


def _mean(key: tuple[str, str, str], table: RunTable, measured: Measured) -> dict[str, Json]:
    evaluation, judge, arm = key
    expected = next_run(table)
    return {
        "evaluation": evaluation,
        "judge": judge,
        "arm": arm,
        "rate": measured.rate_of(evaluation),
        "prompts": table.prompts,
        "runs": len(table.runs),
        "mean": rate_interval(mean_of(*table.by_training())).to_json(),
        "next_run": expected.to_json() if expected else None,
    }


def run_agreement(measured: Measured) -> list[Json]:
    """Return the block `agreement`: how alike the runs of each arm that has several answered."""
    return [
        {"evaluation": evaluation, "judge": judge, "arm": arm, **agreement(table.runs).to_json()}
        for (evaluation, judge, arm), table in measured.tables.items()
        if len(table.runs) > 1
    ]


def variance(measured: Measured) -> list[Json]:
    """Return the block `variance`: what moves a rate, by arm, and over several arms or judges of an evaluation."""
    by_arm: list[Json] = [
        {"evaluation": evaluation, "judges": [judge], "arms": [arm], "sources": _sources({("", ""): table})}
        for (evaluation, judge, arm), table in measured.tables.items()
    ]
    return [*by_arm, *_pooled(measured.tables)]


def differences(measured: Measured) -> list[Json]:
    """Return the block `differences`: the fine-tuned arm against the base, each variation against what it varies."""
    return [*_differences(measured)]


def _differences(measured: Measured) -> Iterator[Json]:
    tables = measured.tables
    families: dict[tuple[str, str, str], list[str]] = {}
    for evaluation, judge, arm in tables:
        if arm != BASE:
            varied = TUNED if (evaluation, judge, TUNED) in tables else BASE
            reference = BASE if arm == TUNED else varied
            before = tables.get((evaluation, judge, reference))
            if before and before.shared(tables[evaluation, judge, arm]).training:
                families.setdefault((evaluation, judge, reference), []).append(arm)
    for (evaluation, judge, reference), arms in families.items():
        before = tables[evaluation, judge, reference]
        compared = [compare(before, tables[evaluation, judge, arm], WANTED) for arm in arms]
        adjusted = holm([one.p_value for one in compared])
        for arm, one, p_value in zip(arms, compared, adjusted, strict=True):
            yield {
                "evaluation": evaluation,
                "judge": judge,
                "rate": measured.rate_of(evaluation),
                "reference": reference,
                "arm": arm,
                **one.to_json(),
                "p_value_holm": p_value,
            }


def _pooled(tables: Mapping[tuple[str, str, str], RunTable]) -> Iterator[Json]:
    """Split the variance over everything that was varied beside the seeds: variations and judges."""
    for evaluation in sorted({evaluation for evaluation, _, _ in tables}):
        pooled = {(judge, arm): table for (name, judge, arm), table in tables.items() if name == evaluation}
        varied = {key: table for key, table in sorted(pooled.items()) if key[1] != BASE} or pooled
        if len(varied) > 1 and _is_crossed(varied):
            judges, arms = (list(dict.fromkeys(names)) for names in zip(*varied, strict=True))
            yield {"evaluation": evaluation, "judges": [*judges], "arms": [*arms], "sources": _sources(varied)}


def _is_crossed(tables: Mapping[tuple[str, str], RunTable]) -> bool:
    """Tell whether every judge saw every arm, each with as many runs: a variation may not be trained at all."""
    judges, arms = ({key[place] for key in tables} for place in (0, 1))
    shapes = {(table.training, table.generation) for table in tables.values()}
    return len(tables) == len(judges) * len(arms) and len(shapes) == 1


def _sources(tables: Mapping[tuple[str, str], RunTable]) -> list[Json]:
    """Split the variance of 0 and 1 by prompt, judge, arm and seeds; `tables` are crossed and in order."""
    some = next(iter(tables.values()))
    crossed = {JUDGE: len({judge for judge, _ in tables}), VARIATION: len({arm for _, arm in tables})}
    levels = {PROMPT: some.prompts, **{name: count for name, count in crossed.items() if count > 1}}
    levels |= {TRAINING: len(some.training), GENERATION: len(some.generation)}
    runs = [run for table in tables.values() for run in table.runs]
    values = [int(hit) for answers in zip(*runs, strict=True) for hit in answers]
    return [source.to_json() for source in split(Table(levels, values))]


def judge_agreement(measured: Measured) -> list[Json]:
    """Return the block `judge_agreement`: any two judges over all the answers that both have seen.

    By evaluation and, where both judge several, over all of them together.
    """
    return [*_judge_pairs(measured)]


def _judge_pairs(measured: Measured) -> Iterator[Json]:
    contents, judged = measured.contents, measured.judged
    seen: dict[tuple[str, str], dict[str, list[_Cluster]]] = {}
    for evaluation, of in sorted(contents.manifest.evaluations.items()):
        verdicts = {(one.judge, one.cell): one.verdicts for one in judged if one.cell.evaluation == evaluation}
        for first, second in combinations(of.judges, 2):
            rows = [
                list(zip(mine, verdicts[second, cell], strict=True))
                for (judge, cell), mine in verdicts.items()
                if judge == first
            ]
            ids = [prompt.id for prompt in contents.prompts[evaluation]]
            clusters = [(name, list(pairs)) for name, pairs in zip(ids, zip(*rows, strict=True), strict=True)]
            if clusters:
                seen.setdefault((first, second), {})[evaluation] = clusters
    for (first, second), by_evaluation in seen.items():
        for evaluation, clusters in by_evaluation.items():
            yield {"evaluation": evaluation, "first": first, "second": second, **_agreeing(clusters)}
        if len(by_evaluation) > 1:
            every = [cluster for clusters in by_evaluation.values() for cluster in clusters]
            yield {"evaluation": None, "first": first, "second": second, **_agreeing(every)}


def _agreeing(clusters: Sequence[_Cluster]) -> dict[str, Json]:
    """Return how two judges agree; a cluster holds their verdicts on every answer to one prompt."""
    kappa = kappa_interval([pairs for _, pairs in clusters])
    parted = {name: sum(one != other for one, other in pairs) for name, pairs in clusters}
    return {
        "answers": sum(len(pairs) for _, pairs in clusters),
        "agreeing": sum(one == other for _, pairs in clusters for one, other in pairs),
        "kappa": kappa.to_json() if kappa else None,
        "parted": [{"prompt_id": name, "answers": count} for name, count in parted.items() if count],
    }
