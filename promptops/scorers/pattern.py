"""`regex`: a Python pattern is found in the answer.

`re.search`, so a pattern without anchors may match anywhere; `.` stops at line ends. A pattern that may
backtrack for ever cannot be recognised cheaply: here is only a limit on the length of the answer. The limit on the
time is that of every scorer (watch.py, workers.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from promptops.samples import Sample
from promptops.scorers.checked import Found, Test
from promptops.scorers.fill import Unscorable
from promptops.scorers.text import Likeness, shown

SEARCHED_LENGTH = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """The pattern is somewhere in the answer; the case is the pattern's business, not the text's."""

    pattern: re.Pattern[str]
    like: Likeness

    def ask(self, sample: Sample) -> Test:
        return self._test

    def _test(self, found: Found) -> str:
        text = self.like.plain(found.text)
        if len(text) > SEARCHED_LENGTH:
            raise Unscorable(
                f"the answer has {len(text):,} characters, a regex is tried on {SEARCHED_LENGTH:,}"
            )
        return "" if self.pattern.search(text) else f"{self.pattern.pattern} is not in {shown(text)}"


def matches(pattern: str, like: Likeness) -> Matches:
    """Compile the pattern.

    Raises:
        ValueError: it is none, or asks to be filled from the sample.
    """
    if re.search(r"\{\{-?\s*[^\W\d]", pattern):
        raise ValueError("a regex takes no template; use contains or equals")
    try:
        compiled = re.compile(pattern, re.IGNORECASE if like.ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"the regex does not compile: {error}") from error
    return Matches(pattern=compiled, like=Likeness(trim=like.trim))
