"""What others wrote is shown as it is and does nothing: no colours, no markup, no mention, no workflow command."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptops.reports.escape import many_lines, markdown, one_line


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\u{1b}[31mred\u{1b}[0m"),
        ("a\r::set-output name=x::y", "a␍::set-output name=x::y"),
        ("one\ntwo", "one⏎two"),
        ("\u202egnp.exe", r"\u{202e}gnp.exe"),
        ("\ud800 alone", r"\u{d800} alone"),
        ("zero\u200bwidth", r"zero\u{200b}width"),
        ("nul\0", r"nul\u{0}"),
        ("  ::set-output name=x::y", r"  \u{3a}:set-output name=x::y"),
        ("a ##[add-mask]b ##vso[c]", r"a \u{23}#[add-mask]b \u{23}#vso[c]"),
    ],
)
def test_a_line_shows_what_would_act_on_a_terminal(hostile: str, shown: str) -> None:
    assert one_line(hostile) == shown


def test_no_line_of_many_is_a_command() -> None:
    assert many_lines("a\n\t::error::b\nc::d") == "a\n\t\\u{3a}:error::b\nc::d"


@settings(deadline=None)
@given(st.text(st.characters()))
def test_a_line_is_one_line_and_printable(text: str) -> None:
    shown = one_line(text)
    assert "\n" not in shown
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for char in shown)
    assert all(char in "\n\t" or unicodedata.category(char) != "Cc" for char in many_lines(text))


@settings(deadline=None)
@given(st.text(st.sampled_from("ab|<>`*_[]()#!@&~-:.\\{}\n\x1bw /")))
def test_markdown_leaves_no_markup_mention_or_html(text: str) -> None:
    shown = re.sub(r"&#\d+;", "", markdown(text))
    assert not set(shown) & set("|<>`*_[]()#!@&~\\{}\n")


def test_markdown_makes_no_link_of_a_bare_domain() -> None:
    assert "www." not in markdown("see www.example.org")
    assert "https:" not in markdown("see https://example.org")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@everyone", "&#64;&#8203;everyone"),
        ("ada@example.org", "ada&#64;&#8203;example.org"),
        ("acme/x#12", "acme/x&#35;&#8203;12"),
        ("GH-12", "GH&#45;&#8203;12"),
        (":tada: 10:30:00", "&#58;&#8203;tada&#58; 10&#58;30&#58;00"),
        ("94 % @ 5", "94 % &#64; 5"),
        ("$x$", "<span>$</span>x<span>$</span>"),
    ],
)
def test_what_a_forge_looks_for_in_the_finished_page_is_taken_apart(text: str, shown: str) -> None:
    assert markdown(text) == shown
