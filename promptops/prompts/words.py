"""Which words of a text changed; whitespace is kept, so that the pieces of either side make up its text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Final, Literal

Kind = Literal["same", "added", "removed"]
# difflib is quadratic: beyond this many pairs of words whole lines are compared, then the text as one.
_MAX_PAIRS: Final = 4_000_000
_WORDS: Final = re.compile(r"\s+|\w+|[^\w\s]")
_LINES: Final = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A piece of text on both sides, only in the candidate (added) or only in the baseline (removed)."""

    kind: Kind
    text: str


def marked(tokens: Iterable[Token], *, around: int) -> str:
    """Return tokens as one text: removed words in [-…-], added ones in {+…+}, long runs of others without their middle.

    Of those `around` characters stay at either end.
    """
    return "".join(
        f"[-{token.text}-]"
        if token.kind == "removed"
        else f"{{+{token.text}+}}"
        if token.kind == "added"
        else _shortened(token.text, around)
        for token in tokens
    )


def _shortened(text: str, around: int) -> str:
    return text if len(text) <= 2 * around else f"{text[:around]} … {text[-around:]}"


def compare_words(baseline: str, candidate: str) -> tuple[Token, ...]:
    """Return the pieces of both texts in reading order, removed before added."""
    for pattern in (_WORDS, _LINES):
        before, after = pattern.findall(baseline), pattern.findall(candidate)
        if len(before) * len(after) <= _MAX_PAIRS:
            return _merged(_pieces(before, after))
    return _merged(_pieces([baseline], [candidate]))


def _pieces(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[Kind, str]]:
    for step, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if step == "equal":
            yield "same", "".join(before[i1:i2])
        else:
            yield "removed", "".join(before[i1:i2])
            yield "added", "".join(after[j1:j2])


def _merged(pieces: Iterator[tuple[Kind, str]]) -> tuple[Token, ...]:
    held = [(kind, text) for kind, text in pieces if text]
    groups = groupby(held, key=lambda piece: piece[0])
    return tuple(Token(kind=kind, text="".join(text for _, text in group)) for kind, group in groups)
