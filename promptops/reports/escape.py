"""Hostile text made safe for the place it is shown in: one function a place, and nothing is shown without it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Bidirectional controls reorder what a reader sees; category Cf holds them and the zero-width characters.
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# What build servers take for commands: GitHub a line that begins so, after spaces too; GitHub, Azure and TeamCity
# these anywhere: `##[`, `##vso[`, `##teamcity[`.
_COMMAND = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)
_OLD_COMMAND = re.compile(r"#(?=#\w*\[)")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~@&:-])")
# What GitHub and GitLab look for in the finished page, where an escaped sign is a sign again: mentions, references to
# issues, addresses, emoji. Only something between the sign and the word keeps them apart.
_REFERENCE = re.compile(
    r"[@#!~%&](?=\w)|(?i:(?<=\bGH)-(?=\d)|(?<=\bwww)(?=\.))|:(?=//|(?:100|1234|[\w+-]*[a-z+-][\w+-]*):)"
)
_APART = "\u200b"
# XML 1.0 knows no way to write these, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# With `[[ATTACHMENT|path]]` a test report has Jenkins publish a file of its machine, and GitLab link one.
_ATTACHED = re.compile(r"\[(?=\[ATTACHMENT)", re.IGNORECASE)


def _visible(character: str) -> str:
    if character in "\n\r\t":
        return {"\n": "⏎", "\r": "␍", "\t": "⇥"}[character]
    return f"\\u{{{ord(character):x}}}" if unicodedata.category(character) in _HIDDEN else character


def one_line(text: str) -> str:
    """Return the text on one line with every control, format and surrogate character made visible.

    Neither in it nor at its beginning is what a build server takes for a command.
    """
    # What is printable hides nothing: most texts are, and need no look at each character.
    return _no_command(text if text.isprintable() else "".join(map(_visible, text)))


def many_lines(text: str) -> str:
    """Like `one_line`, but line feeds and tabs stay."""
    if text.replace("\n", "").isprintable():
        return _no_command(text)
    return _no_command("".join(char if char in "\n\t" else _visible(char) for char in text))


def _no_command(text: str) -> str:
    return _COMMAND.sub(r"\1\\u{3a}", _OLD_COMMAND.sub(r"\\u{23}", text))


def markdown(text: str) -> str:
    """Return the text so that Markdown and GitHub show it literally: no markup, mention, link, formula or HTML."""
    apart = _REFERENCE.sub(lambda match: f"{match[0]}{_APART}", one_line(text))
    escaped = _MARKDOWN.sub(lambda match: f"&#{ord(match[1])};", apart)
    # At the beginning of a line or of a list's item, spaces indent and `1.` is a list of its own.
    escaped = re.sub(r"^( *\d+)\.(?= |$)", r"\1&#46;", escaped)
    escaped = re.sub(r"^ +", lambda match: "&#32;" * len(match[0]), escaped)
    return escaped.replace("$", "<span>$</span>").replace(_APART, "&#8203;")


def code(text: str) -> str:
    """Return a command as Markdown code, one that can be copied unless it holds what would end the code."""
    shown = one_line(text)
    if shown and shown.strip() == shown and not set(shown) & {"`", "|", "<"}:
        return f"`{shown}`"
    return f"<code>{markdown(text)}</code>"


def fence(lines: Iterable[str], language: str = "text") -> list[str]:
    """Return lines as a block of Markdown code that nothing in them can end."""
    shown = [one_line(line) for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    marks = "`" * max(3, longest + 1)
    return [f"{marks}{language}", *shown, marks]


def xml(text: str) -> str:
    """Return the text without what XML cannot hold, and naming no file to attach to a test report.

    XML's own signs are left to whoever writes the XML.
    """
    shown = _NOT_XML.sub(lambda match: f"\\u{{{ord(match[0]):x}}}", many_lines(text))
    return _ATTACHED.sub(r"\\u{5b}", shown)


def command_message(text: str) -> str:
    """Return what stands after `::` in a workflow command of GitHub."""
    return one_line(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def command_property(text: str) -> str:
    """Return the value of a property in a workflow command of GitHub."""
    return command_message(text).replace(":", "%3A").replace(",", "%2C")
