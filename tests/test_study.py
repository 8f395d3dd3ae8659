"""The statistics over repeats: equal to independent implementations, and right about data whose truth is known."""

from __future__ import annotations

import random
import sys
from fractions import Fraction
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.inter_rater import fleiss_kappa
from statsmodels.stats.power import NormalIndPower

from kit.stats.agreement import agreement, cohen_kappa, kappa_interval
from kit.stats.anova import Table, coefficients, mean_squares
from kit.stats.compare import compare
from kit.stats.distributions import chi_square_quantile, f_quantile, t_quantile, t_tail
from kit.stats.intervals import wilson
from kit.stats.judged import RunTable
from kit.stats.limits import component
from kit.stats.mean import mean_of, rate_interval
from kit.stats.next_run import next_run
from kit.stats.paired import PairedCounts, mcnemar
from kit.stats.split import split
from kit.stats.spreads import Counts, limited

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import interval_coverage as coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.stats.intervals import Interval

SIMULATIONS = 200
WANTED = 0.05


def at_least(share: float, simulations: int = SIMULATIONS) -> float:
    """Return three Monte Carlo standard errors below a share: what a method that has it falls under once in 700."""
    return share - 3 * sqrt(share * (1 - share) / simulations)


def table(runs: Sequence[Sequence[Sequence[bool]]]) -> RunTable:
    """Return the table of runs by training seed and generation seed; a single set of weights is not a trained one."""
    training = tuple(range(1, len(runs) + 1)) if len(runs) > 1 else (None,)
    generation = tuple(range(1, len(runs[0]) + 1))
    hits = {
        (seed, other): tuple(run)
        for seed, of_seed in zip(training, runs, strict=True)
        for other, run in zip(generation, of_seed, strict=True)
    }
    return RunTable(training, generation, hits)


class World:
    """A study with known variances: probabilities are sums of uniform effects, verdicts are drawn from them."""

    def __init__(
        self, seed: int, *, middle: float = 0.5, prompt: float = 0.25, run: float = 0.1, draw: float = 0.05
    ) -> None:
        self.random = random.Random(seed)
        self.middle, self.prompt, self.run, self.draw = middle, prompt, run, draw

    def effects(self, count: int, width: float) -> list[float]:
        return [self.random.uniform(-width, width) for _ in range(count)]

    def runs(self, prompts: Sequence[float], training: int, generation: int) -> list[list[list[bool]]]:
        of_training, of_generation = self.effects(training, self.run), self.effects(generation, self.draw)
        return [
            [[self.random.random() < self.middle + a + b + g for a in prompts] for g in of_generation]
            for b in of_training
        ]


@pytest.mark.parametrize("degrees", [1, 2, 3.7, 30, 451.5, 8000])
def test_quantiles_are_scipys(degrees: float) -> None:
    for probability in (0.6, 0.8, 0.95, 0.975, 0.995):
        assert t_quantile(probability, degrees) == pytest.approx(stats.t.ppf(probability, degrees), rel=1e-9)
    for probability in (0.025, 0.5, 0.975):
        assert chi_square_quantile(probability, degrees) == pytest.approx(
            stats.chi2.ppf(probability, degrees), rel=1e-9
        )
        for other in (1, 4.2, 900):
            expected = stats.f.ppf(probability, degrees, other)
            assert f_quantile(probability, degrees, other) == pytest.approx(expected, rel=1e-9)
    for statistic in (-3.0, 0.0, 0.1, 2.5, 30.0):
        assert t_tail(statistic, degrees) == pytest.approx(stats.t.sf(statistic, degrees), rel=1e-9)


def test_mean_squares_are_the_projections_of_linear_algebra() -> None:
    levels = {"prompt": 7, "training_seed": 3, "generation_seed": 4}
    values = np.random.default_rng(1).integers(0, 2, size=tuple(levels.values()))
    found = mean_squares(Table(levels, [int(value) for value in values.ravel()]))
    names = list(levels)
    for effect, square in found.items():
        part = values.astype(float)
        for axis, name in enumerate(names):
            mean = part.mean(axis=axis, keepdims=True)
            part = part - mean if name in effect else np.broadcast_to(mean, part.shape)
        degrees = np.prod([levels[name] - 1 for name in effect])
        assert square.degrees == degrees
        assert float(square.value) == pytest.approx((part**2).sum() / degrees, rel=1e-12)


def test_a_variance_has_the_chi_square_interval() -> None:
    values = [Fraction(number, 50) for number in (31, 35, 40, 28, 33)]
    levels = {"training_seed": 5}
    effect = frozenset({"training_seed"})
    found = component(coefficients(effect, levels), mean_squares(Table(levels, values)))
    variance = np.var([float(value) for value in values], ddof=1)
    assert found.estimate == pytest.approx(variance, rel=1e-12)
    limits = [4 * variance / stats.chi2.ppf(probability, 4) for probability in (0.975, 0.025)]
    assert [found.low, found.high] == pytest.approx(limits, rel=1e-9)


def test_a_difference_of_variances_has_the_modified_large_sample_interval() -> None:
    # Burdick and Graybill 1992, equations 3.3.1 to 3.3.4, with scipy's quantiles.
    levels = {"prompt": 12, "training_seed": 4}
    values = np.random.default_rng(5).random(48) + np.repeat(np.random.default_rng(6).random(12), 4)
    squares = mean_squares(Table(levels, [Fraction(float(value)) for value in values]))
    effect = frozenset({"prompt"})
    found = component(coefficients(effect, levels), squares)
    one, two = float(squares[effect].value), float(squares[effect | {"training_seed"}].value)
    n1, n2 = 11, 33
    g1, h1 = 1 - n1 / stats.chi2.ppf(0.975, n1), n1 / stats.chi2.ppf(0.025, n1) - 1
    g2, h2 = 1 - n2 / stats.chi2.ppf(0.975, n2), n2 / stats.chi2.ppf(0.025, n2) - 1
    upper, lower = stats.f.ppf(0.975, n1, n2), stats.f.ppf(0.025, n1, n2)
    g12 = ((upper - 1) ** 2 - g1**2 * upper**2 - h2**2) / upper
    h12 = ((1 - lower) ** 2 - h1**2 * lower**2 - g2**2) / lower
    below = sqrt(g1**2 * one**2 + h2**2 * two**2 + g12 * one * two)
    above = sqrt(h1**2 * one**2 + g2**2 * two**2 + h12 * one * two)
    assert found.raw == pytest.approx((one - two) / 4, rel=1e-12)
    assert [found.low, found.high] == pytest.approx([(one - two - below) / 4, (one - two + above) / 4], rel=1e-9)


def test_several_runs_have_the_interval_of_an_implementation_that_shares_no_line() -> None:
    for number, (training, generation) in enumerate([(1, 3), (3, 1), (5, 2)]):
        world = World(20 + number)
        prompts = world.effects(60, 0.25)
        before, after = table(world.runs(prompts, 1, generation)), table(world.runs(prompts, training, generation))
        found = compare(before, after, WANTED)
        one, two = (
            np.mean([[one.hits[seed, other] for other in one.generation] for seed in one.training], axis=1).T[None]
            for one in (before, after)
        )
        first, second, both = (coverage.moments(values, generation) for values in (one, two, two - one))
        study = coverage.Study(first, second, both, (one, two))
        for interval, probability in ((found.difference, 0.975), (found.difference_90, 0.95)):
            low, high = coverage.METHODS[coverage.NOW](study, probability)
            assert [interval.low, interval.high] == pytest.approx([low[0], high[0]], rel=1e-9)
        assert found.p_value == pytest.approx(2 * (1 - _level(study)), rel=1e-6)


def _level(study: coverage.Study) -> float:
    """Return the probability at which the interval reaches zero."""

    def nearest(probability: float) -> float:
        low, high = coverage.METHODS[coverage.NOW](study, probability)
        return float(max(low[0], -high[0]))

    return float(optimize.brentq(nearest, 0.5 + 1e-9, 1 - 1e-13, xtol=1e-15))


@pytest.mark.parametrize("rate", [0.5, 0.95, 0.99])
def test_interval_and_p_value_never_disagree_and_nothing_impossible_is_possible(rate: float) -> None:
    world = random.Random(7)
    for number in range(60):
        size, training = 30 + 10 * (number % 5), 1 + number % 4
        drop = world.choice([0.0, 0.05, 0.15, 0.4])
        base = table([[[world.random() < rate for _ in range(size)]]])
        runs = [[[hit and world.random() > drop for hit in base.runs[0]]] for _ in range(training)]
        other = table(runs)
        found, mirrored = compare(base, other, WANTED), compare(other, base, WANTED)
        interval = found.difference
        assert (interval.low <= 0 <= interval.high) == (found.p_value > 0.05)
        assert (found.difference_90.low <= 0 <= found.difference_90.high) == (found.p_value > 0.1)
        assert interval.low <= found.difference_90.low <= found.difference_90.high <= interval.high
        estimate = interval.estimate
        assert estimate is not None
        assert -1 <= interval.low <= estimate <= interval.high <= 1
        assert mirrored.p_value == pytest.approx(found.p_value, rel=1e-9)
        assert [-mirrored.difference.high, -mirrored.difference.low] == pytest.approx([interval.low, interval.high])
        # No further apart than the two rates can be, given their own limits.
        one, two = (rate_interval(mean_of(*arm.by_training())) for arm in (base, other))
        assert two.low - one.high - 1e-12 <= interval.low
        assert interval.high <= two.high - one.low + 1e-12


def test_a_fall_that_every_run_shows_is_found_though_the_runs_lie_far_apart() -> None:
    """A base that refuses everything, and three trainings that fall to 92, 80 and 53 %."""
    base = table([[[True] * 225]])
    found = compare(base, table([[[number < hits for number in range(225)]] for hits in (206, 179, 119)]), WANTED)
    assert found.difference.high < 0
    assert found.p_value < 0.05
    again = compare(base, table([[[number < hits for number in range(225)]] for hits in (225, 223, 224)]), WANTED)
    assert again.p_value > 0.05


def test_one_run_has_one_interval_and_its_exact_test_is_heeded() -> None:
    before = [True] * 440
    for lost in range(12):
        after = [number >= lost for number in range(440)]
        found = compare(table([[before]]), table([[after]]), WANTED)
        exact = mcnemar(PairedCounts(440 - lost, lost, 0, 0))
        assert found.p_value >= exact
        assert (found.p_value <= 0.05) == (lost >= 6)
        assert (found.difference.high < 0) == (lost >= 6)
        assert rate_interval(mean_of(*table([[after]]).by_training())) == wilson(440 - lost, 440)


def test_the_power_of_one_training_is_that_of_the_normal_test() -> None:
    world = World(4)
    prompts = world.effects(60, 0.25)
    before, after = (table(world.runs(prompts, 1, 3)) for _ in "ab")
    differences = np.mean(np.subtract(after.runs, before.runs, dtype=float), axis=0)
    spread = np.std(differences, ddof=1)
    found = compare(before, after, WANTED).power
    assert found is not None
    exact = NormalIndPower().solve_power(nobs1=60, alpha=0.05, power=0.8, ratio=0) * spread
    assert found.detectable == pytest.approx(exact, rel=0.001)
    needed = NormalIndPower().solve_power(effect_size=WANTED / spread, alpha=0.05, power=0.8, ratio=0)
    assert found.prompts_needed == pytest.approx(needed, rel=0.001, abs=1)


def test_more_is_never_worse() -> None:
    world = World(14)
    prompts = world.effects(50, 0.2)
    base, tuned = table(World(15, run=0, draw=0).runs(prompts, 1, 1)), table(world.runs(prompts, 3, 1))
    found = [compare(base, tuned, wanted).power for wanted in (0.08, 0.1, 0.15, 0.2, 0.3)]
    needed = [one.training_runs_needed or 101 for one in found if one]
    assert needed == sorted(needed, reverse=True)


def test_more_seeds_are_asked_for_until_the_wanted_difference_is_in_reach() -> None:
    world = World(9, run=0.15)
    prompts = world.effects(80, 0.2)
    base = table(World(10, run=0, draw=0).runs(prompts, 1, 1))
    found = compare(base, table(world.runs(prompts, 5, 1)), 0.2).power
    assert found is not None
    assert found.training_runs_needed is not None
    again = compare(base, table(world.runs(prompts, 2 * found.training_runs_needed, 1)), 0.2).power
    assert again is not None
    assert again.detectable < 0.2
    # No number of prompts mends too few seeds when it is the seeds that move the rate.
    apart = table([[[number < hits for number in range(80)]] for hits in (30, 45, 60)])
    few = compare(base, apart, 0.05).power
    assert few is not None
    assert few.prompts_needed is None


def test_krippendorffs_alpha_is_fleiss_kappa_for_a_finite_sample() -> None:
    runs = table(World(5).runs(World(5).effects(30, 0.4), 4, 2)).runs
    hits = np.sum(runs, axis=0)
    kappa = fleiss_kappa(np.column_stack([hits, len(runs) - hits]))
    count = len(runs) * len(runs[0])
    found = agreement(runs)
    # Krippendorff 2011: the same disagreements, expected from the sample without replacement.
    assert found.alpha == pytest.approx(1 - (count - 1) / count * (1 - kappa), rel=1e-12)
    parted = [k * (len(runs) - k) for k in hits]
    assert found.flip_rate == pytest.approx(np.mean(parted) / (len(runs) * (len(runs) - 1) / 2), rel=1e-12)
    assert found.never + found.sometimes + found.always == pytest.approx(1)
    assert found.always == np.mean(hits == len(runs))


def test_agreement_beyond_chance_needs_two_kinds_of_answers() -> None:
    assert agreement([[True, True], [True, True]]).alpha is None
    assert kappa_interval([[("a", "a")], [("a", "a")]]) is None


def test_the_interval_of_kappa_is_the_jackknifes_and_counts_prompts_not_answers() -> None:
    world = World(6)
    pairs = [(world.random.random() < 0.5, world.random.random() < 0.8) for _ in range(120)]
    labels = [("yes" if a else "no", "yes" if (a if b else not a) else "no") for a, b in pairs]
    once = kappa_interval([[pair] for pair in labels])
    assert once is not None
    without = [cohen_kappa(*zip(*(labels[:n] + labels[n + 1 :]), strict=True)) or 0.0 for n in range(120)]
    error = sqrt(119 * np.var(without))
    half = stats.t.ppf(0.975, 119) * error
    assert once.estimate == cohen_kappa(*zip(*labels, strict=True))
    assert [once.low, once.high] == pytest.approx([once.estimate - half, once.estimate + half], rel=1e-9)
    # Asking each prompt ten times in vain does not make the judges better known.
    assert kappa_interval([[pair] * 10 for pair in labels]) == once


def test_the_next_run_of_several_seeds_has_the_textbooks_prediction_interval() -> None:
    runs = [[[number < hits for number in range(50)]] for hits in (31, 35, 40, 28, 33)]
    found = next_run(table(runs))
    assert found is not None
    rates = [0.62, 0.7, 0.8, 0.56, 0.66]
    half = stats.t.ppf(0.975, 4) * np.std(rates, ddof=1) * sqrt(1 + 1 / 5)
    assert [found.low, found.high] == pytest.approx([np.mean(rates) - half, np.mean(rates) + half], rel=1e-9)
    assert next_run(table(runs[:1])) is None


def test_runs_that_were_alike_leave_room_for_a_flip() -> None:
    found = next_run(table([[[True] * 100]] * 5))
    assert found is not None
    assert found.high == 1
    assert 0.97 < found.low < 0.99


def test_a_design_says_what_it_cannot_tell_apart() -> None:
    once = {source.name: source for source in split(Table({"prompt": 3, "training_seed": 1}, [1, 0, 1]))}
    assert once["training_seed"].rate is None
    assert once["training_seed"].why == "there is only one training seed"
    assert once["prompt"].rate is not None
    twice = {source.name: source for source in split(Table({"prompt": 3, "training_seed": 2}, [1, 0, 1, 1, 0, 0]))}
    assert twice["rest"].rate is None
    assert "cannot be told from the training seed" in twice["rest"].why


def covered(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


def test_planted_variances_are_recovered() -> None:
    """In the mean: the sources of a verdict, without bias."""
    world = World(11)
    truth = {"prompt": 0.25**2 / 3, "training_seed": 0.1**2 / 3, "generation_seed": 0.05**2 / 3}
    found: dict[str, list[float]] = {name: [] for name in truth}
    for _ in range(SIMULATIONS):
        runs = table(world.runs(world.effects(40, world.prompt), 5, 4))
        for source in split(Table({"prompt": 40, "training_seed": 5, "generation_seed": 4}, _values(runs))):
            if source.name in truth:
                assert source.verdict is not None
                found[source.name].append(source.verdict)
    for name, variances in found.items():
        assert np.mean(variances) == pytest.approx(
            truth[name], abs=float(3 * np.std(variances) / sqrt(SIMULATIONS) + 0.0005)
        )


def _values(runs: RunTable) -> list[int]:
    return [int(hit) for answers in zip(*runs.runs, strict=True) for hit in answers]


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5, 0.8, 0.9, 0.93, 0.97, 0.98])
def test_how_far_other_prompts_move_a_rate_is_covered(rate: float) -> None:
    """By enumeration: of every number of hits, with its probability."""
    truth, size = sqrt(rate * (1 - rate) / 440), 440
    covered = 0.0
    for hits in range(size + 1):
        chance = stats.binom.pmf(hits, size, rate)
        if chance > 1e-7:
            spread, why = limited("prompt", truth, Counts({"training_seed": 1}, [hits], size))
            assert why == ""
            assert spread.low is not None
            assert spread.high is not None
            assert 0 <= spread.low <= spread.high <= 0.5 / sqrt(size) + 1e-9
            covered += chance * (_prompts_only(hits, size)[0] <= truth <= _prompts_only(hits, size)[1])
    assert covered >= 0.92


def _prompts_only(hits: int, size: int) -> tuple[float, float]:
    """Return the limits whatever the estimate."""
    spread, _ = limited("prompt", 0.04, Counts({"training_seed": 1}, [hits], size))
    other, _ = limited("prompt", 0.0, Counts({"training_seed": 1}, [hits], size))
    assert spread.low is not None
    assert other.high is not None
    return spread.low, other.high


@pytest.mark.parametrize(("level", "seed_sd"), [(0.0, 0.3), (0.0, 1.0), (2.0, 0.5), (-1.5, 0.7)])
def test_how_far_seeds_move_a_rate_is_covered_and_never_more_than_possible(level: float, seed_sd: float) -> None:
    """Runs of 300 prompts whose logits have normal seeds, at rates of one half to 0.15 and 0.85."""
    generator = np.random.default_rng(17)
    many = 1 / (1 + np.exp(-level - seed_sd * generator.normal(size=200_000)))
    truth = sqrt(np.var(many) + np.mean(many * (1 - many)) / 300)
    limits, without, widths = [], 0, []
    for number in range(SIMULATIONS):
        seeds = (3, 5, 10)[number % 3]
        chances = 1 / (1 + np.exp(-level - seed_sd * generator.normal(size=seeds)))
        hits = [int(count) for count in generator.binomial(300, chances)]
        spread, why = limited("training_seed", float(np.std(hits, ddof=1) / 300), Counts(_levels(seeds), hits, 300))
        if spread.low is None or spread.high is None:
            assert "would need" in why
            without += 1
            continue
        assert 0 <= spread.low <= spread.estimate <= spread.high <= 0.5
        limits.append(spread.low <= truth <= spread.high)
        widths.append(spread.high / truth)
    assert without < SIMULATIONS / 4
    assert np.mean(limits) >= at_least(0.94, len(limits))
    assert np.median(widths) < 6


def _levels(seeds: int) -> dict[str, int]:
    return {"training_seed": seeds, "generation_seed": 1}


def test_three_runs_in_which_nothing_happened_prove_nothing() -> None:
    for hits, has_limits in ((0, False), (150, True)):
        spread, why = limited("training_seed", 0.0, Counts(_levels(3), [hits] * 3, 300))
        assert (spread.high is not None) is has_limits is not bool(why)
        if has_limits:
            assert spread.low == 0
            assert 0.001 < (spread.high or 0) < 0.05


@pytest.mark.parametrize(
    ("middle", "prompt", "run", "training", "generation"),
    [(0.5, 0.25, 0.1, 3, 1), (0.5, 0.25, 0.1, 5, 2), (0.9, 0.08, 0.02, 3, 2), (0.03, 0.02, 0.005, 5, 1)],
)
def test_intervals_hold_what_they_promise(
    middle: float, prompt: float, run: float, training: int, generation: int
) -> None:
    """The mean, the difference when there is none, and the next run: on plain, on frequent and on rare verdicts."""
    world = World(12, middle=middle, prompt=prompt, run=run, draw=0.0)
    mean = false_alarms = following = 0
    for _ in range(SIMULATIONS):
        prompts = world.effects(60, prompt)
        runs = table(world.runs(prompts, training + 1, generation))
        seen = RunTable(runs.training[:-1], runs.generation, runs.hits)
        mean += covered(rate_interval(mean_of(*seen.by_training())), middle)
        base = table([[[world.random.random() < middle + a for a in prompts] for _ in range(generation)]])
        false_alarms += compare(base, seen, WANTED).p_value < 0.05
        expected = next_run(seen)
        assert expected is not None
        following += covered(expected, sum(runs.runs[-1]) / 60)
    assert mean >= at_least(0.95) * SIMULATIONS
    assert false_alarms <= (1 - at_least(0.95)) * SIMULATIONS
    assert following >= at_least(0.95) * SIMULATIONS


@pytest.mark.parametrize("verdict", [True, False])
def test_all_alike_gives_intervals_and_no_finding(*, verdict: bool) -> None:
    same = table([[[verdict] * 30] * 2] * 3)
    base = table([[[verdict] * 30] * 2])
    interval = rate_interval(mean_of(*same.by_training()))
    assert interval.high - interval.low > 0.05
    found = compare(base, same, WANTED)
    assert found.p_value == 1
    assert found.difference.low < 0 < found.difference.high
    assert -0.2 < found.difference_90.low < 0 < found.difference_90.high < 0.2
    assert found.power is None
