"""Whatever a pull request, a sample or a model writes is shown as it is, and does nothing where it is shown."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser
from io import StringIO

import pytest
from gateworlds import ATTACK, EVERYTHING, hostile
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from promptops.gated import GateReport
from promptops.reports.annotations import annotations
from promptops.reports.escape import code, fence
from promptops.reports.escape import markdown as literal
from promptops.reports.gatecomment import MARKER, comment
from promptops.reports.gatesummary import summary
from promptops.reports.gateterminal import print_gate

_TEXT = {"blockquote", "code", "details", "summary", "h3", "h4", "p", "pre", "span", "strong", "sub"}
TAGS = _TEXT | {"li", "ol", "ul", "table", "thead", "tbody", "tr", "td", "th"}
WRITERS = {"comment": comment, "summary": summary}
# What GitHub and GitLab look for in the text of a finished page.
ACTING = re.compile(r"[@#!~%&]\w|(?i:\bgh-\d)|://|(?i:\bwww\.)|:[a-z_+-]+:")


class Page(HTMLParser):
    """Collects what a page is made of; texts outside code are those in which a forge looks for references."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.comments: list[str] = []
        self.texts: list[str] = []
        self.cells: list[int] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.open.append(tag)
        if tag == "tr":
            self.cells.append(0)
        elif tag in ("td", "th"):
            self.cells[-1] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        if data != "[!WARNING]\n" and not {"code", "pre"} & set(self.open):
            self.texts.append(data)


def page(text: str) -> Page:
    found = Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
    assert not found.open
    return found


def terminal(found: GateReport) -> str:
    out = StringIO()
    print_gate(found, Console(file=out, width=180, highlight=False, emoji=False, markup=False))
    return out.getvalue()


@pytest.mark.parametrize("name", WRITERS)
def test_no_foreign_text_becomes_markup(name: str) -> None:
    found = page(WRITERS[name](hostile(ATTACK)))
    assert found.tags <= TAGS
    assert found.attributes <= {"style", "class"}
    assert found.comments == ([" promptops-gate "] if name == "comment" else [])


@pytest.mark.parametrize("name", WRITERS)
def test_nobody_is_mentioned_and_nothing_linked_emptied_or_set_as_a_formula(name: str) -> None:
    texts = page(WRITERS[name](hostile(ATTACK))).texts
    assert [text for text in texts if ACTING.search(text)] == []
    assert {text for text in texts if "$" in text} <= {"$"}


@pytest.mark.parametrize("name", WRITERS)
def test_every_row_keeps_its_cells(name: str) -> None:
    assert set(page(WRITERS[name](hostile(ATTACK))).cells) <= {3, 4, 6, 8}


@pytest.mark.parametrize("name", WRITERS)
def test_a_page_shows_what_was_written(name: str) -> None:
    texts = "".join(page(WRITERS[name](hostile(ATTACK))).texts).replace("\u200b", "")
    assert "<script>alert(1)</script><img src=x" in texts
    assert "| a || b | `code` ``` ~~~ **bold** _it_ [link](https://example.org)" in texts
    assert "GH-4" in texts


def test_no_line_on_a_build_servers_output_is_a_command_but_ours() -> None:
    shown = terminal(hostile(ATTACK))
    assert not re.search(r"^\s*::|##\w*\[", shown, re.MULTILINE)
    for line in annotations(hostile(ATTACK)):
        assert re.match(r"::(error|warning|notice) ", line)
        assert not re.search(r"##\w*\[|[\r\n]", line)


def test_a_terminal_gets_no_control_character() -> None:
    shown = terminal(hostile(ATTACK)).replace("\n", "")
    hidden = {char for char in shown if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")}
    assert hidden == set()


ALPHABET = st.text(
    st.sampled_from("ab1 \n\r\t:@#!~%&$|`*_<>[](){}\\/.+-=\"'\x1b\u202e\ud800\ufffe") | st.characters(),
    max_size=40,
)


@settings(max_examples=25, deadline=None)
@given(ALPHABET)
def test_no_text_at_all_becomes_markup(text: str) -> None:
    found = page(comment(hostile(text)))
    assert found.tags <= TAGS
    assert found.attributes <= {"style", "class"}
    assert [one for one in found.texts if ACTING.search(one)] == []
    assert comment(hostile(text)).encode("utf-8")


@settings(deadline=None)
@given(ALPHABET)
def test_code_is_one_piece_of_code_in_a_table(text: str) -> None:
    found = page(f"| a |\n| --- |\n| {code(text)} |\n")
    assert found.tags == {"table", "thead", "tbody", "tr", "th", "td", "code"} | (
        {"span"} if "<span" in code(text) else set()
    )
    assert found.cells == [1, 1]


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("`~ a\n\\")), max_size=5))
def test_no_line_ends_the_block_it_stands_in(lines: list[str]) -> None:
    found = page("\n".join(["before", "", *fence(lines), "", "after"]))
    assert found.texts[0] == "before"
    assert found.texts[-2] == "after"


@pytest.mark.parametrize("text", ["1. first", " 12. second", "    indented", "3."])
def test_what_would_be_a_list_or_code_stays_text(text: str) -> None:
    shown = page(f"- {literal(text)}\n")
    assert shown.tags == {"ul", "li"}
    assert "".join(shown.texts).strip() == text.strip()


def test_an_ordinary_text_has_nothing_hidden_in_it() -> None:
    assert "&#8203;" not in comment(EVERYTHING).replace("ada&#64;&#8203;example", "")


def test_the_marker_stands_once_whatever_is_said() -> None:
    shown = comment(hostile(MARKER))
    assert shown.startswith(MARKER)
    assert page(shown).comments == [" promptops-gate "]
