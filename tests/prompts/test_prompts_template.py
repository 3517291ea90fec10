from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.prompts.template import (
    TemplateFault,
    partial_uses,
    render_text,
    used_variables,
    variables,
)


def jinja(text: str, /, partials: dict[str, str] | None = None, **values: Any) -> str:
    return render_text("jinja2", text, values, partials or {})


def fault(
    text: str, /, partials: dict[str, str] | None = None, kind: str = "jinja2", **values: Any
) -> TemplateFault:
    with pytest.raises(TemplateFault) as caught:
        render_text(kind, text, values, partials or {})
    return caught.value


# what is sent


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("plain\n", {}, "plain\n"),
        ("{{ a }}\n", {"a": "x"}, "x\n"),
        ("{{ a }}\n\n", {"a": "x"}, "x\n\n"),
        ("{% for i in range(3) %}{{ loop.index }}/{{ loop.length }} {% endfor %}", {}, "1/3 2/3 3/3 "),
        ("{{ a|upper }}{{ a|default('y') }}", {"a": "x"}, "Xx"),
        ("{{ a | map(attribute='b') | join(', ') }}", {"a": [{"b": 1}, {"b": 2}]}, "1, 2"),
        ("{{ 'a,b'.split(',') | join(' ') }}", {}, "a b"),
        ("{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m(1) }}", {}, "[1]"),
        ("{{ a | tojson }}", {"a": {"<": [None, True, "é"]}}, '{"<": [null, true, "é"]}'),
        ("{% set ns = namespace(n=0) %}{% set ns.n = 2 %}{{ ns.n }}", {}, "2"),
        ("{{ a ~ '-' ~ 1 }}", {"a": "x"}, "x-1"),
        ("{{ a.items }} {{ a['keys'] }}", {"a": {"items": 3, "keys": 4}}, "3 4"),
        ("{% for k, v in a.items() %}{{ k }}={{ v }};{% endfor %}", {"a": {"x": 1}}, "x=1;"),
        ("{{ a[1:] }}{{ 2 ** 3 }}{{ '%s!' % 'x' }}{{ 'x' * 3 }}", {"a": [1, 2]}, "[2]8x!xxx"),
        ("{% filter upper %}a{% endfilter %}{{ 'a\nb' | indent(2) }}", {}, "Aa\n  b"),
    ],
)
def test_jinja2_is_read_as_usual_and_keeps_the_last_newline(text: str, values: dict[str, Any], expected: str):
    assert jinja(text, **values) == expected


def test_values_may_be_called_as_jinja2_calls_its_own():
    assert jinja("{{ self_ }}{{ name }}", self_="a", name="b") == "ab"
    assert (
        render_text("jinja2", "{{ context }}{{ environment }}", {"context": "a", "environment": "b"}, {})
        == "ab"
    )


def test_partials_come_only_from_what_is_given():
    partials = {"a.md": "A{% include 'b.md' %}", "b.md": "B{{ x }}"}
    assert jinja("{% include 'a.md' %}!", partials, x=1) == "AB1!"
    assert jinja("{% import 'm' as m %}{{ m.f() }}", {"m": "{% macro f() %}F{% endmacro %}"}) == "F"
    assert "no partial called '../../etc/passwd'" in str(fault("{% include '../../etc/passwd' %}", partials))


def test_simple_is_one_pass_and_json_for_what_is_not_text():
    values = {"a": "{{b}}", "b": {"x": [True, None]}, "c.d": 1.5, "e": "é"}
    assert (
        render_text("simple", "{{a}} {{ b }} {{c.d}} {{e}}\n", values, {})
        == '{{b}} {"x": [true, null]} 1.5 é\n'
    )
    assert (
        render_text("simple", "{{ a|upper }} {% if %} {{{{a}}}}", {"a": 1}, {})
        == "{{ a|upper }} {% if %} {{1}}"
    )


def test_none_is_sent_as_written():
    assert render_text("none", "{{ a }} {% include 'x' %}", {"a": 1}, {}) == "{{ a }} {% include 'x' %}"


@given(st.text(max_size=40), st.sampled_from(["jinja2", "simple"]))
@settings(deadline=None)
def test_text_from_data_is_never_a_template(data: str, kind: str):
    for hostile in (data, "{{ b }}" + data, "{% include 'p' %}", "{#" + data):
        assert render_text(kind, "<{{ a }}>", {"a": hostile, "b": "secret"}, {"p": "P"}) == f"<{hostile}>"


# what is wrong


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("a\n{{ x }}", 2, "'x' is undefined"),
        ("\n\n{{ x", 3, "unexpected end of template"),
        ("{% if x %}", 1, "Unexpected end of template"),
        ("{{ 1 / 0 }}", 1, "division by zero"),
        ("{{ 'a' + 1 }}", 1, "can only concatenate"),
        ("{{ y|nosuch }}", 1, "No filter named 'nosuch'"),
        ("{{ [1]|random }}", 1, "No filter named 'random'"),
        ("{{ ''|attr('x') }}", 1, "No filter named 'attr'"),
        ("{{ ''.__class__ }}", 1, "not allowed"),
        ("{{ ''['__class__'] }}", 1, "not allowed"),
        ("{{ ().__class__.__mro__ }}", 1, "not allowed"),
        ("{{ [].append(1) }}", 1, "not allowed"),
        ("{{ '{0.__class__}'.format(1) }}", 1, "not allowed"),
        ("{{ range.__init__ }}", 1, "not allowed"),
        ("{{ ''.upper }}", 1, "a function is shown instead of its result"),
        ("{{ lipsum() }}", 1, "'lipsum' is undefined"),
        ("{% for a in b recursive %}{% endfor %}", 1, "recursive loops are not available"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", 1, "nested too deeply"),
        ("{{ " + "(" * 3000, 1, "nested too deeply"),
        ("{{ " + "not " * 20_000 + "1 }}", 1, "nested too deeply"),
        ("{% if y %}" * 3000, 1, "nested too deeply"),
        ("{% for a in [] %}" * 30 + "{% endfor %}" * 30, 1, "too many statically nested blocks"),
    ],
)
def test_a_wrong_template_is_a_fault_with_its_line(text: str, line: int, expected: str):
    found = fault(text)
    assert expected in found.reason
    assert (found.line, found.name) == (line, None)


def test_a_fault_in_a_partial_names_the_partial_and_its_line():
    found = fault("\n{% include 'p.md' %}", {"p.md": "a\n\n{{ x }}"})
    assert (found.name, found.line) == ("p.md", 3)
    found = fault("\n{% include 'p.md' %}", {"p.md": "a\n{{ x"})
    assert (found.name, found.line) == ("p.md", 2)


def test_all_missing_names_of_a_simple_template_are_said():
    found = fault("a {{x}}\n{{ y }} {{z}}", kind="simple", z=1)
    assert str(found) == "line 1 of the template: no value for x, y"


BOMBS = {
    "text times a number": "{{ 'x' * 10**9 }}",
    "list times a number": "{{ [1] * 10**9 }}",
    "center": "{{ 'x'|center(1000000000) }}",
    "range": "{% for i in range(10**9) %}{% endfor %}",
    "nested loops": "{% for i in range(9999) %}" * 3 + "{% endfor %}" * 3,
    "a long body": "{% for i in range(9999) %}" + "{% if 0 %}{% endif %}" * 999 + "{% endfor %}",
    "doubling with ~": "{% set x = 'x' * 999 %}" + "{% set x = x ~ x %}" * 30 + "{{ x|length }}",
    "doubling with +": "{% set x = 'x' * 999 %}" + "{% set x = x + x %}" * 30 + "{{ x|length }}",
    "doubling with set": "{% set x = 'x' * 999 %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 30,
    "doubling with format": "{% set x = 'x' * 999 %}" + "{% set x = '%s%s' % (x, x) %}" * 30,
    "lists of lists": "{% set x = [1] %}" + "{% set x = [x, x] %}" * 40 + "{{ x }}",
    "tuples compared": "{% set x = (1,) %}" + "{% set x = (x, x) %}" * 40 + "{{ x == x }}",
    "dicts of dicts": "{% set x = {} %}" + "{% set x = {1: x, 2: x} %}" * 40 + "{{ x|tojson }}",
    "calls of dict": "{% set x = 1 %}" + "{% set x = dict(a=x, b=x) %}" * 40 + "{{ x }}",
    "list plus list": "{% set x = [1] %}" + "{% set x = x + x %}" * 40 + "{{ x }}",
    "power": "{{ 10 ** 10 ** 10 }}" + "{{ 2 ** 100000000 }}",
    "squares": "{% set x = 3 %}" + "{% set x = x * x %}" * 60 + "{{ x }}",
    "macros": "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "width in %": "{{ '%1000000000d' % 1 }}",
    "width in format": "{{ '%*d'|format(1000000000, 1) }}",
    "str.format": "{{ '{:1000000000}'.format(1) }}",
    "ljust": "{{ 'a'.ljust(1000000000) }}",
    "replace method": "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}",
    "replace filter": "{{ ('a' * 1000000)|replace('a', 'b' * 1000000) }}",
    "join method": "{{ ('x' * 1000000).join(range(9999)|map('string')) }}",
    "join filter": "{{ range(9999)|map('center', 9999)|join }}",
    "indent": "{{ ('\\n' * 1000000)|indent(9999) }}",
    "wordwrap": "{{ ('a ' * 1000000)|wordwrap(1, wrapstring='x' * 100) }}",
    "batch": "{{ [1]|batch(1000000000, 0)|list }}",
    "slice": "{{ [1]|slice(1000000000)|list }}",
    "round": "{{ 1.5|round(1000000000, 'ceil') }}",
    "large comparisons": "{% set x = 'x' * 9000000 %}{% set y = x ~ '' %}"
    "{% for i in range(9999) %}{% for j in range(9999) %}{% if x == y %}{% endif %}{% endfor %}{% endfor %}",
    "large slices": "{% set x = 'x' * 9000000 %}"
    "{% for i in range(9999) %}{% for j in range(9999) %}{% if x[1:] %}{% endif %}{% endfor %}{% endfor %}",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_template_that_would_not_end_is_a_fault_at_once(name: str):
    begin = time.process_time()
    fault(BOMBS[name])
    assert time.process_time() - begin < 5


def test_partials_that_include_one_another_end():
    chain = {f"p{n}": f"{{% include 'p{n + 1}' %}}" * 2 for n in range(40)} | {"p40": "x"}
    begin = time.process_time()
    fault("{% include 'p0' %}", chain)
    assert "nested too deeply" in fault("{% include 'a' %}", {"a": "{% include 'a' %}"}).reason
    assert time.process_time() - begin < 5


MEMORY = """
import resource, sys
from promptops.prompts.template import TemplateFault, render_text
from tests_bombs import BOMBS
resource.setrlimit(resource.RLIMIT_AS, (700_000_000, 700_000_000))
for bomb in BOMBS.values():
    try:
        render_text("jinja2", bomb, {}, {})
    except TemplateFault as fault:
        assert "MemoryError" not in str(fault), (bomb, fault)
print("all ended")
"""


@pytest.mark.slow
def test_no_bomb_needs_more_memory_than_its_limits(tmp_path):
    (tmp_path / "tests_bombs.py").write_text(f"BOMBS = {BOMBS!r}\n")
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert done.stdout == "all ended\n", done.stderr


def test_a_long_document_and_a_long_list_render():
    rows = [{"id": n, "text": "word " * 20} for n in range(2000)]
    text = "{{ doc }}{% for row in rows %}\n{{ loop.index }}. {{ row.id }}: {{ row.text|trim }}{% endfor %}"
    assert len(jinja(text, doc="x" * 1_000_000, rows=rows)) > 1_200_000


# what is named


def test_variables_are_what_comes_from_the_inputs():
    text = (
        "{% set z = 1 %}{{ a }}{{ b|default(1) }}{% if c is defined %}{{ c }}{% endif %}"
        "{% for i in d %}{{ i }}{{ loop.index }}{% include 'p' %}{% endfor %}{{ range(z) }}"
    )
    found = used_variables("jinja2", text, {"p": "{{ i }}{{ e }}{{ z }}{% include 'q' %}", "q": "{{ f.g }}"})
    assert found.names == ("a", "b", "c", "d", "e", "f")
    assert found.required == ("a", "d", "e", "f")
    assert variables("simple", "{{ b }}{{a}}{{ c|upper }}{{ b }}", {}) == ("a", "b")
    assert variables("none", "{{ a }}", {}) == ()


def test_partials_are_named_in_order_and_must_be_constant():
    text = "{% include 'b' %}{% include 'a' %}{% include 'b' %}{% extends 'c' %}"
    assert [use.name for use in partial_uses(text)] == ["b", "a", "b", "c"]
    assert [use.line for use in partial_uses("\n{% include 'a' %}\n{% import 'b' as c %}")] == [2, 3]
    for text in ("\n{% include x %}", "\n{% include ['a', 'b'] %}", "\n{% include 'a' ~ x %}"):
        with pytest.raises(TemplateFault, match="name one partial in quotes") as caught:
            partial_uses(text)
        assert caught.value.line == 2


def test_what_is_named_can_be_asked_of_a_wrong_template():
    for text in ("{{ x", "{% include", "{{ " + "(" * 3000, "{{ x|nosuch }}"):
        with pytest.raises(TemplateFault):
            variables("jinja2", text, {})
    with pytest.raises(TemplateFault, match="no partial called 'p'"):
        variables("jinja2", "{% include 'p' %}", {})


def test_simple_templates_do_not_load_jinja2():
    code = (
        "import sys\nfrom promptops.prompts.template import render_text\n"
        "render_text('simple', '{{a}}', {'a': 1}, {})\n"
        "print([name for name in ('jinja2', 'pydantic', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


PIECES = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    " ",
    "a",
    "b|",
    "if ",
    "for ",
    "in ",
    "endif",
    "endfor",
    "set ",
    "=",
    "(",
]
PIECES += [
    ")",
    "[",
    "]",
    "'",
    ".",
    "~",
    "include ",
    "macro ",
    "block ",
    "upper",
    "1",
    "*",
    "-",
    "\n",
    "endmacro",
    "{",
    "}",
]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@settings(deadline=None)
def test_any_text_renders_or_is_a_fault(text: str):
    for kind in ("jinja2", "simple"):
        try:
            render_text(kind, text, {"a": "x", "b": [1]}, {"a": "p"})
            variables(kind, text, {"a": "p"})
        except TemplateFault:
            continue
