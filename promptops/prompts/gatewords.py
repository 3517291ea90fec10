"""What a native prompt file says about its gate that contradicts itself, or that could never decide anything.

Like checks.py it reads the values as they are written and yields every problem at its place. A margin is held
against the range of its scorer here, before anything is asked or paid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from promptops.documents import Document
from promptops.errors import Problem, did_you_mean
from promptops.prompts.model import MEASURES, SCORER_KINDS, GateWords
from promptops.prompts.written import fraction

Loc = tuple[str | int, ...]
Scale = tuple[float, float]

GATE_WORDS: Final = frozenset(GateWords.model_fields)
_DECIDING: Final = ("must", "never", "min", "max_drop", "max_rise")
# What a measure without a scorer can be held to: whether calls are answered is a rate, the others are ratios.
_MEASURE_WORDS: Final = {"answered": frozenset({"max_drop", "min"})}
_RATIO_WORDS: Final = frozenset({"max_rise", "must", "observe"})
_SHARE: Final = (0.0, 1.0)
_SHOWN: Final = 60


def check_scorer_words(document: Document, name: str, spec: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with the gate words beside one scorer."""
    loc: Loc = ("scorers", name)
    if "max_rise" in spec:
        yield document.key_problem(
            (*loc, "max_rise"), "is for limits (latency, cost, tokens); a scorer takes max_drop"
        )
    yield from _contradictions(document, loc, spec)
    scale = scale_of(spec)
    if scale is not None:
        yield from _within(document, loc, spec, scale, never=True)


def check_limit(document: Document, name: str, words: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with the limit of one measure."""
    loc: Loc = ("limits", name)
    if name not in MEASURES:
        known = f"{did_you_mean(name[:100], MEASURES) or '; known are ' + ', '.join(MEASURES)}"
        scored = document.data.get("scorers")
        hint = "; write max_drop beside the scorer" if isinstance(scored, dict) and name in scored else known
        yield document.key_problem(loc, f"nothing of this name is measured without a scorer{hint}")
        return
    fitting = _MEASURE_WORDS.get(name, _RATIO_WORDS)
    for word in sorted(words.keys() & GATE_WORDS - fitting):
        yield document.key_problem(
            (*loc, word), f"does nothing with {name}, which takes {', '.join(sorted(fitting))}"
        )
    yield from _contradictions(document, loc, words)
    if name in _MEASURE_WORDS:
        yield from _within(document, loc, words, _SHARE)


def check_slices(document: Document, gate: Any) -> Iterator[Problem]:
    """Yield what is wrong with `gate.slices`; whether the samples have them is known only with the samples."""
    slices = gate.get("slices") if isinstance(gate, dict) else None
    if not isinstance(slices, dict):
        return
    by, critical = slices.get("by"), slices.get("critical")
    yield from _names(document, by)
    yield from _critical(document, critical, by)
    if slices.get("policy") == "block":
        yield from _blocking(document, gate, by)


def scale_of(spec: Mapping[str, Any]) -> Scale | None:
    """The worst and the best value of a scorer as it is written; None where that cannot be told."""
    kinds = [kind for kind in SCORER_KINDS if kind in spec]
    if len(kinds) != 1:
        return None
    if kinds[0] not in ("python", "judge"):
        return _SHARE
    ends = spec.get("range" if kinds[0] == "python" else "scale")
    if ends is None:
        return _SHARE if kinds[0] == "python" else None
    if not isinstance(ends, list) or len(ends) != 2:
        return None
    low, high = map(number, ends)
    return (low, high) if low is not None and high is not None and low < high else None


def number(value: Any) -> float | None:
    """A finite number as it is written, `20%` too; None for everything else."""
    read = fraction(value)
    if isinstance(read, bool) or not isinstance(read, (int, float)) or not math.isfinite(read):
        return None
    return float(read)


def _within(
    document: Document, loc: Loc, words: Mapping[str, Any], scale: Scale, *, never: bool = False
) -> Iterator[Problem]:
    """A fall as wide as the range allows everything; a floor at its end always holds, or never can."""
    low, high = scale
    drop, floor = number(words.get("max_drop")), number(words.get("min"))
    if drop is not None and drop >= high - low:
        here = (*loc, "max_drop")
        said = f"allows everything: the values go from {low:g} to {high:g}, so write less than {high - low:g}"
        yield document.problem(here, f"{said}, got {document.got(here)}")
    if floor is not None and not low < floor < high:
        here = (*loc, "min")
        hint = "; to allow no failure at all write never: true" if never and floor >= high else ""
        said = f"expected a number above {low:g} and below {high:g}, got {document.got(here)}"
        yield document.problem(here, f"{said}{hint}")


def _contradictions(document: Document, loc: Loc, words: Mapping[str, Any]) -> Iterator[Problem]:
    gates = [word for word in _DECIDING if words.get(word) not in (None, False)]
    if words.get("observe") is True and gates:
        yield document.key_problem(
            (*loc, "observe"), f"what is only observed has no {' and no '.join(gates)}"
        )
    if words.get("never") is True and words.get("must") is not None:
        yield document.key_problem((*loc, "never"), "what must never happen cannot also improve")
    if words.get("never") is True and words.get("max_drop") is not None:
        yield document.key_problem((*loc, "max_drop"), "what must never happen has no margin")


def _names(document: Document, by: Any) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, name in enumerate(by if isinstance(by, list) else []):
        if not isinstance(name, str):
            continue
        loc = ("gate", "slices", "by", index)
        if not name.strip() or "=" in name:
            yield document.problem(loc, "expected the name of a slice, like language")
        elif name in seen:
            yield document.problem(loc, f"{name[:_SHOWN]} is written twice")
        seen.add(name)


def _critical(document: Document, critical: Any, by: Any) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for index, one in enumerate(critical if isinstance(critical, list) else []):
        if not isinstance(one, str):
            continue
        loc = ("gate", "slices", "critical", index)
        name, _, value = map(str.strip, one.partition("="))
        if not name or not value:
            yield document.problem(loc, "expected name=value, like language=de")
        elif (name, value) in seen:
            yield document.problem(loc, f"{name[:_SHOWN]}={value[:_SHOWN]} is written twice")
        elif isinstance(by, list) and name not in by:
            hint = did_you_mean(name[:_SHOWN], [key for key in by if isinstance(key, str)])
            yield document.problem(loc, f"{name[:_SHOWN]} is not among the slices in by{hint}")
        seen.add((name, value))


def _blocking(document: Document, gate: Mapping[str, Any], by: Any) -> Iterator[Problem]:
    loc = ("gate", "slices", "policy")
    if not by:
        yield document.problem(loc, "block does nothing without by: name the slices that may block")
    if gate.get("sequential") is not None:
        yield document.problem(
            loc,
            "block needs all samples at once, sequential stops before; name those slices critical instead",
        )
