"""docs/reliability.md: every row names tests, every test it names exists, and its program runs."""

from __future__ import annotations

import re
from pathlib import Path

import promptops.testing.faults
from promptops.testing.faulty_server import Behaviour

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
LINK = re.compile(r"\[([^\]]+)\]\(\.\./(tests/[^)]+\.py)\)")


def rows(section: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_every_test_that_the_page_names_is_there() -> None:
    named = LINK.findall(PAGE)
    assert len(named) >= 60
    for words, file in named:
        name = f"test_{words.replace(' ', '_')}"
        assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{name} is not in {file}"


def test_every_fault_has_its_test() -> None:
    for section, least in (("Whoever answers", 13), ("A run", 9), ("A release", 9)):
        found = rows(section)
        assert len(found) >= least
        for fault, holds, shown in found:
            assert holds, fault
            assert LINK.findall(shown), fault


def test_the_program_on_the_page_runs() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(program, "docs/reliability.md", "exec"), {})


def test_every_behaviour_is_on_the_page_and_there() -> None:
    table = PAGE.partition("| behaviour |")[2]
    named = set(re.findall(r"`([a-z_]+)\(", table))
    functions = vars(promptops.testing.faults).items()
    makers = {
        name for name, one in functions if getattr(one, "__annotations__", {}).get("return") == "Behaviour"
    }
    assert makers
    assert makers <= named
    assert named - makers <= {"long_text"}
    assert Behaviour is not None
