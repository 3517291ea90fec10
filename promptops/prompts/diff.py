"""Two versions of a prompt → what changed, in sentences, and which words; baseline first, always.

`breaking` is what makes programs fail that call the prompt or read its answers; `behaviour` whatever else
reaches the model; `cosmetic` what does not. Where the digests are equal, everything is cosmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, Literal

from promptops.messages import Message, Request
from promptops.nodes import shorten
from promptops.prompts.inputs import input_schema
from promptops.prompts.model import Prompt
from promptops.prompts.narrowing import narrowings
from promptops.prompts.words import Token, compare_words

Area = Literal[
    "messages",
    "parameters",
    "model",
    "tools",
    "inputs",
    "response_format",
    "partials",
    "template",
    "scorers",
    "gate",
    "metadata",
]
Label = Literal["breaking", "behaviour", "cosmetic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that changed, in one sentence."""

    area: Area
    label: Label
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDiff:
    """The words of one message or partial; `title` says which, like `messages[0] system`."""

    title: str
    tokens: tuple[Token, ...]

    @property
    def changed(self) -> bool:
        return any(token.kind != "same" for token in self.tokens)

    def near_changes(self) -> Iterator[tuple[Token, ...] | None]:
        """Yield the lines in which words changed with a line around them, None where some are left out between."""
        lines: list[list[Token]] = [[]]
        for token in self.tokens:
            first, *others = token.text.split("\n")
            lines[-1].append(Token(kind=token.kind, text=first))
            lines += [[Token(kind=token.kind, text=part)] for part in others]
        changed = [any(token.kind != "same" for token in line) for line in lines]
        skipped = False
        for number, line in enumerate(lines):
            if not any(changed[max(0, number - 1) : number + 2]):
                skipped = True
                continue
            if skipped:
                yield None
            skipped = False
            yield tuple(token for token in line if token.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptDiff:
    """All changes, breaking ones first, and all texts that are in either version."""

    changes: tuple[Change, ...]
    texts: tuple[TextDiff, ...]

    @property
    def label(self) -> Label | None:
        """The gravest label, None where nothing changed."""
        return self.changes[0].label if self.changes else None


def diff(baseline: Prompt, candidate: Prompt) -> PromptDiff:
    """Compare two versions of a prompt."""
    found = [*_cosmetic(baseline, candidate)]
    if baseline.digest != candidate.digest:
        found += _reaching(baseline, candidate)
    messages = [_pair(one.role, one.content) for one in baseline.spec.messages]
    others = [_pair(one.role, one.content) for one in candidate.spec.messages]
    texts = (*_message_texts(messages, others), *_partial_texts(baseline.partials, candidate.partials))
    return PromptDiff(changes=_ordered(found), texts=texts)


def diff_requests(baseline: Request, candidate: Request) -> PromptDiff:
    """Compare what two versions ask for the same sample; nothing of it is cosmetic."""
    before, after = [_said(one) for one in baseline.messages], [_said(one) for one in candidate.messages]
    found = [*_texts_changed(before, after)]
    if baseline.model != candidate.model:
        found.append(_behaviour("model", f"{baseline.model} → {candidate.model}"))
    found += _parameters(baseline.parameters, candidate.parameters)
    if baseline.tools != candidate.tools:
        found.append(_behaviour("tools", "the tools are not the same"))
    if baseline.response_format != candidate.response_format:
        found.append(_behaviour("response_format", "the response format is not the same"))
    return PromptDiff(changes=_ordered(found), texts=tuple(_message_texts(before, after)))


def _ordered(found: Sequence[Change]) -> tuple[Change, ...]:
    grave = {"breaking": 0, "behaviour": 1, "cosmetic": 2}
    return tuple(sorted(found, key=lambda change: grave[change.label]))


def _behaviour(area: Area, sentence: str) -> Change:
    return Change(area=area, label="behaviour", sentence=sentence)


def _reaching(baseline: Prompt, candidate: Prompt) -> Iterator[Change]:
    old, new = baseline.spec, candidate.spec
    if old.model != new.model:
        yield _behaviour("model", f"{old.model} → {new.model}")
    yield from _parameters(old.parameters, new.parameters)
    if old.template != new.template:
        yield _behaviour("template", f"templates are read as {new.template}, were read as {old.template}")
    yield from _texts_changed(
        [_pair(one.role, one.content) for one in old.messages],
        [_pair(one.role, one.content) for one in new.messages],
    )
    for name in sorted(baseline.partials.keys() | candidate.partials.keys()):
        before, after = baseline.partials.get(name), candidate.partials.get(name)
        if before != after:
            yield _behaviour("partials", f"{name} {_how(before, after)}")
    yield from _inputs(baseline, candidate)
    yield from _tools(baseline, candidate)
    yield from _response_format(old.response_format, new.response_format)


def _how(before: Any, after: Any) -> str:
    return "added" if before is None else "removed" if after is None else "changed"


def _parameters(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        before = shorten(str(old[name])) if name in old else "not set"
        after = shorten(str(new[name])) if name in new else "not set"
        if old.get(name) != new.get(name) or before != after:
            yield _behaviour("parameters", f"{name}: {before} → {after}")


def _inputs(baseline: Prompt, candidate: Prompt) -> Iterator[Change]:
    old, new = input_schema(baseline), input_schema(candidate)
    removed = sorted((old.get("properties") or {}).keys() - (new.get("properties") or {}).keys())
    narrowed = [
        words
        for words in narrowings(old, new)
        if not any(words == f"{one} is no longer taken" for one in removed)
    ]
    for name in removed:
        yield Change(area="inputs", label="breaking", sentence=f"{name} is no longer an input")
    for words in narrowed:
        yield Change(area="inputs", label="breaking", sentence=words)
    added = sorted((new.get("properties") or {}).keys() - (old.get("properties") or {}).keys())
    for name in added:
        if name not in (new.get("required") or []):
            yield _behaviour("inputs", f"{name} is a new input, not required")
    if baseline.spec.inputs != candidate.spec.inputs and not (removed or narrowed or added):
        yield _behaviour("inputs", "the schema changed, and takes all that it took")


def _tools(baseline: Prompt, candidate: Prompt) -> Iterator[Change]:
    old = {tool["name"]: tool for tool in baseline.body["tools"]}
    new = {tool["name"]: tool for tool in candidate.body["tools"]}
    for name in old.keys() - new.keys():
        yield Change(area="tools", label="breaking", sentence=f"{name} removed")
    for name in new.keys() - old.keys():
        yield _behaviour("tools", f"{name} added ({new[name]['risk']})")
    for name in sorted(old.keys() & new.keys()):
        yield from _tool(name, old[name], new[name])
    if list(old) != list(new) and sorted(old) == sorted(new):
        yield _behaviour("tools", "the tools stand in another order")


def _tool(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for words in narrowings(old["parameters"], new["parameters"]):
        yield Change(area="tools", label="breaking", sentence=f"{name}: {words}")
    for words in narrowings(new.get("returns"), old.get("returns")):
        yield Change(
            area="tools", label="breaking", sentence=f"{name} may return more than before: now, {_was(words)}"
        )
    for key in ("description", "risk", "approval"):
        if old[key] != new[key]:
            shown = f": {old[key]} → {new[key]}" if key != "description" else " changed"
            yield _behaviour("tools", f"{name}: {key}{shown}")
    if old["parameters"] != new["parameters"] and not list(narrowings(old["parameters"], new["parameters"])):
        yield _behaviour("tools", f"{name}: the schema changed, and takes all that it took")


def _response_format(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Iterator[Change]:
    if old == new and str(old) == str(new):
        return
    if old is None or new is None or old.get("type") != new.get("type"):
        kinds = [str(one.get("type")) if one else "none" for one in (old, new)]
        yield Change(area="response_format", label="breaking", sentence=f"{kinds[0]} → {kinds[1]}")
        return
    before, after = ((one.get("json_schema") or {}).get("schema") for one in (old, new))
    lost = [_was(words) for words in narrowings(_open(after), _open(before))]
    for words in lost:
        yield Change(
            area="response_format", label="breaking", sentence=f"answers may be what they were not: {words}"
        )
    if not lost:
        yield _behaviour("response_format", "the schema changed, and its answers fit the old one")


def _open(schema: Any) -> Any:
    """The schema as a reader of answers sees it: further keys do not hurt."""
    if not isinstance(schema, Mapping):
        return schema
    held = {key: value for key, value in schema.items() if key != "additionalProperties"}
    if isinstance(held.get("properties"), Mapping):
        held["properties"] = {name: _open(one) for name, one in held["properties"].items()}
    return {**held, "items": _open(held["items"])} if "items" in held else held


def _was(words: str) -> str:
    """Turn a narrowing from new to old around: what the old schema asked for and the new one does not."""
    for now, then in (
        ("is now required", "was always there"),
        ("no longer takes", "could not be"),
        ("is now", "was"),
    ):
        if now in words:
            return words.replace(now, then)
    return words


Said = tuple[str, str]


def _pair(role: str, content: str) -> Said:
    return role, content


def _said(message: Message) -> Said:
    content = message.content if isinstance(message.content, str) else str(message.content or "")
    calls = "".join(f"\n{call.name}({call.arguments})" for call in message.tool_calls)
    return message.role, content + calls


def _matched(old: Sequence[Said], new: Sequence[Said]) -> Iterator[tuple[int | None, int | None]]:
    """Yield which message of the one stands for which of the other; None where there is none."""
    for step, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if step == "equal":
            yield from zip(range(i1, i2), range(j1, j2), strict=True)
            continue
        for before, after in zip_longest(range(i1, i2), range(j1, j2)):
            if before is not None and after is not None and old[before][0] != new[after][0]:
                yield before, None
                yield None, after
            else:
                yield before, after


def _message_texts(old: Sequence[Said], new: Sequence[Said]) -> Iterator[TextDiff]:
    for before, after in _matched(old, new):
        role = new[after][0] if after is not None else old[before or 0][0]
        index = after if after is not None else before
        texts = (old[before][1] if before is not None else "", new[after][1] if after is not None else "")
        yield TextDiff(title=f"messages[{index}] {role}", tokens=compare_words(*texts))


def _partial_texts(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[TextDiff]:
    for name in sorted(old.keys() | new.keys()):
        yield TextDiff(title=f"partial {name}", tokens=compare_words(old.get(name, ""), new.get(name, "")))


def _texts_changed(old: Sequence[Said], new: Sequence[Said]) -> Iterator[Change]:
    for before, after in _matched(old, new):
        if before is None and after is not None:
            yield _behaviour("messages", f"a message of the {new[after][0]} added")
        elif after is None and before is not None:
            yield _behaviour("messages", f"a message of the {old[before][0]} removed")
        elif before is not None and after is not None and old[before] != new[after]:
            yield _behaviour(
                "messages", f"messages[{after}] ({new[after][0]}) {_amount(old[before][1], new[after][1])}"
            )


def _amount(old: str, new: str) -> str:
    tokens = compare_words(old, new)
    added = sum(len(token.text.split()) for token in tokens if token.kind == "added")
    removed = sum(len(token.text.split()) for token in tokens if token.kind == "removed")
    return f"+{added} −{removed} words" if added or removed else "differs in whitespace"


def _cosmetic(baseline: Prompt, candidate: Prompt) -> Iterator[Change]:
    """Yield what does not reach the model: who owns it, how it is judged."""
    old, new = baseline.spec, candidate.spec
    if baseline.id != candidate.id:
        yield Change(area="metadata", label="cosmetic", sentence=f"id: {baseline.id} → {candidate.id}")
    for key in ("description", "owners", "samples"):
        if getattr(old, key) != getattr(new, key):
            yield Change(area="metadata", label="cosmetic", sentence=f"{key} changed")
    before, after = old.scorers or {}, new.scorers or {}
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            sentence = f"{name} {_how(before.get(name), after.get(name))}"
            yield Change(area="scorers", label="cosmetic", sentence=sentence)
    if old.limits != new.limits or old.gate != new.gate:
        yield Change(area="gate", label="cosmetic", sentence="limits or gate changed")
    same = baseline.digest == candidate.digest
    if same and baseline.source != candidate.source and old == new:
        yield Change(area="metadata", label="cosmetic", sentence="comments or layout changed")
