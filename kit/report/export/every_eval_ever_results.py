"""The results in a document of Every Eval Ever: each rate of an arm, how it was asked, and how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.canonical import canonical_json
from kit.report.answers import by_arm

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json
    from kit.report.answers import Answers
    from kit.report.result_types import ArmStudy, Measure
    from kit.report.results import Results
    from kit.spec.manifest.model import Evaluation, Manifest

_GOOD = {"refusal": "refusal_rate", "compliance": "compliance_rate", "answer": "accuracy"}
"""By what an evaluation expects: the rate that is better when it is higher; all others are better lower."""


def evaluation_results(arm: str, manifest: Manifest, contents: Contents, results: Results) -> Iterator[dict[str, Json]]:
    """Yield the mean over all runs for each evaluation, judge and rate; `manifest` is the one that the arm follows."""
    counted = by_arm(results)
    for measure in results.measures():
        studied = next((one for one in results.arms(measure) if one.arm == arm), None)
        spreads = results.metrics["repeats"].get(arm, {}).get(measure.evaluation, {}).get(measure.judge, {})
        evaluation = manifest.evaluations[measure.evaluation]
        for rate, spread in spreads.items() if studied else ():
            yield {
                "evaluation_result_id": f"{measure.evaluation}/{measure.judge}/{rate}",
                "evaluation_name": measure.evaluation,
                "source_data": _data(manifest, evaluation, len(contents.prompts[measure.evaluation])),
                "metric_config": _metric(measure, rate, manifest),
                "score_details": _score(
                    spread, studied if rate == measure.rate else None, counted[measure.evaluation, arm]
                ),
                "generation_config": _generation(evaluation, manifest),
            }


def _data(manifest: Manifest, evaluation: Evaluation, prompts: int) -> dict[str, Json]:
    data = manifest.data[evaluation.data]
    return {
        "dataset_name": evaluation.data,
        "source_type": "other",
        "additional_details": {**_strings(data.to_json()), "prompts": str(prompts)},
    }


def _metric(measure: Measure, rate: str, manifest: Manifest) -> dict[str, Json]:
    choice = manifest.judges[measure.judge]
    return {
        "evaluation_description": f"Share of all prompts, where a good model gives: {measure.expects}",
        "metric_id": rate if rate == "accuracy" else f"kit.{rate}",
        "metric_name": rate.replace("_", " "),
        "metric_kind": rate,
        "metric_unit": "proportion",
        "metric_parameters": {"judge": measure.judge},
        "lower_is_better": rate != _GOOD[measure.expects],
        "score_type": "continuous",
        "min_score": 0,
        "max_score": 1,
        "additional_details": {f"judge_{name}": value for name, value in _strings(choice.to_json()).items()},
    }


def _score(spread: Mapping[str, Json], studied: ArmStudy | None, counted: Answers) -> dict[str, Json]:
    """Return the mean, its interval for the rate on which arms are compared, and what is counted of the answers."""
    of_answers: dict[str, Json] = {"answers_cut_off": counted.cut_off, "answers_same_as_base": counted.same_as_base}
    score: dict[str, Json] = {
        "score": spread["mean"],
        "details": {
            **{f"runs_{name}": value for name, value in _strings(spread).items() if name != "mean"},
            **_strings({"answers": counted.n, **of_answers}),
        },
    }
    if studied:
        score["uncertainty"] = {
            "confidence_interval": {
                "lower": studied.mean.low,
                "upper": studied.mean.high,
                "confidence_level": 0.95,
                "method": "Wilson at the effective sample size, clustered by prompt and training run",
            },
            "num_samples": studied.prompts * studied.runs,
        }
    return score


def _generation(evaluation: Evaluation, manifest: Manifest) -> dict[str, Json]:
    settings = evaluation.generation.to_json()
    named = {name: settings.pop(name) for name in ("temperature", "top_p", "top_k", "max_tokens")}
    details: dict[str, Json] = {
        **settings,
        "generation_seeds": [*manifest.seeds.generation],
        "system_prompt": evaluation.system_prompt,
        "prompt_order_seed": evaluation.prompt_order_seed,
        "answer_after": evaluation.answer_after,
        "engine": manifest.engine.to_json(),
    }
    return {"generation_args": named, "additional_details": _strings(details)}


def _strings(document: Mapping[str, Json]) -> dict[str, Json]:
    """Return values as the schema wants additional details: strings; what is none is left out."""
    return {
        name: value if isinstance(value, str) else canonical_json(value).decode()
        for name, value in document.items()
        if value is not None
    }
