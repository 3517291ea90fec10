"""Templates that are read without jinja2 are read as jinja2 would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptops.prompts import template
from promptops.prompts.reading import find_partials, find_variables
from promptops.prompts.template import TemplateFault

PIECES = [
    "{{ name }}",
    "{{name}}",
    "{{ other }}",
    "{{ true }}",
    "{{ loop }}",
    "{{ name|upper }}",
    "{{{ name }}}",
    "{{",
    "}}",
    "{",
    "}",
    '{% include "a" %}',
    "{% include 'b' %}",
    '{%include "a"%}',
    "{% if name %}x{% endif %}",
    "{# no #}",
    "{%",
    "%}",
    " text ",
    "\n",
    "{{ _x }}",
    "{{ a.b }}",
    "{%- include 'a' -%}",
    "{{- name -}}",
    "'",
    '"',
    "\\",
    "#}",
    "{{ range }}",
]
PARTIALS = {"a": "plain {{ inner }}", "b": "no place"}


@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_what_is_read_plainly_is_what_jinja2_reads(text: str) -> None:
    read = template._read_plainly(text)
    if read is None:
        return
    assert [(use.name, use.line) for use in read[1]] == list(find_partials(text))
    names = template._plain_variables(text, PARTIALS)
    assert names is not None
    assert (set(names), set()) == find_variables(text, PARTIALS)


@pytest.mark.parametrize(
    "text", ["{{ name|upper }}", "{% if a %}{% endif %}", "{{ true }}", "{{{ a }}}", "{# c #}", "{{ _a }}"]
)
def test_everything_else_is_left_to_jinja2(text: str) -> None:
    assert template._read_plainly(text) is None


def test_a_plain_template_with_an_unknown_partial_is_left_to_jinja2_to_complain_about() -> None:
    with pytest.raises(TemplateFault, match="no partial called 'c'"):
        template.variables("jinja2", '{% include "c" %}', {})
