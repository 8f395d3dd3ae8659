"""`table.tex`: arms by evaluations, for the package booktabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.report.answers import by_arm
from kit.report.export.escape import breakable, escaped
from kit.report.export.numbers import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kit.report.answers import Answers
    from kit.report.result_types import Measure
    from kit.report.results import Results


def render(results: Results, results_digest: str, prefix: str) -> str:
    """Return a floating table that stands for itself: each arm's mean, its interval, and its lowest and highest run."""
    measures, counted = results.measures(), by_arm(results)
    shown = {arm.arm for measure in measures for arm in results.arms(measure)}
    rows = [_row(results, measures, arm, counted) for arm in sorted(shown, key=results.arm_order)]
    lines = [
        "% Written by `kit export`; needs the package booktabs.",
        r"\begin{table*}",
        r"\centering",
        r"\footnotesize",
        rf"\begin{{tabular}}{{l{'c' * len(measures)}}}",
        r"\toprule",
        _head(measures),
        r"\midrule",
        "\n\\addlinespace\n".join(rows),
        r"\bottomrule",
        r"\end{tabular}",
        rf"\caption{{{_caption(results, results_digest)}}}",
        rf"\label{{tab:{prefix}}}",
        r"\end{table*}",
        "",
    ]
    return "\n".join(lines)


def _head(measures: Sequence[Measure]) -> str:
    lines = [["", *(escaped(measure.evaluation) for measure in measures)]]
    lines.append(["", *(escaped(measure.quantity) for measure in measures)])
    if not all(measure.only_judge for measure in measures):
        lines.append(["", *(escaped(measure.judge) for measure in measures)])
    return "\n".join(map(_line, lines))


def _row(results: Results, measures: Sequence[Measure], arm: str, counted: Mapping[tuple[str, str], Answers]) -> str:
    cells = [(*_cell(results, measure, arm), _cut_off(counted.get((measure.evaluation, arm)))) for measure in measures]
    return "\n".join(map(_line, zip((escaped(arm), "", "", ""), *cells, strict=True)))


def _cut_off(counted: Answers | None) -> str:
    share = counted.cut_off_share if counted else None
    return "" if share is None else f"cut off: {percent(share)}"


def _cell(results: Results, measure: Measure, arm: str) -> tuple[str, str, str]:
    """Return mean, interval and range, in lines below each other."""
    studied = next((one for one in results.arms(measure) if one.arm == arm), None)
    repeats = next((one for one in results.repeats(measure) if one.arm == arm), None)
    if studied is None or repeats is None:
        return "--", "", ""
    mean = studied.mean
    spread = "one run" if studied.runs == 1 else f"{percent(repeats.min)}--{percent(repeats.max)}"
    return percent(mean.estimate), f"[{percent(mean.low)}, {percent(mean.high)}]", spread


def _line(cells: Sequence[str]) -> str:
    # Without the braces a line that begins with `[` would be read as an argument of the one before.
    return " & ".join(f"{{{cell}}}" if cell.startswith("[") else cell for cell in cells) + r" \\"


def _caption(results: Results, results_digest: str) -> str:
    manifest = results.manifest
    prompts = {measure.evaluation: arm.prompts for measure in results.measures() for arm in results.arms(measure)}
    sizes = ", ".join(f"{escaped(name)} {number}" for name, number in prompts.items())
    return (
        "Mean over all runs of an arm, in per~cent; in brackets its 95\\,\\% interval, for other prompts and other "
        "training runs; below it the lowest and the highest single run, and the share of "
        "answers that were cut off at the limit of their length. "
        f"Training seeds: {len(manifest.seeds.training)}; generation seeds: {len(manifest.seeds.generation)}; "
        f"prompts: {sizes}. Results digest: \\texttt{{{breakable(results_digest)}}}."
    )
