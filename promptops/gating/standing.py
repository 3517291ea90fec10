"""Evidence that a change brings along, in the place of a test: it stands when it is about exactly this test.

Only numbers are looked at, so it is worth what the people are worth who can commit to the branch: what cannot be
trusted (a fork, `trust: ci`) is tested again.
"""

from __future__ import annotations

from promptops.errors import PromptopsError
from promptops.evaluation.again import reach_again
from promptops.evaluation.plan import Plan
from promptops.gitstore.releases import Releases
from promptops.records import Evidence, Release


def standing(plan: Plan, releases: Releases, release: Release) -> tuple[Evidence | None, str]:
    """Return the evidence of a release if it stands for this test, else why not, in words."""
    if release.evidence is None:
        return None, "it was released without evidence"
    try:
        evidence = releases.evidence(release.id, release.evidence)
    except PromptopsError as error:
        return None, str(error)
    if evidence is None:
        return None, "its evidence is not among the committed files"
    wrong = _another_test(plan, evidence)
    if wrong:
        return None, f"its evidence is of another test: {wrong}"
    wrong = doubts(evidence)
    return (None, f"its evidence does not hold: {wrong}") if wrong else (evidence, "")


def _another_test(plan: Plan, evidence: Evidence) -> str:
    live = plan.digests["baseline"]
    was = evidence.baseline.digest if evidence.baseline is not None else ""
    same = {
        "what is live is another version": was == live,
        "the candidate is another version": evidence.candidate == plan.digests["candidate"],
        "the samples are others": evidence.samples.digest == plan.samples.digest,
        "the policy is another": evidence.policy == plan.digests["policy"],
    }
    return next((words for words, fits in same.items() if not fits), "")


def doubts(evidence: Evidence) -> str:
    """Reach the verdict again from what the evidence says was measured; return what speaks against it, or nothing."""
    again = reach_again(evidence)
    return again.unknown or "; ".join(again.wrong)
