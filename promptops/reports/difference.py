"""How two versions differ, for a terminal: findings by label, then the words that changed in their lines."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from promptops.prompts.diff import PromptDiff
from promptops.prompts.words import Token
from promptops.reports.escape import one_line

LABELS = {"breaking": "bold red", "behaviour": "yellow", "cosmetic": "dim"}
STYLES = {"added": "green", "removed": "red strike", "same": ""}


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
            for line in text.near_changes():
                console.print(_shown(line), soft_wrap=True)


def words(tokens: tuple[Token, ...], *, colour: bool) -> Text:
    """Return tokens as one text; without colour, removed words stand in [-…-] and added ones in {+…+}."""
    whole = Text()
    for token in tokens:
        shown = one_line(token.text)
        if not colour and token.kind != "same":
            shown = f"[-{shown}-]" if token.kind == "removed" else f"{{+{shown}+}}"
        whole.append(shown, style=STYLES[token.kind])
    return whole


def _shown(line: tuple[Token, ...] | None) -> Text:
    """The rule before a line keeps a build server from taking it for a command (`::set-output`)."""
    if line is None:
        return Text("    …", style="dim")
    return Text.assemble(("  │ ", "dim"), words(line, colour=False))


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
