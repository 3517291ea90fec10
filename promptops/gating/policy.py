"""The base's policy over the change's prompt, and what the change would have made easier for itself.

A change cannot judge itself: scorers, limits, gate and samples are the base's, and so is the schema that a scorer
holds answers to. What the change wrote there is told, the loosened first, and so is a tool that it lets do more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptops.prompts.model import GateWords, Prompt, ScorerSpec, ToolDef
from promptops.prompts.responseformat import response_schema
from promptops.risks import Approval, Risk

_RISKS = (Risk.READ, Risk.WRITE, Risk.IRREVERSIBLE)
_ORDER = {"block": 0, "review": 1, "allow": 2}


def under(base: Prompt, head: Prompt, chosen: Mapping[str, ScorerSpec] | None = None) -> Prompt:
    """Return the head's prompt as the base judges it; `chosen` are the base's scorers where it names none.

    Where the response format differs, a scorer that refers to it is held to the base's.
    """
    scorers = base.spec.scorers if base.spec.scorers is not None else chosen
    if scorers is not None and base.spec.response_format != head.spec.response_format:
        scorers = {name: _with_schema(spec, base) for name, spec in scorers.items()}
    words = {"limits": base.spec.limits, "gate": base.spec.gate, "samples": base.spec.samples}
    spec = head.spec.model_copy(update={"scorers": scorers, **words})
    return replace(head, spec=spec, path=base.path, rows=base.rows, dialect=base.dialect)


def _with_schema(spec: ScorerSpec, base: Prompt) -> ScorerSpec:
    if spec.json_schema != "response_format":
        return spec
    return spec.model_copy(update={"json_schema": dict(response_schema(base.spec.response_format) or {})})


def differs(base: Prompt, head: Prompt) -> bool:
    """Whether the change writes another policy."""
    return any(
        getattr(base.spec, name) != getattr(head.spec, name)
        for name in ("scorers", "limits", "gate", "samples")
    )


def loosened(base: Prompt, head: Prompt) -> tuple[str, ...]:
    """Return what the change would judge less strictly, in sentences; of the policy nothing takes effect here."""
    old, new = base.spec, head.spec
    found = [
        *_words("scorer", old.scorers or {}, new.scorers or {}),
        *_words("limit", old.limits, new.limits),
        *_gate(base, head),
    ]
    if old.samples != new.samples:
        found.append(f"samples are {_list(new.samples)} instead of {_list(old.samples)}")
    return (*found, *_tools(old.tools, new.tools))


def _tools(old: Sequence[ToolDef], new: Sequence[ToolDef]) -> Iterator[str]:
    """No test of answers shows what a program may do with them unasked, and this does go live with the prompt."""
    known = {tool.name: tool for tool in old}
    for tool in new:
        was = known.get(tool.name)
        if was is None:
            continue
        if was.approval is Approval.REQUIRED and tool.approval is not Approval.REQUIRED:
            yield f"tool {tool.name}: approval required → none, which goes live with it"
        before, after = was.risk or Risk.IRREVERSIBLE, tool.risk or Risk.IRREVERSIBLE
        if _RISKS.index(after) < _RISKS.index(before):
            yield f"tool {tool.name}: risk {before} → {after}, which goes live with it"


def _words(what: str, old: Mapping[str, GateWords], new: Mapping[str, GateWords]) -> Iterator[str]:
    for name, before in old.items():
        after = new.get(name)
        if after is None:
            yield f"{what} {name} is gone"
            continue
        yield from (f"{what} {name}: {text}" for text in _looser(before, after))
        if isinstance(before, ScorerSpec) and isinstance(after, ScorerSpec) and _rule(before) != _rule(after):
            yield f"{what} {name} scores by another rule"


def _looser(before: GateWords, after: GateWords) -> Iterator[str]:
    for word in ("max_drop", "max_rise"):
        was, now = getattr(before, word), getattr(after, word)
        if was != now and (now is None or was is None or now > was):
            yield f"{word} {_number(was)} → {_number(now)}"
    if before.min is not None and (after.min is None or after.min < before.min):
        yield f"min {_number(before.min)} → {_number(after.min)}"
    if before.never and not after.never:
        yield "never is taken back"
    if before.must and not after.must:
        yield f"must: {before.must} is taken back"
    if after.observe and not before.observe:
        yield "is only observed"


def _gate(base: Prompt, head: Prompt) -> Iterator[str]:
    old, new = base.spec.gate, head.spec.gate
    if old.alpha != new.alpha and (new.alpha is None or old.alpha is None or new.alpha > old.alpha):
        yield f"alpha {_number(old.alpha)} → {_number(new.alpha)}"
    if _ORDER[new.inconclusive] > _ORDER[old.inconclusive]:
        yield f"inconclusive: {old.inconclusive} → {new.inconclusive}"
    if old.targets == "all" and new.targets == "any":
        yield "targets: all → any"
    if old.trust == "ci" and new.trust != "ci":
        yield "trust: ci is taken back"
    for word in ("slices", "sequential", "anchor"):
        if getattr(old, word) != getattr(new, word):
            yield f"{word} are others" if word == "slices" else f"{word} is another"


def _rule(spec: ScorerSpec) -> dict[str, Any]:
    return spec.model_dump(exclude=set(GateWords.model_fields), exclude_unset=True)


def _number(value: float | None) -> str:
    return "nothing written" if value is None else f"{value:g}"


def _list(patterns: Sequence[str] | None) -> str:
    return "those beside the prompt" if patterns is None else ", ".join(patterns)
