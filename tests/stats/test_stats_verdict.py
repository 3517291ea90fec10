from __future__ import annotations

import pytest

from promptops.stats.results import BadNumbers, Status
from promptops.stats.verdict import decide, gravest, guardrail_status, target_status

PASS, REGRESSION, INCONCLUSIVE = Status.PASS, Status.REGRESSION, Status.INCONCLUSIVE
BETTER, WORSE, NOT_SHOWN = Status.BETTER, Status.WORSE, Status.NOT_SHOWN


@pytest.mark.parametrize(
    ("lower", "upper", "p_harm", "expected"),
    [
        (-0.03, 0.04, 0.60, PASS),
        (-0.04, -0.01, 0.001, PASS),
        (-0.09, -0.01, 0.01, REGRESSION),
        (-0.09, -0.01, 0.05, REGRESSION),
        (-0.05, 0.02, 0.20, INCONCLUSIVE),
        (-0.20, 0.05, 0.06, INCONCLUSIVE),
        (None, None, None, INCONCLUSIVE),
        (None, 0.1, 0.01, REGRESSION),
    ],
)
def test_the_interval_and_the_harm_test_decide(lower, upper, p_harm, expected) -> None:
    assert guardrail_status(lower, upper, margin=0.05, p_harm_adjusted=p_harm) == expected


@pytest.mark.parametrize(("lower", "upper", "margin"), [(-0.1, 0.1, 0), (0.1, -0.1, 0.05)])
def test_a_guardrail_needs_a_margin_and_an_interval(lower: float, upper: float, margin: float) -> None:
    with pytest.raises(BadNumbers):
        guardrail_status(lower, upper, margin=margin, p_harm_adjusted=0.5)


@pytest.mark.parametrize(
    ("p_superior", "p_harm", "expected"),
    [(0.01, 0.9, BETTER), (0.9, 0.01, WORSE), (0.2, 0.8, NOT_SHOWN), (None, None, NOT_SHOWN)],
)
def test_a_target_is_judged_in_both_directions(p_superior, p_harm, expected) -> None:
    assert target_status(p_superior, p_harm) == expected


@pytest.mark.parametrize(
    ("guardrails", "targets", "policy", "expected"),
    [
        ([PASS, PASS], [], "any", PASS),
        ([PASS, INCONCLUSIVE], [], "any", INCONCLUSIVE),
        ([PASS, REGRESSION], [BETTER], "any", REGRESSION),
        ([INCONCLUSIVE, REGRESSION], [], "any", REGRESSION),
        ([PASS], [NOT_SHOWN, BETTER], "any", PASS),
        ([PASS], [NOT_SHOWN, BETTER], "all", INCONCLUSIVE),
        ([PASS], [BETTER, BETTER], "all", PASS),
        ([PASS], [NOT_SHOWN], "any", INCONCLUSIVE),
        ([PASS], [BETTER, WORSE], "any", REGRESSION),
        ([], [BETTER], "any", PASS),
        ([], [], "any", INCONCLUSIVE),
        ([], [], "all", INCONCLUSIVE),
        ([INCONCLUSIVE], [BETTER], "any", INCONCLUSIVE),
    ],
)
def test_the_verdict_over_all_statuses(guardrails, targets, policy, expected) -> None:
    assert decide(guardrails, targets, target_policy=policy) == expected


def test_the_gravest_status_is_shown() -> None:
    assert gravest([PASS, NOT_SHOWN]) == NOT_SHOWN
    assert gravest([INCONCLUSIVE, WORSE]) == WORSE
    assert gravest([]) == Status.OBSERVED
