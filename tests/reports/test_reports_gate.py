"""What people read of a gate's answer, whole and in order. `pytest --update-golden` rewrites the files."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from gateworlds import (
    BETTER,
    EVERYTHING,
    FAILED,
    FORK,
    NOTHING,
    ONE_WORSE,
    OPEN,
    PASSES,
    QUEUE,
    WORSE,
    WRONG,
    broken,
    gate,
    metric,
    prompt,
    report,
    slice_of,
)
from rich.console import Console

from promptops.basis import Basis
from promptops.gated import GateReport, Note, Overruled
from promptops.report import Side
from promptops.reports.annotations import annotations
from promptops.reports.escape import markdown as literal
from promptops.reports.gatecomment import MARKER, comment
from promptops.reports.gatesummary import summary
from promptops.reports.gateterminal import print_gate
from promptops.reports.gateview import broke_most, examples, figures, headline, ordered, to_merge
from promptops.rules import Measured, Policy, Rule, summarise

Golden = Callable[[str, str], None]
WORLDS = {
    "worse": ONE_WORSE,
    "everything": EVERYTHING,
    "fork": FORK,
    "passes": PASSES,
    "wrong": WRONG,
    "failed": FAILED,
}


def terminal(found: GateReport) -> str:
    out = StringIO()
    print_gate(found, Console(file=out, width=180, highlight=False, emoji=False, markup=False))
    return out.getvalue()


@pytest.mark.parametrize("name", WORLDS)
def test_a_comment_shows_a_gate(name: str, golden: Golden) -> None:
    golden(f"gate-{name}.md", comment(WORLDS[name]))


@pytest.mark.parametrize("name", WORLDS)
def test_a_terminal_shows_a_gate(name: str, golden: Golden) -> None:
    shown = terminal(WORLDS[name])
    assert all(line == line.rstrip() for line in shown.split("\n"))
    golden(f"gate-{name}.txt", shown)


def test_a_summary_shows_a_gate(golden: Golden) -> None:
    golden("gate-summary.md", summary(EVERYTHING))


def test_what_takes_no_effect_stands_above_every_verdict() -> None:
    for shown in (comment(EVERYTHING), summary(EVERYTHING), terminal(EVERYTHING)):
        assert 0 <= shown.index("12 of 300 samples are removed") < shown.index("release files are wrong")


def test_a_comment_begins_with_what_it_is_found_by() -> None:
    assert all(comment(found).startswith(f"{MARKER}\n") for found in (*WORLDS.values(), NOTHING))
    assert all(comment(found).count(MARKER) == 1 for found in WORLDS.values())


def test_nothing_affected_is_silent_on_a_terminal_and_said_where_an_answer_is_written() -> None:
    assert terminal(NOTHING) == ""
    assert "no prompt is affected" in comment(NOTHING)
    assert "no prompt is affected" in summary(NOTHING)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (ONE_WORSE, "1 of 2 prompts got worse"),
        (gate(prompt("a", "pass")), "1 prompt passes"),
        (gate(prompt("a", "pass"), prompt("b", "pass")), "2 prompts pass"),
        (PASSES, "1 prompt passes, 1 is new"),
        (gate(prompt("a", "regression"), prompt("b", "regression")), "2 prompts got worse"),
        (
            gate(prompt("a", "broken"), prompt("b", "stopped")),
            "1 of 2 prompts is broken, 1 could not be tested",
        ),
        (
            gate(prompt("a", "released"), prompt("b", "inconclusive")),
            "1 of 2 prompts is undecided, 1 was released without a passing test",
        ),
        (WRONG, "release files are wrong"),
        (NOTHING, "no prompt is affected"),
    ],
)
def test_the_headline_names_the_gravest_first(found: GateReport, said: str) -> None:
    assert headline(found) == said


def test_the_gravest_prompt_is_shown_first() -> None:
    assert [one.id for one in ordered(EVERYTHING.prompts)][:4] == [
        "torn",
        "support-triage",
        "slow",
        "greeting",
    ]


def test_a_row_shows_the_numbers_that_decided() -> None:
    worse, better, undecided = (
        figures(prompt("x", one.verdict, report=one)) for one in (WORSE, BETTER, OPEN)
    )
    assert worse == "queue 94% → 88% (allowed −5) · 21 broken, 3 fixed · cost +3 %"
    assert better == "tone 4.3 → 4.4 · cost −12 %"
    assert undecided == "queue 90% → 88% (allowed −5) · 2 broken, 1 fixed"


def test_of_many_metrics_that_got_worse_two_are_shown_and_the_rest_counted() -> None:
    many = report("x", "regression", [QUEUE.model_copy(update={"name": f"m{number}"}) for number in range(5)])
    assert figures(prompt("x", "regression", report=many)).endswith("21 broken, 3 fixed · 3 more")


def test_a_first_release_shows_its_floor() -> None:
    line = metric("queue", 0.0, 0.88, baseline_mean=None, difference=None, margin=None, floor=0.8)
    assert figures(prompt("x", "pass", report=report("x", "pass", [line]))) == "queue 88% (allowed ≥ 80%)"


def test_a_verdict_without_a_metric_that_decided_shows_its_sentence() -> None:
    crept = report("x", "inconclusive", [metric("queue", 0.9, 0.9)], reasons=["small falls have added up"])
    assert figures(prompt("x", "inconclusive", report=crept)) == "small falls have added up"


def test_who_overruled_a_verdict_and_why_stands_in_its_row() -> None:
    over = Overruled(how="accepted", by="Ada", reason="the samples are old")
    assert figures(prompt("x", "pass", overruled=over)) == "accepted by Ada: the samples are old"


def test_what_broke_most_is_a_slice_that_broke_more_than_its_share() -> None:
    assert broke_most(WORSE) == "language=de, 11 of 21 (it holds 40 of 300 samples)"
    even = WORSE.model_copy(
        update={"slices": [slice_of("language=de", 3, 43), slice_of("language=en", 18, 257)]}
    )
    assert broke_most(even) in ("language=en, 18 of 21 (it holds 257 of 300 samples)", "")
    alone = WORSE.model_copy(update={"slices": [slice_of("language=all", 21, 300)]})
    assert broke_most(alone) == ""


def test_examples_are_of_a_metric_that_got_worse() -> None:
    other = WORSE.changes[0].model_copy(update={"metric": "tone", "sample_id": "other"})
    found = examples(WORSE.model_copy(update={"changes": [other, *WORSE.changes]}))
    assert [change.sample_id for change in found] == ["smp_0001", "smp_0002"]


def test_what_nobody_can_overrule_names_no_command() -> None:
    assert to_merge(prompt("x", "regression")) == ("To merge: fix it", [])
    assert to_merge(prompt("x", "inconclusive", report=OPEN)) == ("To merge: show more", [])
    assert to_merge(prompt("x", "pass")) == ("", [])


def test_what_kept_the_gate_from_judging_is_told_wherever_people_look() -> None:
    for shown in (comment(FAILED), summary(FAILED)):
        assert "### ❌ promptops: this change could not be judged\n" in shown
        assert "- promptops.yaml&#58;9&#58; a tab\n" in shown
    (line,) = annotations(FAILED)
    assert line.startswith(
        "::error title=promptops::this change could not be judged: promptops.yaml:3:5: unknown"
    )
    assert FAILED.affects
    assert FAILED.exit_code() == 2


def test_wrong_release_files_name_the_command_that_finds_the_commit() -> None:
    said = "To merge: undo it in the commit that did it, as named by"
    assert f"{said} `promptops verify --since 1a2b3c4d0000`" in comment(WRONG)
    assert f"{said} promptops verify --since 1a2b3c4d0000" in terminal(WRONG)
    warned = gate(integrity=[WRONG.integrity[0].model_copy(update={"level": "warning"})])
    assert said not in comment(warned) + terminal(warned)


def test_words_keep_answers_in_order_that_are_written_from_right_to_left() -> None:
    hebrew = broken(1, "איפה החבילה שלי", "משלוח", "חשבון")
    found = comment(gate(prompt("x", "regression", report=WORSE.model_copy(update={"changes": [hebrew]}))))
    assert "”: before <code>משלוח</code> ✓, after <code>חשבון</code> ✗\n" in found


def test_several_ways_on_are_a_list() -> None:
    shown = comment(gate(prompt("x", "regression", commands=["promptops lint x", "promptops diff x"])))
    assert "or an owner runs one of\n\n- `promptops lint x`\n- `promptops diff x`\n" in shown


def test_why_a_prompt_is_broken_is_said_once_and_whole() -> None:
    short, long = "a: it is torn", f"a: {'it is torn, ' * 30}so mend it"
    for words in (short, long):
        note = Note(level="error", path="a", message=words.removeprefix("a: "))
        shown = comment(gate(prompt("x", "broken", path="a", said=[words]), notes=[note]))
        assert shown.count(literal(words)) == 1
        assert ("#### x" in shown) == (words is long)
        assert "Remarks" not in shown


def test_one_command_is_named_however_many_prompts_could_not_be_tested() -> None:
    many = gate(*(prompt(f"p{place}", "stopped") for place in range(3)), command="promptops gate --base main")
    for shown in (comment(many), summary(many), terminal(many)):
        assert shown.count("promptops gate --base main") == 1
    assert "####" not in comment(many)


def test_a_command_that_would_end_its_code_is_escaped() -> None:
    shown = comment(gate(prompt("x", "stopped"), command="promptops gate --base a`|b"))
    assert "<code>promptops gate &#45;&#45;base a&#96;&#124;b</code>" in shown


def with_basis() -> GateReport:
    policy = Policy(rules=(Rule(metric="queue", kind="binary", margin=0.05),), alpha=0.04)
    values = [float(number % 9 > 0) for number in range(90)]
    other = [float(number % 7 > 0) for number in range(90)]
    basis = Basis(
        policy=policy, findings=summarise(policy, {"queue": Measured(baseline=values, candidate=other)})
    )
    return gate(prompt("x", "regression", report=WORSE.model_copy(update={"basis": basis.as_json()})))


def test_a_summary_names_no_way_on_but_the_gates() -> None:
    shown = summary(gate(prompt("x", "inconclusive", report=OPEN)))
    assert "To merge: show more.\n" in shown
    assert "promptops promote" not in shown


def test_a_summary_folds_how_a_verdict_was_reached() -> None:
    shown = summary(with_basis())
    assert "<details><summary>How this was reached</summary>\n\n```text\n" in shown
    assert "tango" in shown


def test_a_summary_without_room_leaves_explanations_out_before_tables() -> None:
    whole, short = summary(with_basis()), summary(with_basis(), limit=6000)
    assert "How this was reached" in whole
    assert "How this was reached" not in short
    assert "| queue | 94% |" in short


def test_a_basis_that_cannot_be_read_is_said_and_not_raised() -> None:
    torn = gate(prompt("x", "regression", report=WORSE.model_copy(update={"basis": {"format": 99}})))
    assert "the numbers of this verdict cannot be read" in summary(torn)


def test_the_same_answer_is_the_same_text() -> None:
    turned = EVERYTHING.model_copy(update={"prompts": list(reversed(EVERYTHING.prompts))})
    assert comment(turned) == comment(EVERYTHING)
    assert summary(turned) == summary(EVERYTHING)


def test_the_docs_show_what_a_gate_writes() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "gate.md").read_text(encoding="utf-8")
    quoted = [f"> {line}".rstrip() for line in comment(ONE_WORSE).rstrip("\n").split("\n")[2:]]
    assert "\n".join(quoted) in docs
    assert f"```text\n{terminal(ONE_WORSE)}```" in docs
    assert all(line in docs for line in annotations(EVERYTHING)[:3])
    assert all(line in docs for line in comment(EVERYTHING).split("\n")[1:6])


def test_what_passes_has_its_row_and_nothing_more() -> None:
    told = prompt("x", "pass", said=["its committed evidence stands: PASS on 120 samples", "nothing fell"])
    assert "#### x" not in comment(gate(told))
    assert terminal(gate(told)).count("\n") == 2
    assert "nothing fell" in summary(gate(told))


def test_an_open_verdict_that_the_gate_lets_pass_says_so() -> None:
    allowed = prompt("x", "pass", report=OPEN.model_copy(update={"inconclusive": "allow"}))
    assert figures(allowed).endswith("undecided, and its gate lets that pass")


def test_a_release_that_was_forced_is_told_with_what_its_evidence_says() -> None:
    over = Overruled(how="forced", by="Ada", reason="a customer waits")
    said = ["its committed evidence stands: REGRESSION on 120 samples", "queue fell by 6 points"]
    shown = comment(gate(prompt("x", "released", said=said, overruled=over)))
    assert "⚠️ promptops: 1 prompt was released without a passing test" in shown
    assert "forced by Ada&#58; a customer waits" in shown
    assert "- queue fell by 6 points" in shown


def test_what_no_test_here_can_decide_is_left_to_a_maintainer() -> None:
    back = prompt("x", "inconclusive", said=["goes back to v3, and nothing says that it went live on a test"])
    assert "To merge: a maintainer decides." in comment(gate(back))


def test_a_released_candidate_has_its_number() -> None:
    released = prompt("x", "pass", candidate=Side(ref="PR", version=13))
    assert "| x v12 → v13 |" in comment(gate(released))
