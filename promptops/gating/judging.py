"""One affected prompt → what the gate says of it: by committed evidence where it stands, else by a test here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from promptops.errors import ConfigError, PromptopsError, RunStopped
from promptops.evaluation.evaluate import Options, evaluate
from promptops.evaluation.plan import Plan, make_plan
from promptops.gated import GatedPrompt, Overruled
from promptops.gating.affected import Affected
from promptops.gating.policy import under
from promptops.gating.standing import doubts, standing
from promptops.gating.unjudged import unjudged
from promptops.gitstore.releases import Releases
from promptops.prompts.diff import diff
from promptops.prompts.words import Token, marked
from promptops.reading import Contender, frozen_contender
from promptops.records import Release
from promptops.report import Report, Side
from promptops.samplesource import source_of
from promptops.scorers.defaults import default_scorers
from promptops.workspace import Workspace


@dataclass(slots=True, kw_only=True)
class Judge:
    """What judges every prompt of a change: the base, and how much of the change is believed.

    `untrusted` is a change from outside: no evidence and no overruling of its own stands.
    """

    world: Workspace
    options: Options
    before_asking: Callable[[Plan], None]
    untrusted: bool
    # By provider: who is down for one prompt is not asked for the next.
    stopped: dict[str, str] = field(default_factory=dict)

    async def judge(self, one: Affected, base: Releases, head: Releases) -> GatedPrompt:
        """Say what the gate says of one prompt; `base` and `head` are the release files of both commits."""
        found = await self._judged(one, base, head)
        believed = self._believes(one, base)
        return _open(found, unjudged(one, self.world.config.live, base, head, believed=believed))

    def _believes(self, one: Affected, base: Releases) -> bool:
        """Whether committed evidence counts; where the base has no file, nothing says so of what is live."""
        if self.untrusted or one.before is None:
            return not self.untrusted and not base.environments(one.id)
        return one.before.spec.gate.trust != "ci"

    async def _judged(self, one: Affected, base: Releases, head: Releases) -> GatedPrompt:
        if one.problems:
            first = one.problems[0]
            where = f"{first.path}:{first.line}" if first.line else first.path
            return _said(one, "broken", f"{where}: {first.message}")
        environment = self.world.config.live
        try:
            live, pointer = base.live(one.id, environment), head.live(one.id, environment)
        except PromptopsError as error:
            return _said(one, "broken", str(error))
        # A branch that left the base before its last release has an older pointer, and does not move it.
        touched = environment in one.moved
        moved = pointer if touched and pointer != live else None
        baseline = frozen_contender(base, live) if live is not None else None
        if touched and pointer is None and live is not None:
            words = (
                f"v{live.version} is live, and the change deletes its release; go back by promptops rollback"
            )
            return _said(one, "broken", words)
        if moved is not None and moved.kind == "rollback":
            return self._rolled_back(one, moved, live)
        if one.after is None:
            return _without_a_file(one, live, moved)
        if moved is not None and moved.digest != one.after.digest:
            return _said(one, "broken", _stale(one, moved))
        if one.before is None and live is None:
            try:
                return self._first(one, moved, head)
            except PromptopsError as error:
                return _said(one, "broken", str(error))
        if baseline is None:
            assert one.before is not None
            baseline = Contender(prompt=one.before, side=Side(ref="base", digest=one.before.digest))
        before = {baseline.prompt.digest} | ({one.before.digest} if one.before and moved is None else set())
        if one.after.digest in before:
            return _said(one, "unchanged", "what reaches the model is as before", baseline=baseline)
        return await self._tested(one, baseline, moved, head)

    async def _tested(
        self, one: Affected, baseline: Contender, moved: Release | None, head: Releases
    ) -> GatedPrompt:
        assert one.after is not None
        candidate = Side(ref="PR", version=moved.version if moved else None, digest=one.after.digest)
        shown = _said(one, "pass", "", baseline=baseline, candidate=candidate)
        shown = shown.model_copy(update={"diff": _diff(baseline, one)})
        provider = one.after.spec.model.partition("/")[0]
        try:
            plan = self._plan(one, baseline, candidate)
        except PromptopsError as error:
            return shown.model_copy(update={"status": "broken", "said": [str(error)]})
        if moved is not None and (found := self._by_evidence(shown, plan, moved, head)) is not None:
            return found
        if provider in self.stopped:
            return _stopped(shown, f"not asked: {provider} had stopped the test of {self.stopped[provider]}")
        try:
            self.before_asking(plan)
            report = await evaluate(plan, self.options)
        except (RunStopped, ConfigError) as error:
            if not self.options.recorded:  # an answer that was not recorded says nothing of the next prompt's
                self.stopped[provider] = one.id
            return _stopped(shown, str(error))
        return _reported(shown, report, self._firm(plan))

    def _plan(self, one: Affected, baseline: Contender, candidate: Side) -> Plan:
        """Settle the test under the base's policy, that of what is live where the base has no such file any more.

        Raises:
            PromptopsError: there is nothing to test it with, or it cannot be tested.
        """
        assert one.after is not None
        base = one.before or baseline.prompt
        chosen = None
        if base.spec.scorers is None:
            chosen = default_scorers(source_of(base, root=self.world.top), base.spec.response_format).scorers
        differs = base.spec.response_format != one.after.spec.response_format
        judged = under(base, one.after, chosen if differs else None)
        source = source_of(judged, root=self.world.top)
        contender = Contender(prompt=judged, side=candidate)
        return make_plan(self.world, baseline=baseline, candidate=contender, source=source)

    def _by_evidence(
        self, shown: GatedPrompt, plan: Plan, moved: Release, head: Releases
    ) -> GatedPrompt | None:
        """What committed evidence says; None where it does not stand, and the test is run."""
        if self._firm(plan):
            return None
        evidence, why = standing(plan, head, moved)
        if evidence is None:
            shown.said.append(f"tested here: {why}")
            return None
        overruled = _overruled(moved)
        if evidence.verdict != "pass" and overruled is None:
            return None
        first = f"its committed evidence stands: {evidence.verdict.upper()} on {evidence.samples.n} samples"
        update = {
            "status": "pass" if evidence.verdict == "pass" else "released",
            "said": [first, *evidence.reasons],
            "evidence": moved.evidence,
            "overruled": overruled,
        }
        return shown.model_copy(update=update)

    def _firm(self, plan: Plan) -> str:
        """Say why a test here counts, whatever the change brings along; nothing where its evidence may stand."""
        if self.untrusted:
            return "the change is from outside: who wants to overrule this brings it to a branch of this repository"
        if plan.candidate.prompt.spec.gate.trust == "ci":
            return "nobody overrules this: the prompt's gate trusts nothing but a test here (trust: ci)"
        return ""

    def _rolled_back(self, one: Affected, moved: Release, live: Release | None) -> GatedPrompt:
        """A way back needs no model: what the base says was live before, on its own evidence, may be live again."""
        known = {old.version: old for old in (live.fallbacks if live is not None else [])}
        target, overruled = known.get(moved.version), _overruled(moved)
        back = Side(ref=moved.environment, version=moved.version, digest=moved.digest)
        now = (
            Side(ref=live.environment, version=live.version, digest=live.digest) if live is not None else None
        )
        shown = _said(one, "pass", "").model_copy(update={"baseline": now, "candidate": back})
        if _edits(one, moved):
            words = (
                f"goes back to v{moved.version}, and edits the prompt as well, which a way back does not test"
            )
            return shown.model_copy(update={"status": "inconclusive", "said": [words]})
        if target is not None and target.digest == moved.digest and target.evidence is not None:
            words = f"goes back to v{moved.version}, on the evidence with which it went live"
            return shown.model_copy(update={"said": [words], "evidence": target.evidence})
        if overruled is not None and not self.untrusted:
            words = f"goes back to v{moved.version}, which went live without evidence"
            return shown.model_copy(update={"status": "released", "said": [words], "overruled": overruled})
        words = f"goes back to v{moved.version}, and nothing in the base says that it went live on a test"
        return shown.model_copy(update={"status": "inconclusive", "said": [words]})

    def _first(self, one: Affected, moved: Release | None, head: Releases) -> GatedPrompt:
        """A prompt that the base does not have brings its own policy along: nobody else has one for it."""
        assert one.after is not None
        if moved is None:
            live = self.world.config.live
            return _said(
                one, "new", f"nothing of it is live in {live}, and merging it releases nothing there"
            )
        if self.untrusted:
            return _said(one, "inconclusive", "a first release from outside is for a maintainer to make")
        side = Side(ref="PR", version=moved.version, digest=moved.digest)
        shown = _said(one, "released", "", candidate=side)
        evidence = head.evidence(one.id, moved.evidence) if moved.evidence else None
        overruled = _overruled(moved)
        if evidence is None:
            words = "is adopted as it is: released for the first time without a test"
            overruled = overruled or Overruled(how="adopted", by=moved.by, reason=moved.reason)
            return shown.model_copy(update={"said": [words], "overruled": overruled})
        wrong = doubts(evidence) or (
            "it is about another version" if evidence.candidate != moved.digest else ""
        )
        if wrong:
            words = f"is released for the first time, and its evidence does not hold: {wrong}"
            return shown.model_copy(update={"status": "inconclusive", "said": [words]})
        words = f"is released for the first time: {evidence.verdict.upper()} by floors of its own"
        passed = evidence.verdict == "pass"
        update = {"said": [words, *evidence.reasons], "evidence": moved.evidence, "overruled": overruled}
        return shown.model_copy(update=update | {"status": "pass" if passed else "released"})


def _edits(one: Affected, moved: Release) -> bool:
    """Whether a way back also brings a prompt that nobody has seen: neither what it goes back to nor what was there."""
    if one.after is None or one.before is None:
        return one.after is not None and one.after.digest != moved.digest
    return one.after.digest not in (one.before.digest, moved.digest)


def _said(
    one: Affected,
    status: str,
    words: str,
    *,
    baseline: Contender | None = None,
    candidate: Side | None = None,
) -> GatedPrompt:
    return GatedPrompt.model_validate(
        {
            "id": one.id,
            "path": one.path,
            "status": status,
            "reasons": list(one.reasons),
            "said": [words] if words else [],
            "baseline": baseline.side if baseline is not None else None,
            "candidate": candidate,
        }
    )


def _without_a_file(one: Affected, live: Release | None, moved: Release | None) -> GatedPrompt:
    if moved is not None:
        words = f"releases v{moved.version}, and has no file of it here that could be tested; bring it back"
        return _said(one, "broken", words)
    if one.before is None:
        return _said(one, "unchanged", "has no file here, and what is live of it stays")
    if live is None:
        return _said(one, "removed", "its file is removed; nothing of it was live")
    return _said(
        one, "removed", f"its file is removed; v{live.version} stays live, programs go on loading it"
    )


def _open(found: GatedPrompt, words: tuple[str, ...]) -> GatedPrompt:
    """Leave open what was not tested; something graver stays what it is."""
    if not words:
        return found
    if found.exit_code:
        return found.model_copy(update={"said": [*found.said, *words]})
    return found.model_copy(update={"status": "inconclusive", "said": [*words, *found.said]})


def _stale(one: Affected, moved: Release) -> str:
    return (
        f"the change releases v{moved.version}, which is not what its prompt file says now; "
        f"run promptops promote {one.id} once more"
    )


def _overruled(release: Release) -> Overruled | None:
    how = "forced" if release.forced else "accepted" if release.accepted else None
    return None if how is None else Overruled(how=how, by=release.by, reason=release.reason)


def _diff(baseline: Contender, one: Affected) -> list[str]:
    """What changed in short, then the words."""
    assert one.after is not None
    found = diff(baseline.prompt, one.after)
    lines = [
        f"{change.label} {change.area}: {change.sentence}"
        for change in found.changes
        if change.area not in ("scorers", "gate")
    ]
    for text in found.texts:
        if text.changed:
            lines += [text.title, *map(_line, text.near_changes())]
    return lines


def _line(tokens: tuple[Token, ...] | None) -> str:
    return "  …" if tokens is None else f"  {marked(tokens, around=60)}"


def _stopped(shown: GatedPrompt, words: str) -> GatedPrompt:
    return shown.model_copy(update={"status": "stopped", "said": [*shown.said, words]})


def _reported(shown: GatedPrompt, report: Report, firm: str) -> GatedPrompt:
    """What a test here found; one that stayed open passes only where the base's gate says so.

    `firm` says why nobody can overrule it, in words, or is empty.
    """
    said = [*report.reasons, *shown.said]
    if report.exit_code() == 7:
        return shown.model_copy(update={"status": "stopped", "said": said, "report": report})
    if report.exit_code() == 0:
        open_words = "the samples cannot tell, and this prompt's gate lets that pass"
        said += [open_words] if report.verdict == "inconclusive" else []
        return shown.model_copy(update={"status": "pass", "said": said, "report": report})
    accept = report.verdict == "inconclusive" and report.inconclusive == "review"
    commands = [f'promptops promote {shown.id} {"--accept" if accept else "--force"} -m "why"']
    update = {
        "status": report.verdict,
        "said": [*said, *([firm] if firm else [])],
        "report": report,
        "commands": [] if firm else commands,
    }
    return shown.model_copy(update=update)
