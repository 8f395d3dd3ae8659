"""Whether an interval for a difference covers what it says: simulated studies whose truth is known.

    nice .venv/test/bin/python benchmarks/interval_coverage.py [--replicates 400] [--only tuned] [--slow]

A verdict is a coin with logit = level + prompt + prompt x arm + training seed + prompt x seed; prompts are
logit-normal or U-shaped, seeds normal, or such that one in six collapses. The truth is the difference of the two arms'
rates over all prompts and all seeds. Prints coverage, one-sided error at 90 %, power and width by method and number of
seeds, and which scenario was the worst (docs/decisions/0026-differences.md has one such table). Its own arithmetic,
with numpy and scipy: it shares no line with `kit.stats`, and tests hold the two against each other.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import product
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Limits = tuple[Array, Array]
    Method = Callable[["Study", float], Limits]

PROMPT_BY_ARM, PROMPT_BY_SEED = 0.7, 0.7
"""Standard deviations in logits, as are all below."""
SHAPES = {"logit-normal": 2.5, "U-shaped": 8.0}
COLLAPSE = -5.0
TRUTH_DRAWS = 200_000


@dataclass(frozen=True)
class Scenario:
    """One kind of study."""

    kind: str
    """`tuned`: against a base with one set of weights; `variation`: two arms with a training for each seed."""
    reference: float
    """Rate of the reference."""
    effect: float
    seed_sd: float
    seeds: int
    generation: int = 1
    shape: str = "logit-normal"
    prompts: int = 300
    collapse: bool = False
    shared_seed: float = 0.0
    """Correlation of the two arms' seed effects, where both are trained."""

    @property
    def group(self) -> str:
        """Return the heading under which the table has it."""
        return "one seed in six collapses" if self.collapse else self.kind


def scenarios() -> Iterator[Scenario]:
    """Yield the studies: each base, effect and spread over each number of seeds, and the odd ones for some."""
    for seeds in (2, 3, 5, 7, 10):
        for reference, seed_sd, effect in product((0.7, 0.9, 0.98, 1.0), (0.25, 0.75, 1.5), (0.0, -0.02, -0.05, -0.2)):
            yield Scenario("tuned", reference, effect, seed_sd, seeds)
        for seed_sd, effect in product((0.25, 1.0), (0.0, -0.05, -0.2)):
            yield from _odd(Scenario("tuned", 0.9, effect, seed_sd, seeds))
            for reference, shared in product((0.5, 0.85, 0.97), (0.0, 0.6)):
                yield Scenario("variation", reference, effect, seed_sd, seeds, shared_seed=shared)


def _odd(some: Scenario) -> Iterator[Scenario]:
    yield replace(some, shape="U-shaped")
    yield replace(some, reference=1.0, shape="U-shaped")
    yield replace(some, generation=5)
    yield replace(some, prompts=75)
    yield replace(some, collapse=True)
    yield replace(some, reference=0.02, effect=-some.effect / 2)


def draw(scenario: Scenario, replicates: int, rng: np.random.Generator) -> tuple[Array, Array, float]:
    """Return both arms' shares over generations, by replicate, prompt and training seed, and the true difference."""
    s = scenario
    width = SHAPES[s.shape]
    prompt = rng.normal(0, width, (replicates, s.prompts, 1))
    trained = s.kind == "variation"
    common = rng.normal(0, 1, (replicates, 1, s.seeds))
    seed = _seeds(s, rng, (replicates, 1, s.seeds), common)
    noise = rng.normal(0, PROMPT_BY_SEED, (replicates, s.prompts, s.seeds))
    of_arm = rng.normal(0, PROMPT_BY_ARM, (replicates, s.prompts, 1))
    by_seed = sqrt(width**2 + PROMPT_BY_ARM**2 + PROMPT_BY_SEED**2)
    second = _verdicts(
        _level(s, s.reference + s.effect, by_seed, trained=True) + prompt + of_arm + seed + noise, s, rng
    )
    if trained:
        other = _seeds(s, rng, (replicates, 1, s.seeds), common)
        more = rng.normal(0, PROMPT_BY_SEED, noise.shape)
        again = rng.normal(0, PROMPT_BY_ARM, of_arm.shape)
        first = _verdicts(_level(s, s.reference, by_seed, trained=True) + prompt + again + other + more, s, rng)
    else:
        first = _verdicts(_level(s, s.reference, width, trained=False) + prompt, s, rng)
    return first, second, s.effect


def _seeds(s: Scenario, rng: np.random.Generator, shape: tuple[int, ...], common: Array) -> Array:
    own = rng.normal(0, 1, shape)
    effect = s.seed_sd * (sqrt(s.shared_seed) * common[: shape[0]] + sqrt(1 - s.shared_seed) * own)
    return effect + COLLAPSE * (rng.random(shape) < 1 / 6) if s.collapse else effect


def _verdicts(logits: Array, s: Scenario, rng: np.random.Generator) -> Array:
    chance = special.expit(logits)
    return np.asarray(rng.binomial(s.generation, chance) / s.generation, dtype=np.float64)


_LEVELS: dict[tuple[object, ...], float] = {}


def _level(s: Scenario, rate: float, width: float, *, trained: bool) -> float:
    """Return the logit at which the mean over prompts and seeds is a rate."""
    if rate in (0.0, 1.0):
        return np.inf if rate else -np.inf
    key = (rate, width, s.seed_sd if trained else 0.0, s.collapse and trained)
    if key not in _LEVELS:
        rng = np.random.default_rng(7)
        spread = sqrt(width**2 + (s.seed_sd**2 if trained else 0.0))
        noise = spread * special.ndtri((np.arange(TRUTH_DRAWS) + 0.5) / TRUTH_DRAWS)
        if s.collapse and trained:
            noise = noise + COLLAPSE * (rng.permutation(TRUTH_DRAWS) < TRUTH_DRAWS / 6)
        low, high = -60.0, 60.0
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if special.expit(middle + noise).mean() < rate else (low, middle)
        _LEVELS[key] = low
    return _LEVELS[key]


@dataclass(frozen=True)
class Arm:
    """Means of one arm in every replicate, and their variances over prompts and over runs."""

    mean: Array
    over_prompts: Array
    over_runs: Array
    prompts: int
    runs: int
    answers: int

    @property
    def error(self) -> Array:
        """Standard errors."""
        return np.sqrt(self.over_prompts + self.over_runs)


def moments(values: Array, generation: int = 1) -> Arm:
    """Return the clustered moments of shares by replicate, prompt and run."""
    _, prompts, runs = values.shape
    count = prompts * runs
    of_prompts = runs * values.mean(axis=2).var(axis=1, ddof=1) / count
    of_runs = prompts * values.mean(axis=1).var(axis=1, ddof=1) / count if runs > 1 else np.zeros(len(values))
    return Arm(values.mean(axis=(1, 2)), of_prompts, of_runs, prompts, runs, count * generation)


def satterthwaite(arm: Arm, probability: float) -> Array:
    """Return t at Satterthwaite's degrees of freedom."""
    total = arm.over_prompts + arm.over_runs
    parts = arm.over_prompts**2 / (arm.prompts - 1)
    if arm.runs > 1:
        parts = parts + arm.over_runs**2 / (arm.runs - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, special.stdtrit(total**2 / parts, probability), special.ndtri(probability))


def weighted(arm: Arm, probability: float) -> Array:
    """Return the quantiles of both sources, normal and Student's t, weighted by their variances."""
    total = arm.over_prompts + arm.over_runs
    of_prompts = special.ndtri(probability) ** 2
    of_runs = special.stdtrit(arm.runs - 1, probability) ** 2 if arm.runs > 1 else 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        square = (of_prompts * arm.over_prompts + of_runs * arm.over_runs) / total
    return np.asarray(np.where(total > 0, np.sqrt(square), special.ndtri(probability)))


def by_runs(arm: Arm, probability: float) -> Array:
    """Return t with as many degrees as there are runs, less one: what a beta-binomial model of runs has."""
    return np.full(len(arm.mean), special.stdtrit(arm.runs - 1 if arm.runs > 1 else arm.prompts - 1, probability))


def wilson(arm: Arm, t: Array) -> tuple[Array, Array]:
    """Return how far the score limits lie below and above the mean."""
    p, variance = arm.mean, arm.over_prompts + arm.over_runs
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.minimum(arm.answers, p * (1 - p) / variance)
    size = np.where((variance > 0) & (arm.answers != arm.prompts), size, arm.prompts)
    square = t**2 / size
    middle = (p + square / 2) / (1 + square)
    half = t * np.sqrt(p * (1 - p) / size + square / (4 * size)) / (1 + square)
    low = np.where(p <= 0, 0.0, middle - half)
    high = np.where(p >= 1, 1.0, middle + half)
    return p - low, high - p


@dataclass(frozen=True)
class Study:
    """Everything that a method may use."""

    first: Arm
    second: Arm
    difference: Arm
    values: tuple[Array, Array]

    @property
    def correlation(self) -> Array:
        """Of the two means, from the clustered errors of both and of their difference."""
        one, two, both = self.first.error, self.second.error, self.difference.error
        with np.errstate(invalid="ignore", divide="ignore"):
            found = (one**2 + two**2 - both**2) / (2 * one * two)
        return np.where(one * two > 0, np.clip(found, -1, 1), 0.0)

    @property
    def corrected(self) -> Array:
        """The same with Newcombe's continuity correction: half a prompt less of agreement, not below none."""
        prompts = self.first.prompts
        with np.errstate(invalid="ignore", divide="ignore"):
            less = 1 / (2 * prompts * (prompts - 1)) / (self.first.error * self.second.error)
        return np.where(self.correlation > 0, np.maximum(0, self.correlation - less), self.correlation)


def today(study: Study, probability: float) -> Limits:
    """Return Student's t at the clustered error of the differences."""
    half = satterthwaite(study.difference, probability) * study.difference.error
    found = study.difference.mean
    return np.maximum(-1, found - half), np.minimum(1, found + half)


def mover(t: Callable[[Arm, float], Array], correlation: Callable[[Study], Array]) -> Method:
    """Return Zou and Donner's (2008) interval from the limits of the two arms."""

    def limits(study: Study, probability: float) -> Limits:
        one, two = study.first, study.second
        down1, up1 = wilson(one, t(one, probability))
        down2, up2 = wilson(two, t(two, probability))
        r = correlation(study)

        def joined(a: Array, b: Array) -> Array:
            return np.asarray(np.sqrt(np.maximum(0, a * a + b * b - 2 * r * a * b)))

        found = two.mean - one.mean
        return found - joined(down2, up1), found + joined(up2, down1)

    return limits


def bootstrap(study: Study, probability: float, draws: int = 300) -> Limits:
    """Return percentiles over prompts and runs drawn again, both with replacement."""
    rng = np.random.default_rng(11)
    one, two = study.values
    _, prompts, runs = two.shape
    of_prompts = rng.multinomial(prompts, np.full(prompts, 1 / prompts), draws) / prompts
    of_runs = rng.multinomial(runs, np.full(runs, 1 / runs), draws) / runs
    found = np.einsum("bp,rps,bs->rb", of_prompts, two, of_runs, optimize=True)
    of_first = of_runs if one.shape[2] > 1 else np.ones((draws, 1))
    found = found - np.einsum("bp,rps,bs->rb", of_prompts, one, of_first, optimize=True)
    low, high = np.quantile(found, [1 - probability, probability], axis=1)
    return low, high


def bayes(study: Study, probability: float) -> Limits:
    """Return the posterior's limits: normal seeds in logits, half-normal(1) on their spread, flat on the level.

    Of each run the count at the size that prompts alone would give; the reference, if not trained, has a Jeffreys beta.
    """
    rng = np.random.default_rng(13)
    posteriors = [_posterior(values, rng) for values in study.values]
    found = posteriors[1] - posteriors[0]
    low, high = np.quantile(found, [1 - probability, probability], axis=1)
    return low, high


def _posterior(values: Array, rng: np.random.Generator, draws: int = 400) -> Array:
    replicates, prompts, runs = values.shape
    counts = values.sum(axis=1)
    if runs == 1:
        return rng.beta(counts + 0.5, prompts - counts + 0.5, (replicates, draws))
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    weights = weights / weights.sum()
    means = np.linspace(-4, 9, 66)
    spreads = np.linspace(0.05, 3, 24)
    level, spread = (axis.ravel() for axis in np.meshgrid(means, spreads, indexing="ij"))
    chance = special.expit(level[:, None] + spread[:, None] * nodes)
    with np.errstate(divide="ignore"):
        yes, no = np.log(chance), np.log1p(-chance)
    log_prior = -(spread**2) / 2
    rates = chance @ weights
    posterior = np.empty((replicates, draws))
    for number in range(replicates):
        likelihood = sum(
            special.logsumexp(count * yes + (prompts - count) * no, b=weights, axis=1) for count in counts[number]
        )
        log = likelihood + log_prior
        mass = np.exp(log - log.max())
        chosen = rng.choice(len(mass), draws, p=mass / mass.sum())
        jitter = rng.normal(0, 1, draws) * np.sqrt(rates[chosen] * (1 - rates[chosen]) / prompts * (1 - 1 / runs))
        posterior[number] = np.clip(rates[chosen] + jitter, 0, 1)
    return posterior


def _none(study: Study) -> Array:
    return np.zeros(len(study.first.mean))


def _full(study: Study) -> Array:
    return study.correlation


def _of_reviewer(study: Study) -> Array:
    return np.maximum(0, study.correlation) * max(0, 1 - 3 / study.second.runs)


def _corrected(study: Study) -> Array:
    return study.corrected


NOW = "MOVER, own t, r corrected (now)"
METHODS = {
    "t, Satterthwaite (before)": today,
    "MOVER, Satterthwaite, r = 0": mover(satterthwaite, _none),
    "MOVER, Satterthwaite, r (1 - 3/k)": mover(satterthwaite, _of_reviewer),
    "MOVER, Satterthwaite, r": mover(satterthwaite, _full),
    "MOVER, own t, r = 0": mover(weighted, _none),
    "MOVER, own t, r": mover(weighted, _full),
    NOW: mover(weighted, _corrected),
    "beta-binomial runs, r = 0": mover(by_runs, _none),
}
SLOW = {"two-way bootstrap": bootstrap, "Bayes, logit-normal seeds": bayes}


@dataclass(frozen=True)
class Outcome:
    """How one method did in one scenario."""

    coverage: float
    one_sided: float
    """The larger of the two errors of the 90 % interval: what two one-sided tests err."""
    called: float
    width: float


def outcome(limits: Limits, narrow: Limits, truth: float) -> Outcome:
    """Count."""
    low, high = limits
    edge = 1e-9
    return Outcome(
        coverage=float(np.mean((low <= truth + edge) & (truth - edge <= high))),
        one_sided=float(max(np.mean(narrow[0] > truth + edge), np.mean(narrow[1] < truth - edge))),
        called=float(np.mean((low > 0) | (high < 0))),
        width=float(np.mean(high - low)),
    )


def simulate(scenario: Scenario, replicates: int, seed: int, *, slow: bool) -> dict[str, Outcome]:
    """Return what each method did in so many studies."""
    first, second, truth = draw(scenario, replicates, np.random.default_rng(seed))
    wide = np.broadcast_to(first, second.shape) if first.shape[2] == 1 else first
    generation = scenario.generation
    study = Study(
        moments(first, generation), moments(second, generation), moments(second - wide, generation), (first, second)
    )
    methods = {**METHODS, **(SLOW if slow else {})}
    return {name: outcome(of(study, 0.975), of(study, 0.95), truth) for name, of in methods.items()}


def main() -> None:
    """Simulate, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--only", default="", help="part of a scenario's text")
    parser.add_argument("--every", type=int, default=1, help="one scenario in so many")
    parser.add_argument("--slow", action="store_true", help="the bootstrap and the Bayesian interval too")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chosen = [one for one in scenarios() if options.only in str(one)][:: options.every]
    found: dict[tuple[str, int, str], list[tuple[Scenario, Outcome]]] = defaultdict(list)
    for number, scenario in enumerate(chosen):
        for name, result in simulate(scenario, options.replicates, options.seed + number, slow=options.slow).items():
            found[scenario.group, scenario.seeds, name].append((scenario, result))
    print(f"{len(chosen)} scenarios, {options.replicates} studies each\n")
    print("| studies | seeds | method | coverage: worst | mean | one-sided error at 90 %: worst "
          "| called, no effect: worst | called, an effect: mean | width |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for (group, seeds, name), rows in sorted(found.items()):
        results = [result for _, result in rows]
        plain = [result for one, result in rows if one.effect == 0]
        moved = [result for one, result in rows if one.effect != 0]
        print(
            f"| {group} | {seeds} | {name} | {min(r.coverage for r in results):.3f} "
            f"| {np.mean([r.coverage for r in results]):.3f} | {max(r.one_sided for r in results):.3f} "
            f"| {max((r.called for r in plain), default=0):.3f} | {np.mean([r.called for r in moved]):.3f} "
            f"| {100 * np.mean([r.width for r in results]):.1f} |"
        )
    print()
    for (group, seeds, name), rows in sorted(found.items()):
        scenario, least = min(rows, key=lambda row: row[1].coverage)
        print(f"{group}, {seeds}, {name}: {least.coverage:.3f} at {scenario}")


if __name__ == "__main__":
    main()
