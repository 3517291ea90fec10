"""What a scorer's argument means for one sample: `{{ expected.queue }}` and the like.

A text that is nothing but one name or place keeps the value's type (a list stays a list); any other template
gives text. Text that came from a sample is never read as a template. A sample that lacks what is named cannot
be scored: that is `Unscorable`, never a failure of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from promptops.errors import PromptopsError
from promptops.prompts.template import render_text
from promptops.samples import Sample
from promptops.scorers.jsonpath import parse_path

Template = Literal["jinja2", "simple"]

_STEP = r"""(?:\.[^\W\d]\w* | \[-?\d+\] | \['[^'\\]*'\] | \["[^"\\]*"\])"""
_PLACE = re.compile(rf"\s* \{{\{{ \s* ( [^\W\d]\w* {_STEP}* ) \s* \}}\}} \s*", re.VERBOSE)


class Unscorable(Exception):
    """This sample, or this scorer on it, gives no score; the text says why."""


def is_template(text: str) -> bool:
    """Whether a text asks to be filled."""
    return "{{" in text or "{%" in text


def fill(argument: Any, sample: Sample, template: Template) -> Any:
    """Return the argument with its templates filled from the sample, lists and objects member by member.

    Raises:
        Unscorable: the sample lacks what a template names, or the template does not render.
    """
    if isinstance(argument, str) and is_template(argument):
        return _filled(argument, sample, template)
    if isinstance(argument, list):
        return [fill(item, sample, template) for item in argument]
    if isinstance(argument, dict):
        return {key: fill(item, sample, template) for key, item in argument.items()}
    return argument


def _filled(text: str, sample: Sample, template: Template) -> Any:
    values = _values(sample)
    if place := _PLACE.fullmatch(text):
        return _at(place[1], values)
    if "expected" not in values and re.search(r"\bexpected\b", text):
        raise Unscorable("the sample has no expected")
    try:
        return render_text(template, text, values, {})
    except PromptopsError as error:
        raise Unscorable(f"the scorer's template does not render: {error}") from error


def _at(place: str, values: Mapping[str, Any]) -> Any:
    if place in values:  # GitHub's names may hold dots
        return values[place]
    root = re.split(r"[.\[]", place, maxsplit=1)[0]
    if root not in values:
        raise Unscorable(f"the sample has no {root}")
    found = parse_path(f"$.{place}").find(dict(values))
    if not found:
        raise Unscorable(f"the sample has no {place}")
    return found[0]


def _values(sample: Sample) -> dict[str, Any]:
    """What a template may name; the sample's own fields win over an input of the same name."""
    values: dict[str, Any] = {
        **(sample.inputs or {}),
        "inputs": sample.inputs or {},
        "slices": sample.slices,
        "tags": sample.tags,
        "sample_id": sample.sample_id,
    }
    if sample.expected is None:
        values.pop("expected", None)
        return values
    return {**values, "expected": sample.expected}
