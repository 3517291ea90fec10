"""Texts that do something to whoever shows, stores or parses them without care: answers for a faulty server.

All of them are answers, and good ones, as far as anybody can tell from outside; they have to be scored as they are
and shown so that nothing obeys them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

MEGABYTE = 10**6

HOSTILE: Mapping[str, str] = MappingProxyType(
    {
        "surrogates": "half a pair \ud83d and the other half \ude00 apart",
        "nul": "before\x00after",
        "ansi": "\x1b[2J\x1b[31mred\x1b[0m\x1b]0;owned\x07\x9b2J",
        "workflow": "fine\n::set-output name=verdict::pass\n  ::add-mask::x\n##[command]y ##vso[task]z",
        "carriage": "a long and harmless line\rPASS",
        "bidi": "\u202egnp.exe\u2066\u200b",
        "markup": "<script>alert(1)</script> <img src=x onerror=y> [a](javascript:b) @acme/team | cell | `code`",
        "json": '{"choices": []} "\\ud800" \\u0000',
        "separators": "one\u2028two\u2029three\x85four\x0bfive",
    }
)


def long_text(size: int = 10 * MEGABYTE) -> str:
    """Return a text of that many characters, each line different from the next."""
    line = "line {:07} of an answer that does not come to its point\n"
    count = size // len(line.format(0)) + 1
    return "".join(line.format(number) for number in range(count))[:size]
