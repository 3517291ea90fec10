from __future__ import annotations

import pytest

from promptops.stats.power import chance_of_passing


@pytest.mark.parametrize(("n", "chance"), [(30, 0.13), (100, 0.43), (300, 0.85)])
def test_the_chance_that_an_unchanged_prompt_passes_is_that_of_the_design(n: int, chance: float) -> None:
    assert chance_of_passing(n, margin=0.05) == pytest.approx(chance, abs=0.01)


def test_no_sample_shows_nothing_and_very_many_show_everything() -> None:
    assert chance_of_passing(0, margin=0.05) == 0.0
    assert chance_of_passing(10**6, margin=0.05) == pytest.approx(1.0)


def test_without_discordant_pairs_the_exact_rule_decides() -> None:
    assert chance_of_passing(58, margin=0.05, discordant=1e-12) == pytest.approx(0.0, abs=1e-9)
    assert chance_of_passing(59, margin=0.05, discordant=1e-12) == pytest.approx(1.0)
