"""Lines on a terminal that is too narrow for them."""

from __future__ import annotations

from io import StringIO

import pytest
from gateworlds import ATTACK, EVERYTHING, hostile
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from promptops.gated import GateReport
from promptops.reports.gateterminal import print_gate
from promptops.reports.wrapping import print_command, print_line


class Screen(StringIO):
    def isatty(self) -> bool:
        return True


def console(width: int, file: StringIO) -> Console:
    return Console(file=file, width=width, highlight=False, emoji=False, markup=False, color_system=None)


def shown(found: GateReport, width: int, file: StringIO) -> str:
    print_gate(found, console(width, file))
    return file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_narrow_terminal_breaks_lines_between_words_and_loses_none(width: int) -> None:
    narrow = shown(EVERYTHING, width, Screen())
    assert max(map(cell_len, narrow.split("\n"))) <= width
    assert narrow.split() == shown(EVERYTHING, width, StringIO()).split()


def test_what_is_piped_on_is_not_broken() -> None:
    assert shown(EVERYTHING, 80, StringIO()) == shown(EVERYTHING, 300, Screen())


def test_what_is_to_be_typed_stays_in_one_piece() -> None:
    screen = Screen()
    print_command(console(40, screen), Text("  To merge: fix it, or an owner runs"), f"promptops {'x' * 60}")
    assert screen.getvalue() == f"  To merge: fix it, or an owner runs\n    promptops {'x' * 60}\n"


@settings(deadline=None)
@given(st.integers(1, 60), st.sampled_from(["::", " ::", "a ::", ":: ::"]))
def test_no_line_begins_with_a_command_where_a_text_is_broken(before: int, sign: str) -> None:
    screen = Screen()
    print_line(
        console(40, screen), Text(f"  {'x' * before} {sign}set-output name=a::b and more words that follow")
    )
    assert not any(line.lstrip().startswith("::") for line in screen.getvalue().split("\n"))


def test_hostile_texts_do_no_more_on_a_narrow_terminal() -> None:
    for width in range(60, 120, 7):
        lines = shown(hostile(ATTACK), width, Screen()).split("\n")
        assert not any(line.lstrip().startswith("::") for line in lines)
