"""From committed evidence to drift: which evidence the walk takes, where it ends, and what it says."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptops.errors import NotFound
from promptops.evaluation.anchor import Anchored, Committed, anchored
from promptops.gitstore.releases import Releases, evidence_path, version_path
from promptops.prompts.model import Prompt
from promptops.reading import Contender, contender
from promptops.records import AnchorTest, Arm, Evidence, SampleSet, canonical, sha256
from promptops.report import Side
from promptops.rules import Policy, Rule
from promptops.workspace import Workspace, open_workspace

POLICY = Policy(
    rules=(
        Rule(metric="queue", kind="binary", margin=0.05),
        Rule(metric="cost", kind="ratio", margin=0.2),
        Rule(metric="queue", kind="binary", margin=0.05, slice="language=de"),
        Rule(metric="tone", kind="binary", margin=0.05, guardrail=False, target=True),
    )
)
DIGESTS = {"candidate": "sha256:c", "policy": "sha256:p", "samples": "sha256:s"}


def digest(version: int) -> str:
    return f"sha256:{version:064x}"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/p.prompt.yaml").write_text(
        'model: a/b\nmessages: [{role: user, content: "hello"}]\n'
    )
    return open_workspace(tmp_path, {})


def row(name: str = "queue", difference: float | None = -0.03, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "binary", "difference": difference, **more}


def evidence(version: int, before: int | None, *rows: dict[str, Any], at: int = 0, **more: Any) -> Evidence:
    """`version` was tested against `before` on day `at`."""
    values = {
        "prompt": "p",
        "baseline": None if before is None else Arm(version=before, digest=digest(before)),
        "candidate": digest(version),
        "samples": SampleSet(digest=digest(99), n=100),
        "policy": digest(98),
        "verdict": "pass",
        "metrics": list(rows),
        "alpha": 0.04,
        "tool_version": "1",
        "model": "small",
        "provider": "bot",
        "run": f"p-{version}",
        "at": f"2026-01-{at + 1:02d}T10:00:00Z",
    }
    return Evidence(**{**values, **more})


def releases(*found: Evidence, versions: int = 9) -> Releases:
    contents = [canonical(one) for one in found]
    files = {evidence_path("prompts", "p", sha256(data)): data for data in contents}
    numbers = {
        version_path("prompts", "p", number): f"digest: {digest(number)}\n".encode()
        for number in range(1, versions + 1)
    }
    return Releases(root="prompts", files={**files, **numbers})


def prompt_of(workspace: Workspace) -> Prompt:
    return contender(workspace, "p").prompt


def live(workspace: Workspace, version: int, *, number: int | None = None) -> Contender:
    return Contender(
        prompt=replace(prompt_of(workspace), digest=digest(version)),
        side=Side(ref="production", version=number, digest=digest(version)),
    )


def held(workspace: Workspace, version: int, known: Releases, *, anchor: str | None = None) -> Anchored:
    candidate = prompt_of(workspace)
    gate = candidate.spec.gate.model_copy(update={"anchor": anchor})
    candidate = replace(candidate, spec=candidate.spec.model_copy(update={"gate": gate}))
    baseline = live(workspace, version)
    found = Committed(prompt="p", releases=known, evidence=tuple(known.all_evidence("p")))
    return anchored(workspace, POLICY, found, baseline=baseline, candidate=candidate, digests=DIGESTS)


def drift(found: Anchored, metric: str = "queue") -> tuple[int, float] | None:
    """The version that a metric is measured from, and how far it moved."""
    rule = next(rule for rule in found.policy.rules if rule.metric == metric and rule.slice is None)
    return None if rule.drift is None else (rule.drift.version, round(rule.drift.total, 9))


def test_differences_add_up_back_to_the_first_release(workspace: Workspace) -> None:
    known = releases(
        evidence(1, None, row(difference=None)), evidence(2, 1, row()), evidence(3, 2, row(difference=-0.01))
    )
    found = held(workspace, 3, known)
    assert drift(found) == (1, -0.04)
    assert found.warnings == ()


def test_only_guardrails_over_all_samples_creep(workspace: Workspace) -> None:
    known = releases(evidence(2, 1, row(), row("tone"), row("cost", 0.1, kind="ratio")))
    found = held(workspace, 2, known)
    assert [rule.drift is not None for rule in found.policy.rules] == [True, True, False, False]


def test_the_evidence_with_which_a_version_went_live_counts_not_a_later_test_of_it(
    workspace: Workspace,
) -> None:
    known = releases(
        evidence(2, 1, row(difference=-0.03), at=2),
        evidence(3, 2, row(difference=-0.03), at=3),
        evidence(2, 3, row(difference=0.03), at=4),
    )
    assert drift(held(workspace, 3, known)) == (1, -0.06)
    assert drift(held(workspace, 2, known)) == (1, -0.03)


def test_evidence_that_goes_round_in_a_circle_ends(workspace: Workspace) -> None:
    known = releases(evidence(2, 3, row()), evidence(3, 2, row()))
    assert drift(held(workspace, 3, known)) == (3, -0.06)


def test_a_version_without_evidence_ends_the_walk_and_is_said(workspace: Workspace) -> None:
    found = held(workspace, 3, releases(evidence(3, 2, row())))
    assert drift(found) == (2, -0.03)
    assert found.warnings == ("v2 has no evidence: what was lost before it is not counted",)


def test_a_second_first_release_is_an_anchor_and_nothing_is_missing(workspace: Workspace) -> None:
    known = releases(evidence(2, None), evidence(3, 2, row()))
    found = held(workspace, 3, known)
    assert (drift(found), found.warnings) == ((2, -0.03), ())


@pytest.mark.parametrize("lie", [float("inf"), "-0.03", None, [1]])
def test_a_difference_that_is_no_number_is_as_if_not_measured(workspace: Workspace, lie: object) -> None:
    # A NaN or a text in a forged file must not make every later sum one that is never too far.
    found = evidence(2, 1, row(difference=0.125), at=1)
    text = canonical(found).decode().replace("0.125", json.dumps(lie))
    known = releases(evidence(3, 2, row()))
    data = text.encode()
    files = {**known.files, evidence_path("prompts", "p", sha256(data)): data}
    assert drift(held(workspace, 3, Releases(root="prompts", files=files))) == (2, -0.03)


@pytest.mark.parametrize(
    ("better", "since"),
    [
        ({"status": "BETTER"}, 2),
        ({"lower": 0.01}, 2),
        ({"lower": -0.01}, 1),
        ({"upper": 0.2}, 1),
    ],
)
def test_shown_better_is_an_anchor(workspace: Workspace, better: dict[str, Any], since: int) -> None:
    known = releases(evidence(2, 1, row(difference=0.02, **better)), evidence(3, 2, row()))
    found = drift(held(workspace, 3, known))
    assert found is not None
    assert found[0] == since


def test_a_direct_test_in_evidence_is_where_the_sum_goes_on_from(workspace: Workspace) -> None:
    test = AnchorTest(version=1, digest=digest(1), run="p-x", differences={"queue": -0.02})
    known = releases(
        evidence(2, 1, row()), evidence(3, 2, row(), anchors=[test]), evidence(4, 3, row(difference=-0.01))
    )
    assert drift(held(workspace, 4, known)) == (1, -0.03)


def test_a_baseline_that_was_never_released_has_no_anchor(workspace: Workspace) -> None:
    assert drift(held(workspace, 77, releases(evidence(2, 1, row())))) is None


def test_an_anchor_beside_the_road_is_said(workspace: Workspace) -> None:
    known = releases(evidence(2, 1, row()), evidence(4, 2, row()))
    found = held(workspace, 4, known, anchor="v3")
    assert drift(found) == (1, -0.06)
    assert found.warnings == ("gate.anchor: v3 is none of the versions that led to v4",)


@pytest.mark.parametrize("name", ["v10", "latest", "v01", " v1"])
def test_an_anchor_that_is_no_version_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(NotFound, match=r"gate\.anchor"):
        held(workspace, 2, releases(evidence(2, 1, row())), anchor=name)
