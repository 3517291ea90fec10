"""The scorers of a prompt that names none: read off the first samples, and said, so that nobody has to guess.

Only what clearly says what is right is used. Prose is not: two good answers to one question are never equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from promptops.prompts.model import ScorerSpec
from promptops.prompts.responseformat import response_schema
from promptops.samples import Sample

LOOKED_AT = 200
SHORT_LENGTH = 50
SHORT_WORDS = 5
MOST_KEYS = 12

NOTHING_SAYS = "nothing here says what is right; add to the prompt file:"
TWO_LINES = 'scorers:\n  right: {equals: "{{ expected }}"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """The scorers that were chosen, by name, and the sentence that says which and why."""

    scorers: Mapping[str, ScorerSpec]
    said: str


def default_scorers(samples: Iterable[Sample], response_format: Mapping[str, Any] | None) -> Defaults:
    """Choose scorers from the first 200 samples and the prompt's response format; often there are none."""
    seen = list(islice(samples, LOOKED_AT))
    expected = [sample.expected for sample in seen if sample.expected is not None]
    scorers, said = _from_expected(expected)
    if expected and len(expected) < len(seen):
        said += f" ({len(expected)} of the first {len(seen)} samples have an expected)"
    if response_schema(response_format) is not None:
        scorers = {**scorers, _free("valid", scorers): ScorerSpec(json_schema="response_format")}
        said = "; ".join(part for part in (said, "the answer fits the response schema") if part)
    if not scorers:
        return Defaults(scorers={}, said=f"{f'{said}; ' if said else ''}{NOTHING_SAYS}\n{TWO_LINES}")
    return Defaults(scorers=scorers, said=f"no scorers are written, so: {said}")


def _from_expected(expected: Sequence[Any]) -> tuple[dict[str, ScorerSpec], str]:
    if not expected:
        return {}, ""
    if all(isinstance(value, dict) for value in expected):
        return _from_objects(expected)
    if any(isinstance(value, dict) for value in expected):
        return {}, "expected is an object in some samples and not in others"
    if not all(map(_is_short, expected)):
        return {}, "expected is prose"
    return {"equals": ScorerSpec(equals="{{ expected }}")}, "the answer equals expected"


def _from_objects(expected: Sequence[Mapping[str, Any]]) -> tuple[dict[str, ScorerSpec], str]:
    counts = Counter(key for value in expected for key in value)
    everywhere = [key for key, count in counts.items() if count == len(expected) and _is_plain(key)]
    usable = [key for key in everywhere if all(_is_short(value[key]) for value in expected)][:MOST_KEYS]
    left = [key for key in counts if key not in usable]
    said = f"each of {', '.join(usable)} in the JSON answer equals the one in expected" if usable else ""
    if left:
        why = f"not compared: {', '.join(left[:MOST_KEYS])} (not in every sample, or prose)"
        said = f"{said}; {why}" if said else why
    return {key: _key_equals(key) for key in usable}, said


def _key_equals(key: str) -> ScorerSpec:
    return ScorerSpec(equals=f"{{{{ expected['{key}'] }}}}", path=f"$['{key}']")


def _is_plain(key: str) -> bool:
    """Keys that would need escapes in a path are left to a person."""
    return key.isprintable() and 0 < len(key) <= SHORT_LENGTH and not set(key) & set("'\"\\{}")


def _is_short(value: Any) -> bool:
    """A label, a number, or a few of them: what a model can be expected to repeat exactly."""
    if isinstance(value, str):
        return len(value) <= SHORT_LENGTH and "\n" not in value.strip() and len(value.split()) <= SHORT_WORDS
    if isinstance(value, list):
        return all(map(_is_short, value))
    if isinstance(value, dict):
        return all(map(_is_short, value.values()))
    return True


def _free(name: str, taken: Mapping[str, ScorerSpec]) -> str:
    return name if name not in taken else _free(f"{name}_", taken)
