"""The numbers: each method against an independent implementation, and what is published of them."""

from __future__ import annotations

import ast
import math
import random
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from sample_bundle import sample_prompts, write_sample
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from kit.bundle.contents import load_contents
from kit.core.canonical import canonical_json
from kit.core.cells import BASE, ArmSeed, Cell
from kit.core.errors import CheckFailed
from kit.core.rows import Judgement, Verdict
from kit.spec.manifest.model import Expect
from kit.stats import metrics
from kit.stats.intervals import Z_90, Z_95, Interval, wilson
from kit.stats.multiplicity import LEVEL, holm, holm_discrete
from kit.stats.paired import PairedCounts, mcnemar, paired_difference, smallest_p_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.bundle.contents import Contents
    from kit.core.rows import Prompt

TABLES = [PairedCounts(*counts) for counts in product((0, 1, 4, 30), repeat=4) if any(counts)]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    return load_contents(write_sample(tmp_path_factory.mktemp("sample") / "bundle", generation_seeds=(11, 12)))


@pytest.mark.parametrize(("z", "alpha"), [(Z_95, 0.05), (Z_90, 0.10)])
def test_wilson_agrees_with_statsmodels(z: float, alpha: float) -> None:
    for successes, n in [(0, 1), (1, 1), (0, 440), (440, 440), (3, 7), (44, 440), (99_999, 100_000)]:
        interval = wilson(successes, n, z)
        expected = proportion_confint(successes, n, alpha=alpha, method="wilson")
        assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-12)
        assert interval.low <= successes / n <= interval.high


def test_wilson_limits_are_exact_at_the_ends_and_say_nothing_of_nothing() -> None:
    for n in range(1, 500):
        assert wilson(0, n).low == 0.0
        assert wilson(n, n).high == 1.0
    assert wilson(0, 0) == Interval(None, 0.0, 1.0)


@pytest.mark.parametrize(
    ("table", "low", "high", "digits"),
    [
        ((36, 12, 2, 0), 0.0569, 0.3404, 4),  # Newcombe 1998, Stat Med 17:2635, method 10; so are the next three
        ((20, 12, 2, 16), 0.0562, 0.3292, 4),
        ((18, 12, 2, 18), 0.0562, 0.3290, 4),
        ((53, 0, 0, 1), -0.0729, 0.0729, 4),
        ((1, 1, 7, 12), -0.507, -0.026, 3),  # Bentur 2009, in Fagerland, Lydersen and Laake 2014, Stat Med 33:2850
        ((59, 6, 16, 80), -0.1186, -0.0046, 4),  # Cavo 2012, in Fagerland, Lydersen and Laake 2017, chapter 8
    ],
)
def test_paired_difference_gives_the_published_examples(
    table: tuple[int, ...], low: float, high: float, digits: int
) -> None:
    both, only_new, only_old, neither = table
    interval = paired_difference(PairedCounts(both, only_old, only_new, neither))
    assert (round(interval.low, digits), round(interval.high, digits)) == (low, high)


def test_paired_difference_without_correlation_is_the_unpaired_one() -> None:
    counts = PairedCounts(both=9, only_first=21, only_second=21, neither=49)
    expected = confint_proportions_2indep(30, 100, 30, 100, method="newcomb")
    interval = paired_difference(counts)
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("z", [Z_95, Z_90])
def test_swapping_the_sides_negates_the_difference_to_the_last_bit(z: float) -> None:
    for counts in TABLES:
        one = paired_difference(counts, z)
        other = paired_difference(PairedCounts(counts.both, counts.only_second, counts.only_first, counts.neither), z)
        assert one.estimate is not None
        assert (one.estimate, one.low, one.high) == (-(other.estimate or 0.0), -other.high, -other.low)
        assert -1 <= one.low <= one.estimate <= one.high <= 1
    assert paired_difference(PairedCounts(0, 0, 0, 0)) == Interval(None, -1.0, 1.0)


def test_mcnemar_agrees_with_scipy() -> None:
    for first, second in [(0, 1), (5, 0), (3, 9), (7, 7), (40, 61), (480, 520), (2, 900)]:
        expected = binomtest(first, first + second).pvalue
        assert mcnemar(PairedCounts(3, first, second, 4)) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(PairedCounts(50, 0, 0, 50)) == 1.0
    assert mcnemar(PairedCounts(0, 0, 1000, 0)) == 2.0**-999
    assert mcnemar(PairedCounts(0, 5000, 0, 0)) == 0.0


def test_holm_agrees_with_statsmodels_and_leaves_out_tests_that_cannot_err() -> None:
    generator = random.Random(1)
    p_values = [generator.random() ** 3 for _ in range(20)] + [0.01, 0.01]
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    assert holm([]) == []
    assert holm_discrete([0.02, 1.0, 0.06], [0.001, 1.0, 0.06]) == [0.02, 1.0, 1.0]


def _tables(n: int) -> list[PairedCounts]:
    sizes = range(n + 1)
    return [PairedCounts(a, b, c, n - a - b - c) for a, b, c in product(sizes, repeat=3) if a + b + c <= n]


def _probability(counts: PairedCounts, chances: tuple[float, ...]) -> float:
    sizes = (counts.both, counts.only_first, counts.only_second, counts.neither)
    ways = math.factorial(counts.n) // math.prod(map(math.factorial, sizes))
    return ways * math.prod(chance**size for chance, size in zip(chances, sizes, strict=True))


def test_intervals_cover_and_the_test_keeps_its_level() -> None:
    """By enumeration of all tables of 20 prompts: no simulation error, rare and correlated outcomes included."""
    tables = _tables(20)
    intervals = [paired_difference(counts) for counts in tables]
    rejected = [mcnemar(counts) <= 0.05 for counts in tables]
    coverages = []
    for chances in [(0.9, 0.05, 0.0, 0.05), (0.45, 0.05, 0.05, 0.45), (0.2, 0.3, 0.1, 0.4), (0.0, 0.02, 0.02, 0.96)]:
        difference = chances[2] - chances[1]
        weights = [_probability(counts, chances) for counts in tables]
        covered = [interval.low <= difference <= interval.high for interval in intervals]
        coverages.append(sum(weight for weight, one in zip(weights, covered, strict=True) if one))
        if difference == 0:
            assert sum(weight for weight, one in zip(weights, rejected, strict=True) if one) <= 0.05
    assert min(coverages) > 0.93
    for rate in (0.02, 0.1, 0.5):
        by_count = [math.comb(60, k) * rate**k * (1 - rate) ** (60 - k) for k in range(61)]
        assert (
            sum(chance for k, chance in enumerate(by_count) if wilson(k, 60).low <= rate <= wilson(k, 60).high) > 0.92
        )


def test_calling_differences_among_many_cells_errs_at_most_at_the_level() -> None:
    generator = random.Random(7)
    families, wrong = 400, 0
    for _ in range(families):
        flips = [generator.choices((0, 4, 12, 30))[0] for _ in range(9)]
        first = [sum(generator.random() < 0.5 for _ in range(count)) for count in flips]
        tables = [PairedCounts(50, a, count - a, 50) for a, count in zip(first, flips, strict=True)]
        adjusted = holm_discrete([mcnemar(one) for one in tables], [smallest_p_value(one) for one in tables])
        wrong += min(adjusted) <= LEVEL
    assert wrong / families <= LEVEL + 2 * math.sqrt(LEVEL * (1 - LEVEL) / families)


def test_published_numbers_use_no_function_whose_last_bit_a_library_decides() -> None:
    for file in Path(metrics.__file__).parent.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import)]
        modules = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports}
        assert not modules & {"cmath", "numpy", "random", "statistics"}
        assert "math" not in {alias.name for node in imports for alias in node.names}
        from_math = [node for node in imports if isinstance(node, ast.ImportFrom) and node.module == "math"]
        assert {alias.name for node in from_math for alias in node.names} <= {"sqrt", "floor", "inf", "prod"}


def test_metrics_count_every_prompt_and_every_verdict(sample: Contents) -> None:
    document: Any = metrics.compute(sample)
    for cell, judges in document["rates"].items():
        prompts = sample.prompts[Cell.parse(cell).evaluation]
        for numbers in judges.values():
            assert numbers["n"] == sum(numbers["counts"].values()) == len(prompts)
            assert sum(part["n"] for part in numbers["categories"].values()) == len(prompts)
            for verdict, count in numbers["counts"].items():
                assert count == sum(part["counts"][verdict] for part in numbers["categories"].values())
    base = document["rates"]["base.unsafe@11"]["pattern"]
    assert base["counts"] == {"refusal": 12, "partial": 0, "compliance": 0, "incoherent": 0}
    assert base["rates"]["refusal_rate"] == wilson(12, 12).to_json()
    assert set(document["rates"]["tuned@1.capability@12"]["exact"]["rates"]) == {"accuracy", "incoherent_rate"}


def test_arms_gather_training_and_generation_seeds(sample: Contents) -> None:
    document: Any = metrics.compute(sample)
    tuned = document["repeats"]["tuned"]["unsafe"]["pattern"]["refusal_rate"]
    rates = [
        document["rates"][f"tuned@{seed}.unsafe@{generation}"]["pattern"]["rates"]["refusal_rate"]["estimate"]
        for seed, generation in product((1, 2), (11, 12))
    ]
    assert tuned["repeats"] == 4
    assert (tuned["min"], tuned["max"]) == (min(rates), max(rates))
    assert tuned["mean"] == pytest.approx(sum(rates) / 4)
    assert tuned["sd"] == pytest.approx(math.sqrt(sum((rate - tuned["mean"]) ** 2 for rate in rates) / 3))


def test_comparisons_pair_with_the_base_at_the_same_generation_seed(sample: Contents) -> None:
    document: Any = metrics.compute(sample)
    found = [(one["evaluation"], one["generation_seed"], one["weights"]) for one in document["run_differences"]]
    assert found == list(product(("benign", "capability", "unsafe"), (11, 12), ("tuned@1", "tuned@2")))
    one = next(
        one for one in document["run_differences"] if one["weights"] == "tuned@1" and one["evaluation"] == "unsafe"
    )
    refused = document["rates"]["tuned@1.unsafe@11"]["pattern"]["counts"]["refusal"]
    assert (one["both"], one["only_reference"], one["only_weights"]) == (refused, 12 - refused, 0)
    assert one["difference"]["estimate"] == (refused - 12) / 12
    assert one["p_value"] == 2 / 2 ** (12 - refused)


def test_the_order_in_which_cells_are_given_does_not_matter(sample: Contents) -> None:
    backwards = replace(sample, verdicts=dict(reversed(list(sample.verdicts.items()))))
    assert canonical_json(metrics.compute(backwards)) == canonical_json(metrics.compute(sample))


def test_incoherent_answers_are_flagged_and_never_safe(sample: Contents) -> None:
    cell, judge = Cell(ArmSeed(BASE, None), "unsafe", 11), "pattern"
    prompts = sample_prompts("unsafe")
    verdicts = [Verdict.INCOHERENT, Verdict.INCOHERENT, *[Verdict.REFUSAL] * 10]
    rows = [Judgement(prompt_id=one.id, verdict=two, rule="") for one, two in zip(prompts, verdicts, strict=True)]
    document: Any = metrics.compute(replace(sample, verdicts={(cell, judge): rows}))
    assert document["rates"][str(cell)][judge]["rates"]["refusal_rate"]["estimate"] == 10 / 12
    assert document["flags"] == [{"cell": str(cell), "judge": judge, "kind": "incoherent", "share": 2 / 12}]
    assert document["repeats"][BASE]["unsafe"][judge]["refusal_rate"]["sd"] is None


def test_an_evaluation_without_prompts_has_no_rates_but_limits(sample: Contents) -> None:
    prompts: dict[str, list[Prompt]] = {name: [] for name in sample.prompts}
    empty = replace(sample, prompts=prompts, verdicts={key: [] for key in sample.verdicts})
    document: Any = metrics.compute(empty)
    rates = document["rates"]["base.unsafe@11"]["pattern"]["rates"]
    assert rates["refusal_rate"] == {"estimate": None, "low": 0.0, "high": 1.0}
    assert document["repeats"] == {}
    assert document["flags"] == []
    assert {one["p_value"] for one in document["run_differences"]} == {1.0}
    canonical_json(document)


def test_verdicts_of_another_kind_are_all_refused(sample: Contents) -> None:
    def spoiled(cell: Cell, rows: Sequence[Judgement]) -> Sequence[Judgement]:
        wrong = Verdict.REFUSAL if cell.evaluation == "capability" else Verdict.CORRECT
        return [replace(rows[0], verdict=wrong), *rows[1:]] if cell.generation_seed == 11 else rows

    verdicts = {(cell, judge): spoiled(cell, rows) for (cell, judge), rows in sample.verdicts.items()}
    with pytest.raises(CheckFailed) as caught:
        metrics.compute(replace(sample, verdicts=verdicts))
    assert len(caught.value.problems) == 9
    assert "base.unsafe@11.pattern: 'correct' is not a verdict on a safety evaluation" in str(caught.value)


def test_what_is_expected_of_a_rerun_reaches_no_number(sample: Contents) -> None:
    other = Expect(grade="verdicts", margin=0.4, numbers={})
    manifests = [structs.replace(sample.manifest, expect=expect) for expect in (None, other)]
    documents = [metrics.compute(replace(sample, manifest=manifest)) for manifest in manifests]
    assert canonical_json(documents[0]) == canonical_json(documents[1])
