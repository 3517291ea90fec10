"""An outlook in words: what so many samples can show, what stays invisible with them, and what more would cost."""

from __future__ import annotations

from promptops.evaluation.outlook import Outlook
from promptops.evaluation.prospects import USUAL_ICC, FloorProspect, Prospect
from promptops.reports.numbers import dollars
from promptops.rules import ANSWERED
from promptops.stats.planning import POWER
from promptops.stats.results import Kind
from promptops.stats.sentences import amount

ENOUGH_CLUSTERS = 5


def tell(found: Outlook) -> list[str]:
    """Return the lines to say about one outlook; what is assumed and not measured says so."""
    lines = [_asking(found), *_about_stopping(found), *_about_samples(found)]
    for one in found.prospects:
        if one.target:
            lines += _target(one)
        elif one.metric != ANSWERED:
            lines += _guardrail(one, found)
        elif (one.chance or 0.0) < POWER:
            lines.append(_answered(one))
    for floor in found.floors:
        lines.append(_floor(floor, found))
    for never in found.nevers:
        shown = f"none in {found.samples} answers shows a rate below {never.rate:.2%}"
        lines.append(f"  {never.metric}: one violation refuses; {shown}")
    return [*lines, *_together(found)]


def _asking(found: Outlook) -> str:
    return (
        f"{found.prompt}: {found.samples} samples, up to {found.calls} calls, {_money(found, found.calls)}; "
        "what is in the cache is not asked again"
    )


def _about_stopping(found: Outlook) -> list[str]:
    if not found.sequential:
        return []
    when = (
        f"after about {found.stops} samples if both versions are equally good"
        if found.stops
        else "or at the end"
    )
    return [f"  it stops as soon as it is decided, {when}; what follows is for a test that asks all of them"]


def _money(found: Outlook, calls: int) -> str:
    if found.price.usd is None:
        return found.price.guessed(calls) or f"cost unknown ({found.price.source})"
    return f"about {dollars(found.price.usd * calls)} ({found.price.source})"


def _about_samples(found: Outlook) -> list[str]:
    lines = [f"  {text}" for text in found.said]
    if not lines:
        level = (1 - 2 * found.alpha) * 100
        lines = [
            f"  a first look at this change: judged at {found.alpha * 100:.3g} %, with intervals of {level:.3g} %"
        ]
    if found.budget is not None and found.usd is not None and found.usd > found.budget:
        lines.append(
            f"  that may be more than the budget of {dollars(found.budget)}: the run would stop there"
        )
    if found.effective < found.samples * 0.99:
        lines.append(
            f"  they count like about {found.effective:.0f} independent samples: {_why_fewer(found)}"
        )
    if found.clusters < min(ENOUGH_CLUSTERS, found.samples):
        from_few = f"they come from {found.clusters} conversations or traces"
        lines.append(f"  {from_few}; with fewer than {ENOUGH_CLUSTERS} nothing passes")
    return lines


def _why_fewer(found: Outlook) -> str:
    parts = []
    if found.clusters < found.samples:
        alike = f"assumed {USUAL_ICC:g}" if found.icc is None else f"{found.icc:.2g} in earlier tests"
        parts.append(
            f"they come from {found.clusters} conversations or traces (correlation within one: {alike})"
        )
    if found.weighted:
        parts.append("they stand for different numbers of calls (inclusion_prob)")
    return ", and ".join(parts)


def _guardrail(one: Prospect, found: Outlook) -> list[str]:
    allowed = amount(one.kind, one.margin or 0.0)
    way = "rise" if one.kind == "ratio" else "fall"
    text = f"  {one.metric}, which may {way} by {allowed}: an unchanged prompt {_passes(one.chance or 0.0)}"
    if one.needed is not None and one.needed > one.n:
        text += f"; {_more(one.needed, found, one.n)}"
    ties = f"without a single difference {one.least} samples are needed"
    return [text, f"    {_invisible(one)}; {ties}", f"    {_basis(one)}"]


def _passes(chance: float) -> str:
    """A chance as people say it; nothing is certain, and what is impossible is not said to be rare."""
    if chance == 0:
        return "cannot pass"
    if chance < 0.01:
        return "hardly ever passes"
    return f"passes about {min(chance, 0.99) * 100:.0f} % of the time"


def _more(needed: int, found: Outlook, now: int) -> str:
    more = needed - now
    calls = more * found.calls_a_sample
    price = f", about {dollars(found.price.usd * calls)}" if found.price.usd is not None else ""
    return f"{needed} samples give it {POWER * 100:.0f} %, {more} more ({calls} calls{price})"


def _invisible(one: Prospect) -> str:
    way = {True: ("rises", "falls"), False: ("falls", "rises")}[one.target][one.kind == "ratio"]
    if one.visible is None:
        return f"no {way[:-1]} is large enough to be seen with so few samples"
    return f"{way} smaller than {amount(one.kind, one.visible)} are invisible (shown less than 4 times in 5)"


def _basis(one: Prospect) -> str:
    if one.spread is None:
        return f"assumed, for nothing was measured yet: {_varies(one.kind, one.sd)}"
    tests = "1 earlier test" if one.spread.runs == 1 else f"{one.spread.runs} earlier tests"
    return f"as in {tests} of {one.spread.pairs} pairs: {_varies(one.kind, one.sd)}"


def _varies(kind: Kind, sd: float) -> str:
    match kind:
        case "binary":
            return f"{amount(kind, sd * sd, unit=False)} % of the pairs differ"
        case "bounded":
            return f"a pair's difference has a standard deviation of {amount(kind, sd)}"
        case _:
            return f"a pair's log ratio has a standard deviation of {sd:.2g}"


def _target(one: Prospect) -> list[str]:
    return [f"  {one.metric} must improve: {_invisible(one)}", f"    {_basis(one)}"]


def _answered(one: Prospect) -> str:
    return f"  {one.metric}: {one.least} samples are needed to pass, even if every call is answered"


def _floor(one: FloorProspect, found: Outlook) -> str:
    floor = _level(one.kind, one.floor)
    if one.right is None or one.mean is None:
        few = f"cannot be shown by {found.samples} samples; {one.least} are the least"
        return f"  {one.metric}: its floor of {floor} {few}"
    text = f"  {one.metric}: its floor of {floor} is shown from {_level(one.kind, one.mean)} on"
    if one.kind == "binary":
        text += f" ({one.right} of {found.samples} right)"
    if one.live is None or one.chance is None:
        return text
    text += f"; as good as before ({_level(one.kind, one.live)}) a prompt {_passes(one.chance)}"
    return (
        f"{text}; {_more(one.needed, found, found.samples)}"
        if one.needed and one.needed > found.samples
        else text
    )


def _level(kind: Kind, mean: float) -> str:
    return f"{mean * 100:.3g} %" if kind == "binary" else f"{mean:.3g}"


def _together(found: Outlook) -> list[str]:
    asked = {one.metric for one in found.prospects if one.metric != ANSWERED}
    asked |= {f"{one.metric}'s floor" for one in found.floors if one.chance is not None}
    if found.together is None or len(asked) < 2:
        return []
    return [f"  all of it together: an unchanged prompt {_passes(found.together)}"]
