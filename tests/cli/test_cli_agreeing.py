"""Before a test is paid: what it costs is said, and in a terminal it is asked whether to go on."""

from __future__ import annotations

import io
import json
import sys

import pytest
from cli_help import CONFIG, SAMPLES, N, Project, sample

PRICED = CONFIG.replace('answer"}', 'answer", prices: {small: {input: 0.5, output: 2}}}')


class Typed(io.StringIO):
    """What a person types at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def priced(project: Project) -> Project:
    rows = [sample(n) | {"usage": {"input_tokens": 1000, "output_tokens": 100}} for n in range(N)]
    project.write(SAMPLES, "".join(json.dumps(row) + "\n" for row in rows))
    project.write("promptops.yaml", PRICED)
    project.forget()
    project.reword("thorough")
    return project


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr(sys, "stdin", Typed(typed))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)


def test_without_a_terminal_the_cost_is_only_said(priced: Project) -> None:
    said = priced.run("test")
    assert "up to 240 calls to bot/small, about $0.17 by the prices in promptops.yaml" in said.err
    assert "Go on?" not in said.err
    assert priced.calls() == 2 * N


@pytest.mark.parametrize("typed", ["n\n", "\n", "", "yesno\n"])
def test_who_does_not_say_yes_has_spent_nothing(
    priced: Project, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    at_a_terminal(monkeypatch, typed)
    said = priced.run("test")
    assert said.code == 130
    assert "Go on? [y/N] " in said.err
    assert "nothing was asked and nothing spent" in said.err
    assert priced.calls() == 0


def test_a_yes_goes_on_and_a_test_that_is_done_is_not_asked_about(
    priced: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_a_terminal(monkeypatch, "y\n")
    assert priced.run("test").code == 0
    assert priced.calls() == 2 * N
    at_a_terminal(monkeypatch, "")
    again = priced.run("test")
    assert "Go on?" not in again.err
    assert again.code == 0


def test_yes_in_the_command_is_not_asked_again(priced: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    at_a_terminal(monkeypatch, "")
    said = priced.run("test", "--yes")
    assert (said.code, "Go on?" in said.err) == (0, False)
