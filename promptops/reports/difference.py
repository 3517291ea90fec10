"""How two versions differ, for a terminal: findings by label, then the words that changed in their lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from promptops.prompts.diff import PromptDiff, TextDiff
from promptops.prompts.words import Token
from promptops.reports.escape import one_line

LABELS = {"breaking": "bold red", "behaviour": "yellow", "cosmetic": "dim"}
STYLES = {"added": "green", "removed": "red strike", "same": ""}
AROUND = 1  # lines of context


def print_difference(difference: PromptDiff, console: Console) -> None:
    """Print the findings and the changed texts; says so where there is nothing."""
    if not difference.changes:
        console.print("no difference", soft_wrap=True)
        return
    for change in difference.changes:
        label = Text(f"{change.label:<10}", style=LABELS[change.label])
        console.print(
            Text.assemble(label, " ", f"{change.area}: ", one_line(change.sentence)), soft_wrap=True
        )
    print_texts(difference, console)


def print_texts(difference: PromptDiff, console: Console) -> None:
    """Print only the texts whose words changed."""
    for text in difference.texts:
        if text.changed:
            console.print(Text(f"\n  {one_line(text.title)}", style="bold"), soft_wrap=True)
            for line in _near_changes(text):
                console.print(line, soft_wrap=True)


def words(tokens: tuple[Token, ...], *, colour: bool) -> Text:
    """Return tokens as one text; without colour, removed words stand in [-…-] and added ones in {+…+}."""
    whole = Text()
    for token in tokens:
        shown = one_line(token.text)
        if not colour and token.kind != "same":
            shown = f"[-{shown}-]" if token.kind == "removed" else f"{{+{shown}+}}"
        whole.append(shown, style=STYLES[token.kind])
    return whole


def _near_changes(text: TextDiff) -> Iterator[Text]:
    """Yield the lines in which words changed, with a line around them, dots for what is left out.

    The rule before them keeps a build server from taking a prompt's line for a command (`::set-output`).
    """
    lines: list[list[Token]] = [[]]
    for token in text.tokens:
        first, *others = token.text.split("\n")
        lines[-1].append(Token(kind=token.kind, text=first))
        lines += [[Token(kind=token.kind, text=part)] for part in others]
    changed = [any(token.kind != "same" for token in line) for line in lines]
    skipped = False
    for number, line in enumerate(lines):
        if not any(changed[max(0, number - AROUND) : number + AROUND + 1]):
            skipped = True
            continue
        if skipped:
            yield Text("    …", style="dim")
        skipped = False
        yield Text.assemble(
            ("  │ ", "dim"), words(tuple(token for token in line if token.text), colour=False)
        )


def difference_json(difference: PromptDiff) -> dict[str, Any]:
    """Return findings and words for programs."""
    return {
        "changes": [
            {"area": one.area, "label": one.label, "sentence": one.sentence} for one in difference.changes
        ],
        "texts": [
            {"title": one.title, "tokens": [{"kind": token.kind, "text": token.text} for token in one.tokens]}
            for one in difference.texts
            if one.changed
        ],
    }
