from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.creep import Direct, Drift, Seen, Step, drift_of, sentence


def seen(difference: float | None, *, better: bool = False, kind: str = "binary") -> Seen:
    return Seen(kind=kind, difference=difference, better=better)


def step(version: int, difference: float | None = None, **more: object) -> Step:
    compared = {"queue": seen(difference)} if difference is not None else {}
    return Step(version=version, digest=f"sha256:{version}", **{"seen": compared, **more})


def walked(*differences: float) -> list[Step]:
    """The newest version first; the first release, v1, is at the end."""
    count = len(differences) + 1
    return [
        *(step(count - place, difference) for place, difference in enumerate(reversed(differences))),
        step(1),
    ]


def drift(*differences: float, anchor: int | None = None) -> Drift:
    found = drift_of("triage", "queue", "binary", walked(*differences), anchor=anchor)
    assert found is not None
    return found


def test_small_falls_add_up_since_the_first_release() -> None:
    found = drift(-0.04, -0.01, 0.02)
    assert (found.version, found.digest, found.releases) == (1, "sha256:1", 3)
    assert found.total == pytest.approx(-0.03)


def test_a_sum_beyond_the_margin_is_too_far_and_the_margin_itself_is_not() -> None:
    found = drift(-0.02)
    assert found.is_too_far("binary", -0.04, 0.05)
    assert not found.is_too_far("binary", -0.03, 0.05)
    assert not found.is_too_far("binary", 0.01, 0.05)


def test_one_release_alone_is_judged_by_its_own_test() -> None:
    assert not drift().is_too_far("binary", -0.2, 0.05)


def test_a_version_on_which_the_metric_was_shown_better_is_a_new_anchor() -> None:
    steps = walked(-0.04, -0.04, -0.01)
    steps[1] = step(3, seen={"queue": seen(0.06, better=True), "tone": seen(-0.03)})
    steps[0] = step(4, seen={"queue": seen(-0.01), "tone": seen(-0.03)})
    queue, tone = drift_of("triage", "queue", "binary", steps), drift_of("triage", "tone", "binary", steps)
    assert queue is not None
    assert tone is not None
    assert (queue.version, queue.releases) == (3, 1)
    # v2 was judged before there was a `tone`: nothing is known of it
    assert (tone.version, tone.releases, round(tone.total, 9)) == (2, 2, -0.06)


def test_an_anchor_that_the_file_names_forgets_what_was_before() -> None:
    found = drift(-0.04, -0.04, -0.01, anchor=3)
    assert (found.version, found.releases) == (3, 1)


def test_naming_what_is_live_leaves_nothing_to_add_up() -> None:
    assert not drift(-0.04, -0.04, anchor=3).is_too_far("binary", -0.04, 0.05)


def test_the_sum_goes_on_from_a_direct_test_against_the_anchor() -> None:
    steps = walked(-0.04, -0.04, -0.01)
    direct = Direct(version=1, digest="sha256:1", seen={"queue": seen(-0.02)})
    steps[1] = step(3, -0.04, direct=(direct,))
    found = drift_of("triage", "queue", "binary", steps)
    assert found is not None
    assert (found.version, found.releases, round(found.total, 9)) == (1, 2, -0.03)


def test_an_anchor_named_after_that_of_a_direct_test_is_walked_to() -> None:
    steps = walked(-0.04, -0.04, -0.01)
    steps[0] = step(4, -0.01, direct=(Direct(version=1, digest="sha256:1", seen={"queue": seen(-0.02)}),))
    found = drift_of("triage", "queue", "binary", steps, anchor=3)
    assert found is not None
    assert (found.version, round(found.total, 9)) == (3, -0.01)


def test_what_became_of_another_kind_starts_again() -> None:
    steps = walked(-0.04, -0.04)
    steps[1] = step(2, seen={"queue": seen(-0.2, kind="bounded")})
    found = drift_of("triage", "queue", "binary", steps)
    assert found is not None
    assert (found.version, found.releases) == (2, 1)


def test_a_difference_that_nobody_measured_is_not_zero() -> None:
    steps = walked(-0.04, -0.04)
    steps[0] = step(3, seen={"queue": seen(None)})
    found = drift_of("triage", "queue", "binary", steps)
    assert found is not None
    assert (found.version, found.releases) == (3, 0)


def test_nothing_released_is_nothing_to_drift_from() -> None:
    assert drift_of("triage", "queue", "binary", []) is None


def test_a_test_against_the_anchor_lifts_the_doubt() -> None:
    found = drift(-0.04, -0.04)
    lifted = Drift(
        prompt="triage",
        version=1,
        digest="",
        total=found.total,
        releases=2,
        lifted=True,
    )
    assert found.is_too_far("binary", -0.01, 0.05)
    assert not lifted.is_too_far("binary", -0.01, 0.05)


@given(rises=st.lists(st.floats(-0.4, 0.5), min_size=1, max_size=6))
def test_rises_of_a_ratio_multiply(rises: list[float]) -> None:
    steps = [step(9, seen={"cost": seen(rise, kind="ratio")}) for rise in rises] + [step(1)]
    found = drift_of("triage", "cost", "ratio", steps)
    assert found is not None
    whole = math.prod(1 + rise for rise in rises) * 1.1
    assert math.exp(found.fall("ratio", 0.1)) == pytest.approx(whole)
    assert found.is_too_far("ratio", 0.1, 0.25) == (whole > 1.25)


def test_a_cost_that_became_nothing_is_no_error() -> None:
    steps = [step(2, seen={"cost": seen(-1.0, kind="ratio")}), step(1)]
    found = drift_of("triage", "cost", "ratio", steps)
    assert found is not None
    assert not found.is_too_far("ratio", 0.1, 0.1)


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (-0.04, "queue fell by 4 points here and by 9 since v2, more than the 5 allowed"),
        (0.0, "queue fell by 5 points since v2, more than the 5 allowed"),
        (None, "queue fell by 5 points since v2, more than the 5 allowed"),
    ],
)
def test_the_sentence_has_the_numbers_and_the_command(difference: float | None, words: str) -> None:
    found = Drift(prompt="triage", version=2, digest="", total=-0.05, releases=1)
    assert sentence("queue", "binary", found, difference, 0.05) == (
        f"{words}; test against that: promptops test triage --against v2"
    )


def test_a_ratio_rises_in_per_cent() -> None:
    found = Drift(prompt="triage", version=2, digest="", total=-math.log(1.2), releases=3)
    assert sentence("cost", "ratio", found, 0.1, 0.25).startswith(
        "cost rose by 10 % here and by 32 % since v2, more than the 25 % allowed"
    )
