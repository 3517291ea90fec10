"""Hostile text made safe for the place it is shown in: one function a place, and nothing is shown without it."""

from __future__ import annotations

import re
import unicodedata

# Bidirectional controls reorder what a reader sees; category Cf holds them and the zero-width characters.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# What build servers take for commands: GitHub a line that begins so, after spaces too, and both this anywhere.
_COMMAND = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
_OLD_COMMAND = re.compile(r"#(?=#(?:vso)?\[)")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~@&:-])")


def _visible(character: str) -> str:
    if character in "\n\r\t":
        return {"\n": "⏎", "\r": "␍", "\t": "⇥"}[character]
    return f"\\u{{{ord(character):x}}}" if unicodedata.category(character) in _HIDDEN else character


def one_line(text: str) -> str:
    """Return the text on one line with every control, format and surrogate character made visible.

    Neither in it nor at its beginning is what a build server takes for a command.
    """
    return _no_command("".join(map(_visible, text)))


def many_lines(text: str) -> str:
    """Like `one_line`, but line feeds and tabs stay."""
    return _no_command("".join(char if char in "\n\t" else _visible(char) for char in text))


def _no_command(text: str) -> str:
    return _COMMAND.sub(r"\1\\u{3a}", _OLD_COMMAND.sub(r"\\u{23}", text))


def markdown(text: str) -> str:
    """Return the text so that Markdown and GitHub show it literally: no markup, mention, link or HTML."""
    escaped = _MARKDOWN.sub(lambda match: f"&#{ord(match[1])};", one_line(text))
    # A bare domain or `www.` turns into a link without any markup.
    return re.sub(r"(?i)\bwww\.", "www&#46;", escaped)
