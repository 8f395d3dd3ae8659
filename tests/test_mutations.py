"""A signed bundle under random mutations: none is accepted, none ends in a traceback, each is told what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mutations
import pytest

from kit.review.verify import verify

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def mutated(tmp_path: Path) -> mutations.Mutations:
    return mutations.Mutations(tmp_path)


def test_no_mutation_of_a_signed_bundle_is_accepted(mutated: mutations.Mutations) -> None:
    outcomes = {seed: mutated.one(seed) for seed in range(1000)}
    assert {seed: outcome for seed, outcome in outcomes.items() if outcome.problem} == {}
    assert {outcome.kind for outcome in outcomes.values()} == {*mutations.TREE_MUTATIONS, *mutations.ZIP_MUTATIONS}
    verify(mutated.folder, mutations.NAMED)  # every mutation was undone


def test_a_verifier_that_looks_away_would_be_caught(
    mutated: mutations.Mutations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutations, "verify", lambda *_: None)
    assert {mutated.one(seed).problem for seed in range(20)} == {"was accepted"}


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_no_mutation_among_a_hundred_thousand_is_accepted() -> None:
    assert mutations.main(100_000, seed=10_000) == 0
