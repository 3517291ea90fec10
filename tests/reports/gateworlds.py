"""Answers of a gate for tests: what people usually see, and what somebody hostile would make them see."""

from __future__ import annotations

from promptops.gated import GatedPrompt, GateReport, Note, Overruled, Status
from promptops.report import (
    Arm,
    Change,
    Changed,
    MetricLine,
    PromptSides,
    Report,
    SampleSet,
    Side,
    SliceLine,
    Spend,
)

LIVE = Side(ref="production", version=12, digest="sha256:" + "a" * 64)
NEW = Side(ref="HEAD", digest="sha256:" + "b" * 64)
BASE, HEAD = "1a2b3c4d" + "0" * 32, "5e6f7a8b" + "0" * 32


def metric(name: str, before: float, after: float, **changes: object) -> MetricLine:
    line = MetricLine(
        name=name,
        role="guardrail",
        kind="binary",
        unit="share",
        method="tango",
        n=300,
        baseline_mean=before,
        candidate_mean=after,
        difference=after - before,
        lower=after - before - 0.03,
        upper=after - before + 0.03,
        confidence=0.92,
        margin=0.05,
        status="PASS",
        p_noninferior=0.003,
    )
    return line.model_copy(update=changes)


def cost(change: float) -> MetricLine:
    kind = {"kind": "ratio", "unit": "dollars", "difference": change, "role": "observe", "status": "OBSERVED"}
    return metric("cost", 0.002, 0.002 * (1 + change), margin=None, p_noninferior=None, **kind)


def broken(number: int, text: str, before: str, after: str) -> Change:
    return Change(
        sample_id=f"smp_{number:04x}",
        metric="queue",
        change="broken",
        input=text,
        expected=before,
        baseline=Arm(text=before, value=1.0),
        candidate=Arm(text=after, value=0.0, reason=f"expected {before!r}, got {after!r}"),
    )


def report(name: str, verdict: str, metrics: list[MetricLine], **changes: object) -> Report:
    made = Report(
        verdict=verdict,
        reasons=[f"{metrics[0].name} was looked at"],
        prompt=PromptSides(id=name, baseline=LIVE, candidate=NEW),
        samples=SampleSet(digest="sha256:" + "c" * 64, n=300, clusters=300),
        metrics=metrics,
        cost=Spend(calls=600, usd=0.19),
        alpha=0.04,
        run=f"{name}-0123456789ab",
        tool_version="0.1.0",
    )
    return made.model_copy(update=changes)


def slice_of(name: str, broken: int, n: int) -> SliceLine:
    return SliceLine(
        slice=name,
        metric="queue",
        kind="binary",
        unit="share",
        n=n,
        baseline_mean=0.94,
        candidate_mean=0.8,
        difference=-0.14,
        lower=-0.2,
        upper=-0.08,
        confidence=0.92,
        margin=None,
        p_harm=0.001,
        p_adjusted=0.004,
        status="flagged",
        fixed=0,
        broken=broken,
    )


QUEUE = metric("queue", 0.94, 0.88, status="REGRESSION", broken=21, fixed=3, p_harm=1.2e-7, p_noninferior=0.9)
WORSE = report(
    "support-triage",
    "regression",
    [QUEUE, metric("answered", 1.0, 1.0), cost(0.03)],
    reasons=["queue fell by 6 points (allowed 5)"],
    slices=[slice_of("language=de", 11, 40), slice_of("language=en", 10, 260)],
    changes=[
        broken(1, "Ich kann mich nicht mehr einloggen", "account", "technical"),
        broken(2, "Die Rechnung vom März kam doppelt", "billing", "account"),
        broken(3, "Wo ist mein Paket?", "shipping", "account"),
    ],
    changed=Changed(broken=21, fixed=3),
)
BETTER = report(
    "refund-reply",
    "pass",
    [
        metric("answered", 1.0, 1.0),
        metric("tone", 4.3, 4.4, kind="bounded", unit="score", margin=0.2, difference=0.1),
        cost(-0.12),
    ],
    reasons=["nothing fell by more than is allowed"],
)
OPEN = report(
    "greeting",
    "inconclusive",
    [metric("queue", 0.9, 0.88, status="INCONCLUSIVE", broken=2, fixed=1)],
    reasons=["queue: a fall beyond the allowed 5 points is not ruled out by 50 samples"],
)


def prompt(name: str, status: Status, **changes: object) -> GatedPrompt:
    made = GatedPrompt(
        id=name,
        path=f"prompts/{name}.prompt.yaml",
        status=status,
        reasons=["the prompt"],
        baseline=LIVE,
        candidate=NEW,
    )
    return made.model_copy(update=changes)


def gate(*prompts: GatedPrompt, **changes: object) -> GateReport:
    made = GateReport(base=BASE, head=HEAD, prompts=list(prompts), tool_version="0.1.0")
    return made.model_copy(update=changes)


ONE_WORSE = gate(
    prompt("refund-reply", "pass", baseline=LIVE.model_copy(update={"version": 4}), report=BETTER),
    prompt(
        "support-triage",
        "regression",
        report=WORSE,
        said=["queue fell by 6 points (allowed 5)"],
        commands=['promptops promote support-triage --force -m "why"'],
    ),
)
EVERYTHING = gate(
    prompt(
        "support-triage",
        "regression",
        report=WORSE,
        reasons=["the prompt", "prompts/partials/tone.md"],
        commands=['promptops promote support-triage --force -m "why"'],
    ),
    prompt(
        "greeting",
        "inconclusive",
        report=OPEN,
        line=7,
        commands=['promptops promote greeting --accept -m "why"'],
    ),
    prompt(
        "refund-reply", "pass", report=BETTER, evidence="prompts/releases/refund-reply/evidence/4f2a.json"
    ),
    prompt("torn", "broken", said=["prompts/torn.prompt.yaml:3: expected a number, got 'hot'"]),
    prompt("slow", "stopped", said=["openai did not answer for 120 s", "40 of 300 samples are answered"]),
    prompt("fresh", "new", baseline=None, said=["new: nothing is live"]),
    prompt("gone", "removed"),
    prompt("same", "unchanged"),
    prompt(
        "urgent",
        "released",
        overruled=Overruled(
            how="forced", by="Ada <ada@example.org>", reason="the old one cost us a customer"
        ),
    ),
    first=[
        "support-triage: limit queue: max_drop 0.05 → 0.2",
        "support-triage: 12 of 300 samples are removed",
    ],
    integrity=[
        Note(
            level="error",
            path="prompts/releases/support-triage/v12.yaml",
            message="its bytes are not those that were released",
        )
    ],
    notes=[
        Note(
            level="error",
            path="prompts/torn.prompt.yaml",
            line=3,
            column=5,
            message="expected a number, got 'hot'",
        ),
        Note(
            level="warning", path="prompts/greeting.prompt.yaml", line=7, message="the variable is not used"
        ),
    ],
    said=["3 prompts share prompts/partials/tone.md"],
)
CHANGED_LINE = "  Answer with [-one word-]{+a whole sentence+}."
FORK = gate(
    prompt(
        "support-triage",
        "stopped",
        said=["there is no key for openai here, and this change is a stranger's"],
        diff=["behaviour messages: messages[0] (system) +3 −2 words", "messages[0] system", CHANGED_LINE],
    ),
    untrusted=True,
    command=f"promptops gate --base origin/main --head {HEAD} --untrusted",
    said=["a change from a fork is looked at without keys: nothing was asked"],
)
FAILED = GateReport(
    base="",
    head="",
    failed=2,
    said=["promptops.yaml:3:5: unknown word 'provider'; did you mean providers?", "promptops.yaml:9: a tab"],
    tool_version="0.1.0",
)
PASSES = gate(prompt("refund-reply", "pass", report=BETTER), prompt("fresh", "new", baseline=None))
NOTHING = gate()
WRONG = gate(integrity=EVERYTHING.integrity)

# What a model, a sample or a pull request would write to be more than shown.
ATTACK = (
    "::error::owned\r\n::set-output name=x::y\n##[set-env name=A]b ##vso[c] ##teamcity[d] "
    "[[ATTACHMENT|/etc/passwd]] <script>alert(1)</script>"
    '<img src=x onerror="alert(1)"></details></table> @everyone @acme/team ada@example.org #12 acme/x#3 GH-4 '
    "| a || b | `code` ``` ~~~ **bold** _it_ [link](https://example.org) ![i](//example.org/i.png) "
    "www.example.org https://example.org $\\huge{PASS}$ :tada: <!-- promptops-gate --> -->]]> &amp; &#64;all "
    "\x1b[31mred\x1b]8;;http://example.org\x07 \u202egnp\u2066 \ud800 \0 \ufffe \uffff \u200b %0A,:= 1. x\n# h1\n> q"
)


def hostile(text: str) -> GateReport:
    """A report in which every text that may come from outside is this one."""
    side = Side(ref=text)
    evil = report(
        "support-triage",
        "regression",
        [
            QUEUE.model_copy(update={"name": text, "warnings": [text]}),
            metric("answered", 1.0, 1.0),
        ],
        reasons=[text],
        warnings=[text],
        slices=[slice_of(f"{text}=x", 11, 40).model_copy(update={"metric": text})],
        changes=[
            broken(number, text, text, text).model_copy(update={"sample_id": text}) for number in range(3)
        ],
    )
    told = {"said": [text] * 3, "reasons": [text], "commands": [text, text], "diff": [text], "baseline": side}
    over = Overruled(how="forced", by=text, reason=text)
    named = {"id": text, "path": text, "overruled": over, "evidence": text}
    note = Note(level="error", path=text, line=3, column=1, message=text)
    return GateReport(
        base=text,
        head=text,
        first=[text],
        prompts=[
            prompt("x", "regression", report=evil, **named, **told),
            prompt("x", "stopped", **named, **told),
            prompt("x", "pass", report=evil.model_copy(update={"verdict": "pass"}), **named, **told),
        ],
        integrity=[note],
        notes=[note, note.model_copy(update={"level": "warning", "path": ""})],
        said=[text],
        untrusted=True,
        command=text,
        tool_version=text,
    )
