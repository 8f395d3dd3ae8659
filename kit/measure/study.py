"""What the repeats say together: how sure a rate is, what moves it, and what a design like this one can see."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from kit.cells import BASE, TUNED
from kit.measure.agreement import agreement, kappa_interval
from kit.measure.anova import GENERATION, JUDGE, PROMPT, TRAINING, VARIATION, Table
from kit.measure.compare import compare
from kit.measure.judged import run_tables
from kit.measure.mean import mean_of, rate_interval
from kit.measure.multiplicity import holm
from kit.measure.next_run import next_run
from kit.measure.rates import PRIMARY_RATE
from kit.measure.split import split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kit.bundle.contents import Contents
    from kit.canonical import Json
    from kit.measure.judged import JudgedCell, RunTable

    Tables = Mapping[tuple[str, str, str], RunTable]

WANTED = 0.05
"""A difference that a study should be able to see, where the manifest states no margin."""


def study(judged: Sequence[JudgedCell], contents: Contents) -> dict[str, Json]:
    """Return what stands under `study` in `payload/metrics.json`; its shape is in docs/numbers.md."""
    tables = run_tables(judged)
    expect = contents.manifest.expect
    return {
        "arms": [_arm(key, table, contents) for key, table in sorted(tables.items())],
        "comparisons": [*_comparisons(tables, contents, expect.margin if expect else None)],
        "sources": [*_pooled(tables)],
        "judges": [*_judges(judged, contents)],
    }


def _arm(key: tuple[str, str, str], table: RunTable, contents: Contents) -> dict[str, Json]:
    evaluation, judge, arm = key
    mean = mean_of(table.by_training())
    runs = table.runs
    expected = next_run(table)
    return {
        "evaluation": evaluation,
        "judge": judge,
        "arm": arm,
        "rate": _rate(evaluation, contents),
        "prompts": table.prompts,
        "runs": len(runs),
        "mean": rate_interval(mean, table.prompts, len(runs)).to_json(),
        "next_run": expected.to_json() if expected else None,
        "agreement": agreement(runs).to_json() if len(runs) > 1 else None,
        "sources": _sources({("", ""): table}),
    }


def _rate(evaluation: str, contents: Contents) -> str:
    return PRIMARY_RATE[contents.manifest.evaluations[evaluation].kind]


def _comparisons(tables: Tables, contents: Contents, margin: float | None) -> Iterator[Json]:
    """Compare the fine-tuned arm with the base, and each variation with the arm that it varies."""
    families: dict[tuple[str, str, str], list[str]] = {}
    for evaluation, judge, arm in sorted(tables):
        if arm != BASE:
            varied = TUNED if (evaluation, judge, TUNED) in tables else BASE
            families.setdefault((evaluation, judge, BASE if arm == TUNED else varied), []).append(arm)
    for (evaluation, judge, reference), arms in families.items():
        before = tables[evaluation, judge, reference]
        compared = [compare(before, tables[evaluation, judge, arm], margin, WANTED) for arm in arms]
        adjusted = holm([one.p_value for one in compared])
        for arm, one, p_value in zip(arms, compared, adjusted, strict=True):
            yield {
                "evaluation": evaluation,
                "judge": judge,
                "rate": _rate(evaluation, contents),
                "reference": reference,
                "arm": arm,
                **one.to_json(),
                "p_value_holm": p_value,
            }


def _pooled(tables: Tables) -> Iterator[Json]:
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


def _judges(judged: Sequence[JudgedCell], contents: Contents) -> Iterator[Json]:
    """Compare any two judges of an evaluation over all the answers that both have seen."""
    for evaluation, of in sorted(contents.manifest.evaluations.items()):
        cells = {(one.judge, one.cell): one.verdicts for one in judged if one.cell.evaluation == evaluation}
        prompts = contents.prompts[evaluation]
        for first, second in combinations(of.judges, 2):
            pairs = [
                list(zip(verdicts, cells[second, cell], strict=True))
                for (judge, cell), verdicts in sorted(cells.items(), key=lambda item: str(item[0][1]))
                if judge == first
            ]
            clusters = [list(cluster) for cluster in zip(*pairs, strict=True)]
            if not clusters:
                continue
            kappa = kappa_interval(clusters)
            parted = [
                {"prompt_id": prompt.id, "answers": sum(one != other for one, other in cluster)}
                for prompt, cluster in zip(prompts, clusters, strict=True)
                if any(one != other for one, other in cluster)
            ]
            yield {
                "evaluation": evaluation,
                "first": first,
                "second": second,
                "answers": len(pairs) * len(clusters),
                "agreeing": sum(one == other for cluster in clusters for one, other in cluster),
                "kappa": kappa.to_json() if kappa else None,
                "parted": [*parted],
            }
